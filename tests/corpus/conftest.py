"""The corpus of a small suite, built once."""

import json

import pytest

from corpus.made_archives import small_suite, write_archives
from transfer.workspace import Workspace


@pytest.fixture(scope="session")
def corpus_home(tmp_path_factory):
    """A home with archives and test items; `$TRANSFER_HOME` points to it while tests use it."""
    home = tmp_path_factory.mktemp("home")
    archives = write_archives(home / "downloads")
    return home, small_suite(archives)


@pytest.fixture
def small(corpus_home, monkeypatch):
    """The small suite and its workspace."""
    home, suite = corpus_home
    monkeypatch.setenv("TRANSFER_HOME", str(home))
    return suite, Workspace(suite.name)


@pytest.fixture
def built(small):
    """The small suite with every step done; the test item stands in the first post."""
    from transfer import corpus

    suite, workspace = small
    if not (workspace.root / "shards").exists():
        corpus.build_documents(suite, workspace)
        post = corpus.documents(workspace, "newsgroups", "pretrain")["text"].iloc[0].split()
        item = {
            "id": "a",
            "context": "Unlike anything: " + " ".join(post[5:14]),
            "options": ["something else", " ".join(post[14:18])],
            "gold": 1,
        }
        workspace.benchmarks.mkdir(parents=True)
        text = json.dumps(item) + "\n"
        (workspace.benchmarks / "made-test.jsonl").write_text(text, encoding="utf-8")
        corpus.write_shards(suite, workspace)
    return suite, workspace
