"""WordNet's readers, on a database of a few words written for these tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from transfer.benchmarks import wordnet
from transfer.benchmarks.packages import Inputs

GROUPS = {"tool": 4, "fruit": 5, "beast": 6}


def noun(offset: int, words: list[str], above: int | None, gloss: str, field: str = "06") -> str:
    listed = " ".join(f"{word} 0" for word in words)
    links = f"001 @ {above:08d} n 0000" if above else "000"
    return f"{offset:08d} {field} n {len(words):02x} {listed} {links} | {gloss}  "


@pytest.fixture
def database(put: Callable[[str, str, Any], None]) -> None:
    lines, senses = ["  1 A licence line that is skipped"], []
    fields = {"tool": "06", "fruit": "13", "beast": "05"}
    for place, (group, _) in enumerate(GROUPS.items()):
        lines.append(noun(place + 1, [group], None, f"any {group} at all"))
        senses.append(f"{group}%1:06:00:: {place + 1:08d} 1 9")
        for n in range(60):
            offset = 100 * (place + 1) + n
            tail = "".join(chr(ord("a") + int(digit)) for digit in str(n).zfill(2))
            word, twin = f"{group[0]}q{tail}", f"z{tail}{group}"
            gloss = f'one {group} of sort {n} that people know; "they saw a {word} there"'
            lines.append(noun(offset, [word, twin], place + 1, gloss, fields[group]))
            senses += [f"{w}%1:06:00:: {offset:08d} 1 5" for w in (word, twin)]
    put("wordnet", "dict/data.noun", "\n".join(lines))
    put("wordnet", "dict/data.verb", "")
    put("wordnet", "dict/data.adj", "")
    put("wordnet", "dict/index.sense", "\n".join(sorted(senses)))


@pytest.mark.usefixtures("database")
def test_hypernyms(inputs: Inputs) -> None:
    made = [item for members in wordnet.hypernym(inputs, "train") for item in members]
    assert made
    for item in made:
        assert sorted(item.options) == sorted(GROUPS)
        word = item.context.split(".")[0].split()[-1]
        group = next(g for g in GROUPS if word.startswith(f"{g[0]}q") or word.endswith(g))
        assert item.options[item.gold] == group


@pytest.mark.usefixtures("database")
def test_synonyms_are_no_other_option(inputs: Inputs) -> None:
    made = [item for members in wordnet.synonym(inputs, "train") for item in members]
    assert made
    for item in made:
        word = item.context.split('"')[1]
        right = item.options[item.gold]
        assert right == f"z{word[2:]}{next(g for g in GROUPS if g[0] == word[0])}"


@pytest.mark.usefixtures("database")
def test_definitions_do_not_name_their_word(inputs: Inputs) -> None:
    made = [item for members in wordnet.definition(inputs, "test") for item in members]
    assert made
    for item in made:
        assert item.options[item.gold] not in item.context
        assert "they saw" not in item.context


@pytest.mark.usefixtures("database")
def test_parsing(inputs: Inputs) -> None:
    net = inputs.wordnet
    key = net.main_senses["tqaa", "n"]
    assert net.synsets[key].words == ("tqaa", "zaatool")
    assert net.synsets[key].examples == ("they saw a tqaa there",)
    assert net.hypernyms(key) == ["n00000001"]
    assert net.counts["tool"] == 9
    assert wordnet.WordNet(net.synsets, net.counts, {}).main_senses == {}, "each has its own"
    assert net.frequent("tool")
    assert not net.frequent("two words")
