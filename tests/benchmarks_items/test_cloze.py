from __future__ import annotations

import hashlib
import random
from itertools import product

import pandas as pd
import pytest

from transfer.benchmarks import cloze
from transfer.benchmarks.packages import Inputs

WORDS = [
    "".join((*stem, ending))
    for stem in product("bdfgk", "aeiou", "lmnr", "aeo")
    for ending in ("ing", "ly", "er", "et")
]


@pytest.fixture
def documents(inputs: Inputs) -> Inputs:
    """Documents of a domain, of words drawn at random."""
    generator = random.Random(0)
    rows = []
    for number in range(300):
        sentences = [
            " ".join(generator.choices(WORDS, k=9)).capitalize() + f" n{number}x{at}."
            for at in range(14)
        ]
        text = " ".join(sentences)
        split = ("pretrain", "test", "train")[number % 3]
        rows.append((hashlib.sha256(text.encode()).hexdigest()[:16], text, split))
    inputs.workspace.documents.mkdir(parents=True)
    frame = pd.DataFrame(rows, columns=["id", "text", "split"])
    for stream in cloze.DOMAINS["blogs"]:
        frame.to_parquet(inputs.workspace.documents / f"{stream}.parquet")
    folder = inputs.workspace.root / "extracted" / "wikipedia_vital"
    folder.mkdir(parents=True)
    (folder / "top__summaries_en-us.json").write_text("{}")
    return inputs


def texts(inputs: Inputs, split: str) -> str:
    return " ".join(inputs.documents("blogs", split)["text"])


def test_gaps_are_filled_by_their_own_word(documents: Inputs) -> None:
    made = [item for members in cloze.word_cloze(documents, "blogs", ["test"]) for item in members]
    assert len(made) > 40
    held_out, trained = texts(documents, "test"), texts(documents, "pretrain")
    for item in made:
        assert f"{item.context} {item.options[item.gold]}" in held_out
        assert item.context not in trained
        assert len({cloze._ending(option) for option in item.options}) == 1
        assert len(item.context.split()) <= 45


def test_next_sentences_are_of_one_length(documents: Inputs) -> None:
    made = [
        item for members in cloze.next_sentence(documents, "blogs", ["train"]) for item in members
    ]
    assert len(made) > 40
    held_out = texts(documents, "train")
    for item in made:
        assert f"{item.context} {item.options[item.gold]}" in held_out
        assert max(map(len, item.options)) - min(map(len, item.options)) < 12
        sources = {option.split("n")[-1].split("x")[0] for option in item.options}
        assert len(sources) == 4
