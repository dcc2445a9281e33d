import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.made_archives import prose
from transfer.corpus import decontaminate, documents
from transfer.corpus.cleaning import WordCodes, words
from transfer.corpus.decontamination import contaminated, overlaps, runs_of
from transfer.errors import BadInput
from transfer.workspace import Workspace

WORDS = st.lists(st.sampled_from(["a", "b"]), max_size=25).map(" ".join)


def word_runs(text):
    tokens = words(text)
    return {tuple(tokens[i : i + 10]) for i in range(len(tokens) - 9)}


@given(st.lists(WORDS, min_size=1, max_size=3), WORDS)
def test_overlap_is_what_comparing_runs_of_ten_words_gives(items, text):
    codes = WordCodes()
    expected = any(word_runs(item) & word_runs(text) for item in items)
    assert overlaps(text, runs_of(items, codes), codes) == expected


def test_an_embedded_item_is_caught_whatever_its_case_and_punctuation():
    codes = WordCodes()
    item = prose(1, 1)
    forbidden = runs_of([item], codes)
    around = prose(2, 5) + " " + item.upper().replace(" ", ", ") + " " + prose(3, 5)
    assert overlaps(around, forbidden, codes)
    assert not overlaps(prose(2, 5) + prose(3, 5), forbidden, codes)
    assert not overlaps(around, np.empty(0, dtype=np.uint64), codes)


def test_the_document_with_the_test_item_is_dropped(built):
    suite, workspace = built
    first = documents(workspace, "newsgroups", "pretrain").iloc[0]
    assert contaminated(workspace) == {("newsgroups", first["id"])}
    facts = decontaminate(suite, workspace).facts
    assert facts["benchmarks"]["made"]["items"] == 1
    assert facts["dropped"] == {
        "newsgroups": {"documents": 1, "bytes": len(first["text"].encode())}
    }


def test_new_items_run_the_step_again(built, tmp_path):
    suite, workspace = built
    path = workspace.benchmarks / "other-test.jsonl"
    article = documents(workspace, "vital_articles", "pretrain").iloc[3]
    item = {"id": "b", "context": article["text"], "options": ["", "no"], "gold": 0}
    try:
        path.write_text(json.dumps(item) + "\n", encoding="utf-8")
        decontaminate(suite, workspace)
        assert ("vital_articles", article["id"]) in contaminated(workspace)
    finally:
        path.unlink()
        decontaminate(suite, workspace)
    assert len(contaminated(workspace)) == 1


def test_no_items_are_named(small):
    suite, _ = small
    with pytest.raises(BadInput, match="no test items to take out"):
        decontaminate(suite, Workspace("empty"))


@pytest.mark.parametrize(
    "line", ["{", '{"context": "a"}', '{"context": "a", "options": [], "gold": 0}']
)
def test_a_broken_item_is_named_by_file_and_line(built, line):
    suite, workspace = built
    path = workspace.benchmarks / "broken-test.jsonl"
    try:
        path.write_text("\n" + line, encoding="utf-8")
        with pytest.raises(BadInput, match=r"broken-test\.jsonl, line 2: not an item"):
            decontaminate(suite, workspace)
    finally:
        path.unlink()
