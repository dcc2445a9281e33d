from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from transfer.benchmarks import CANDIDATES, CandidateSpec
from transfer.benchmarks.artefacts import baselines
from transfer.benchmarks.entailment import draw
from transfer.benchmarks.items import items_hash, made_items, rows, swapped
from transfer.benchmarks.packages import Inputs
from transfer.benchmarks.vocabulary import indefinite, plural
from transfer.suite import load_suite
from transfer.workspace import Workspace

GENERATED = [candidate for candidate in CANDIDATES.values() if not candidate.sources]
SUITE = load_suite("mini")


def made(candidate: CandidateSpec, split: Any) -> list[dict[str, Any]]:
    return made_items(candidate, Inputs(SUITE, Workspace("none")), split)


@pytest.fixture(scope="module", params=GENERATED, ids=lambda candidate: candidate.name)
def generated(request: pytest.FixtureRequest) -> tuple[CandidateSpec, list[Any], list[Any]]:
    return request.param, made(request.param, "test"), made(request.param, "train")


def test_sizes_and_form(generated: tuple[CandidateSpec, list[Any], list[Any]]) -> None:
    _, test, train = generated
    assert 900 <= len(test) <= 1000
    assert 3000 <= len(train) <= 4000
    for row in test + train:
        assert set(row) == {"id", "context", "options", "gold"}
        assert len({option.lower() for option in row["options"]}) == len(row["options"])
        assert 0 <= row["gold"] < len(row["options"])
        assert row["context"] == row["context"].strip()
        assert len(row["context"].split()) <= 50
        assert "{" not in row["context"]
        assert row["context"][0].isupper()


def test_ids_are_unique_and_splits_apart(
    generated: tuple[CandidateSpec, list[Any], list[Any]],
) -> None:
    _, test, train = generated
    asked = Counter((row["context"], tuple(row["options"])) for row in test)
    assert max(asked.values()) == 1
    assert len({row["id"] for row in test + train}) == len(test) + len(train)
    shown = {(row["context"], tuple(sorted(row["options"]))) for row in train}
    assert not shown & {(row["context"], tuple(sorted(row["options"]))) for row in test}


def test_gold_positions_and_answers_are_even(
    generated: tuple[CandidateSpec, list[Any], list[Any]],
) -> None:
    _, test, _ = generated
    positions = Counter(row["gold"] for row in test)
    assert max(positions.values()) - min(positions.values()) <= 1
    right = Counter(row["options"][row["gold"]] for row in test)
    shown = Counter(option for row in test for option in row["options"])
    for option, count in shown.items():
        assert right[option] * len(test[0]["options"]) == count


def test_what_does_not_read_is_at_chance(
    generated: tuple[CandidateSpec, list[Any], list[Any]],
) -> None:
    candidate, test, train = generated
    found = baselines(test, train[:1500])
    assert found.options_only == pytest.approx(found.chance, abs=1e-9)
    assert found.majority == pytest.approx(found.chance, abs=1e-9)
    assert found.longest == pytest.approx(found.chance, abs=1e-9)
    if candidate.artefact == "hypothesis":
        assert found.hypothesis_only == pytest.approx(0.5, abs=0.04)
        assert found.bag_of_words == pytest.approx(0.5, abs=0.06)
    # Nor does counting the context's words in the options help.
    assert found.overlap < found.chance + 0.06


def test_contexts_are_needed(generated: tuple[CandidateSpec, list[Any], list[Any]]) -> None:
    """A lookup of context and options that is perfect on items is near chance when swapped."""
    _, test, _ = generated
    known = {(row["context"], *row["options"]): row["gold"] for row in test}
    control = swapped(test, 0)
    generator = np.random.default_rng(0)
    hits = [
        known.get((row["context"], *row["options"]), generator.integers(len(row["options"])))
        == row["gold"]
        for row in control
    ]
    chance = 1 / len(test[0]["options"])
    assert np.mean(hits) < chance + 0.06


def test_draws_are_the_same_every_time() -> None:
    candidate = CANDIDATES["conjunction"]
    assert items_hash(made(candidate, "test")) == items_hash(made(candidate, "test"))


def test_a_reader_of_conjunctions_gets_them_all() -> None:
    for row in made(CANDIDATES["conjunction"], "test"):
        premise, _, asked = row["context"].partition(". It follows that ")
        clauses = premise.lower().replace(" and ", ", ").split(", ")
        wanted = next(clause for clause in clauses if clause.startswith(asked + " "))
        assert wanted.removeprefix(asked + " ") == row["options"][row["gold"]]


def test_a_reader_of_comparisons_gets_them_all() -> None:
    for row in made(CANDIDATES["converse"], "test"):
        premise, _, asked = row["context"].partition(". It follows that ")
        one, _, word, _, other = premise.split()
        right = row["options"][row["gold"]].split()
        same = asked.split()[0] == one
        assert right[2] == (other if same else one)
        assert (right[0] == word) is same


def test_a_reader_of_chains_gets_them_all() -> None:
    for row in made(CANDIDATES["transitive"], "test"):
        first, second, _ = row["context"].split(". ")
        above, below = (
            {first.split()[0], second.split()[0]},
            {first.split()[-1], second.split()[-1]},
        )
        (top,) = above - below
        assert row["options"][row["gold"]] == top


def test_rows_leave_out_what_is_malformed() -> None:
    def same(r: random.Random) -> tuple[str, list[str], list[str]]:
        return str(r.random()), ["The one", "The other"], ["Red", "red"]

    assert rows(draw(same, "same", "test", 10), 100) == []


def test_rows_stop_at_whole_rounds() -> None:
    built = CANDIDATES["conjunction"].build(Inputs(SUITE, Workspace("none")), "test")
    assert len(rows(built, 100)) == 99


@pytest.mark.parametrize(
    ("noun", "many", "article"),
    [("box", "boxes", "a"), ("story", "stories", "a"), ("animal", "animals", "an")],
)
def test_inflection(noun: str, many: str, article: str) -> None:
    assert plural(noun) == many
    assert indefinite(noun) == f"{article} {noun}"
