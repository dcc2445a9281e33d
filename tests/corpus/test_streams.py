import hashlib
import shutil

import pandas as pd
import pytest

from corpus.made_archives import small_suite, write_archives
from transfer.corpus import build_documents, documents
from transfer.corpus.streams import READERS, split_of, stream_of
from transfer.errors import BadInput
from transfer.suite import load_suite
from transfer.workspace import Workspace


def test_every_text_of_the_suite_has_a_parser():
    for text in load_suite("mini").texts:
        stream, _, part = text.name.partition(".")
        assert stream in READERS or part in READERS


def test_documents_carry_their_hash_and_split(built):
    suite, workspace = built
    for stream in {stream_of(text) for text in suite.texts}:
        frame = documents(workspace, stream)
        assert list(frame.columns) == ["id", "text", "split"]
        assert frame["id"].is_unique
        for row in frame.itertuples():
            assert row.id == hashlib.sha256(row.text.encode()).hexdigest()[:16]
            assert row.split == split_of(row.id)


def test_one_in_twenty_is_held_out_for_each_use(built):
    _, workspace = built
    counts = documents(workspace, "newsgroups")["split"].value_counts()
    assert 0.02 < counts["test"] / counts.sum() < 0.09
    assert 0.02 < counts["train"] / counts.sum() < 0.09
    test = documents(workspace, "newsgroups", "test")
    assert (test["split"] == "test").all()
    assert len(test) == counts["test"]


def test_a_document_keeps_its_split_when_sources_are_added(built, tmp_path, monkeypatch):
    suite, workspace = built
    before = documents(workspace, "vital_articles")
    shutil.copytree(workspace.downloads, tmp_path / "downloads")
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    fewer = suite.model_copy(update={"texts": suite.texts[2:3]})
    build_documents(fewer, Workspace("fewer"))
    pd.testing.assert_frame_equal(before, documents(Workspace("fewer"), "vital_articles"))


def test_rules_are_counted(built):
    suite, workspace = built
    facts = build_documents(suite, workspace).facts["texts"]["newsgroups"]
    assert facts["too_short"] == 1
    assert facts["other_language"] == 1
    assert facts["duplicate"] == 2
    assert facts["kept"] == 500
    assert facts["read"] == 504
    assert len(documents(workspace, "newsgroups")) == 500


def test_cap_keeps_part_of_a_text(small, tmp_path, monkeypatch):
    suite, workspace = small
    shutil.copytree(workspace.downloads, tmp_path / "downloads")
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    capped = suite.texts[0].model_copy(update={"cap_mb": 0.05})
    step = build_documents(suite.model_copy(update={"texts": (capped,)}), Workspace("capped"))
    facts = step.facts["texts"]["newsgroups"]
    assert 50_000 < facts["kept_bytes"] < 55_000
    assert facts["over_cap"] > 300


def test_an_unchanged_step_is_skipped_and_a_changed_one_is_not(built, monkeypatch):
    suite, workspace = built
    path = workspace.documents / "foldoc.parquet"
    before = path.stat().st_mtime_ns
    assert build_documents(suite, workspace).done
    assert path.stat().st_mtime_ns == before
    path.unlink()
    build_documents(suite, workspace)
    assert path.exists()


def test_a_stream_that_is_not_built_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    with pytest.raises(BadInput, match=r"nothing\.parquet: no documents of stream 'nothing'"):
        documents(Workspace("small"), "nothing")


def test_texts_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    archives = write_archives(tmp_path / "downloads")
    entry = {"source": "posts", "kind": "web", "group": "any"}
    suite = small_suite(archives, texts=[entry | {"name": "unheard_of"}])
    with pytest.raises(BadInput, match="no parser reads 'unheard_of'"):
        build_documents(suite, Workspace("small"))
    suite = small_suite(archives, texts=[entry | {"name": "nyt"}])
    with pytest.raises(BadInput, match=r"'nyt' found nothing to read in posts-1\.whl"):
        build_documents(suite, Workspace("small"))
