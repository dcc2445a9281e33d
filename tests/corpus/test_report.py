import json

from transfer.corpus import documents, write_report, write_shards


def test_report_has_counts_and_hashes_but_no_text(built, tmp_path):
    suite, workspace = built
    path = tmp_path / "data" / "corpus.json"
    report = write_report(suite, workspace, path)
    held = path.read_text(encoding="utf-8")
    assert json.loads(held) == report
    assert len(held) < 100_000
    assert report["corpus_sha256"] == write_shards(suite, workspace).facts["sha256"]
    assert report["classes"]["web"]["documents"] == 560
    assert set(report["streams"]) == {"newsgroups", "howto", "vital_articles", "foldoc", "python"}
    counts = report["streams"]["newsgroups"]["documents"]
    assert sum(counts.values()) == len(documents(workspace, "newsgroups"))
    assert report["web"]["stream_mb"]["V1"].keys() == {"newsgroups", "howto"}
    assert report["decontamination"]["dropped"]["newsgroups"]["documents"] == 1
    for text in documents(workspace, "newsgroups")["text"].head(50):
        assert text[:40] not in held
