from __future__ import annotations

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from transfer.benchmarks.rounds import Item, Pair, crossed, one_round, part

words = st.text("abcdefghij", min_size=1, max_size=5)
pairs = st.lists(st.tuples(words, words, st.integers(0, 2)), max_size=40).map(
    lambda rows: [
        Pair(f"context {index} {context}", answer, kind, f"group {index % 7}")
        for index, (context, answer, kind) in enumerate(rows)
    ]
)


@given(pairs, st.integers(2, 4), st.integers(0, 5))
def test_any_choice_by_options_alone_is_right_once_a_round(
    pairs: list[Pair], size: int, seed: int
) -> None:
    for items in crossed(pairs, size, seed):
        assert len(items) == size
        assert {item.options for item in items} == {items[0].options}
        for favourite in items[0].options:
            right = [item for item in items if item.options[item.gold] == favourite]
            assert len(right) == 1
        assert sorted(item.gold for item in items) == list(range(size))


@given(pairs, st.integers(2, 4))
def test_rounds_keep_answers_and_use_each_pair_once(pairs: list[Pair], size: int) -> None:
    answers = {pair.context: (pair.answer, pair.kind) for pair in pairs}
    used: Counter[str] = Counter()
    for items in crossed(pairs, size, 0):
        assert len({answers[item.context][1] for item in items}) == 1
        assert len({option.lower() for option in items[0].options}) == size
        for item in items:
            used[item.context] += 1
            assert item.options[item.gold] == answers[item.context][0]
    assert not used or max(used.values()) == 1


@given(pairs)
def test_order_of_input_does_not_matter(pairs: list[Pair]) -> None:
    assert crossed(pairs, 3, "seed") == crossed(pairs[::-1], 3, "seed")


def test_pairs_held_apart_do_not_meet() -> None:
    rows = [Pair(str(index), str(index), 0, str(index)) for index in range(30)]
    kept = crossed(rows, 2, 0, apart=lambda a, b: (int(a.answer) - int(b.answer)) % 2 == 0)
    assert kept
    assert all((int(a.context) - int(b.context)) % 2 == 0 for a, b in kept)


def test_ids_are_hashes_of_what_is_shown() -> None:
    item = Item("The cat", ("ran", "sat"), 0, "g")
    assert re.fullmatch("[0-9a-f]{16}", item.id)
    assert item.id == Item("The cat", ("ran", "sat"), 1, "other").id
    assert item.id != Item("The cat", ("sat", "ran"), 0, "g").id
    # printf "The cat\\x1fran\\x1fsat" | sha256sum
    assert item.id == "ae670bb0fa03fe11"


def test_a_fifth_of_keys_is_test() -> None:
    counts = Counter(part(f"key {index}") for index in range(10_000))
    assert abs(counts["test"] / 10_000 - 0.2) < 0.02
    assert {part(f"key {index}", 5) for index in range(50)} == {"test"}


def test_one_round_is_the_same_every_time() -> None:
    made = one_round(["a", "b", "c"], ["x", "y", "z"], "g", 3)
    assert made == one_round(["a", "b", "c"], ["x", "y", "z"], "g", 3)
    assert {(item.context, item.options[item.gold]) for item in made} == {
        ("a", "x"),
        ("b", "y"),
        ("c", "z"),
    }
