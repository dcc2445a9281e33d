"""Benchmarks from published tasks of text generation: which of four texts says what is given.

A text that was written for some facts or words follows from them and not from those of another
item; checking generated text against its input is a known use of inference (DocNLI, Yin et
al. 2021; Dušek and Kasner 2020). The texts come in closed rounds.
"""

from __future__ import annotations

import re

from transfer.benchmarks.packages import Inputs
from transfer.benchmarks.rounds import Item, Pair, Split, clean, crossed, words
from transfer.benchmarks.tasks import detokenized


def _texts(target: str | list[str]) -> list[str]:
    return [detokenized(text) for text in ([target] if isinstance(target, str) else target)]


def simplification(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A sentence and four simplified ones, of which one says the same; all are test items."""
    if split == "train":
        return []
    pairs = []
    for name in ("asset", "turk"):
        for example in inputs.task(f"gem/{name}"):
            source = detokenized(example["input"])
            said = [text for text in _texts(example["target"]) if text.lower() != source.lower()]
            if said and len(source.split()) < 45:
                text = min(said, key=lambda text: _overlap(text, source))
                pairs.append(
                    Pair(f"{source} In other words:", text, len(text.split()) // 5, source[:40])
                )
    return crossed(pairs, 4, "simplification")


def facts_text(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A few facts, and four texts of which one was written for them; all are test items."""
    if split == "train":
        return []
    pairs = []
    for example in inputs.task("gem/webnlg_en"):
        facts = re.findall(r"\((.*?) \| (.*?) \| (.*?)\)(?:,|$)", example["input"])
        listed = "; ".join(" ".join(fact) for fact in facts).replace("_", " ")
        listed = re.sub(r"([a-z])([A-Z])", r"\1 \2", listed)
        text = min(_texts(example["target"]), key=len)
        if 1 <= len(facts) <= 4 and (listed + text).isascii() and len(text.split()) < 35:
            about = facts[0][0]
            pairs.append(_stated(listed, text, "web", about))
    for example in inputs.task("gem/e2e_nlg"):
        listed, text = clean(example["input"]), clean(example["target"])
        name = re.match(r"name: ([^,]*)", listed)
        if name and len(text.split()) < 35 and (listed + text).isascii():
            pairs.append(_stated(listed, text, "restaurant", name[1]))
    return crossed(pairs, 4, "facts_text")


def _stated(facts: str, text: str, source: str, about: str) -> Pair:
    return Pair(f"{clean(facts)}. It follows that:", text, (source, len(text.split()) // 6), about)


def sentence_from_words(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A few everyday things and acts, and four scenes of which one has them; all are test items.

    Two scenes a set of words, in different rounds.
    """
    if split == "train":
        return []
    pairs = []
    for example in inputs.task("gem/common_gen"):
        concepts = example["input"].split()
        told = sorted(_texts(example["target"]), key=lambda text: abs(len(text.split()) - 11))
        for text in told[:2]:
            pairs.append(
                Pair(f"A scene with: {', '.join(concepts)}.", text, 0, " ".join(sorted(concepts)))
            )
    return crossed(pairs, 4, "sentence_from_words", _no_shared_words)


def _no_shared_words(one: Pair, other: Pair) -> bool:
    return not set(one.group.split()) & set(other.group.split())


def _overlap(one: str, other: str) -> float:
    a, b = set(words(one)), set(words(other))
    return len(a & b) / max(1, len(a | b))
