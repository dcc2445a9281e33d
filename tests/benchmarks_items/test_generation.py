"""The readers of text-generation tasks, on examples written for these tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transfer.benchmarks import generation
from transfer.benchmarks.packages import Inputs
from transfer.benchmarks.rounds import Item

Put = Callable[[str, str, Any], None]


def flat(rounds: list[list[Item]]) -> list[Item]:
    return [item for members in rounds for item in members]


def test_texts_of_facts(inputs: Inputs, put: Put) -> None:
    triples = [
        {
            "input": f"(Town_{n} | countryName | Land_{n}), (Land_{n} | ruler | King_{n})",
            "target": [f"Town {n} is in Land {n}, where King {n} rules.", "longer " * 40],
        }
        for n in range(20)
    ]
    tables = [
        {
            "input": f"name: Inn {n % 10}, area: riverside",
            "target": f"Inn {n % 10} is by the river.",
        }
        for n in range(20)
    ]
    put("bigbench", "gem/webnlg_en/task.json", {"examples": triples})
    put("bigbench", "gem/e2e_nlg/task.json", {"examples": tables})
    made = flat(generation.facts_text(inputs, "test"))
    assert len(made) > 20
    for item in made:
        about = item.context.replace("name: ", "").split()[1].strip(",")
        assert item.options[item.gold].split()[1] == about
        assert sum(option.split()[1] == about for option in item.options) == 1
        assert "_" not in item.context
        assert "|" not in item.context
    assert generation.facts_text(inputs, "train") == []


def test_scenes_share_no_words_with_the_others(inputs: Inputs, put: Put) -> None:
    examples = [
        {"input": f"thing{n} act{n} place{n % 9}", "target": [f"A thing{n} will act{n}.", "Two."]}
        for n in range(40)
    ]
    put("bigbench", "gem/common_gen/task.json", {"examples": examples})
    made = [
        item for item in flat(generation.sentence_from_words(inputs, "test"))
        if item.options[item.gold] != "Two."
    ]  # fmt: skip
    assert made
    for item in made:
        thing = item.context.split(": ")[1].split(",")[0]
        assert thing + " " in item.options[item.gold]


def test_simplified_sentences(inputs: Inputs, put: Put) -> None:
    examples = [
        {"input": f"Fact {n} is long .", "target": [f"Fact {n} is long.", f"Fact {n} is short."]}
        for n in range(12)
    ]
    put("bigbench", "gem/asset/task.json", {"examples": examples[:6]})
    put("bigbench", "gem/turk/task.json", {"examples": examples[6:]})
    made = flat(generation.simplification(inputs, "test"))
    assert made
    for item in made:
        number = item.context.split()[1]
        assert item.options[item.gold] == f"Fact {number} is short."
