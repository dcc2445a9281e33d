"""Benchmarks from held-out documents: the missing word, and the next sentence.

The word cloze is made as the Children's Book Test made it: a word is taken out of running text,
and the wrong options are words of the same ending and of about the same frequency. Here four such
gaps share their four words, so that a word's own frequency is of no use. In the next-sentence
benchmarks four sentences of about the same length, each from another document, are shared by the
four contexts that they follow.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from transfer.benchmarks.packages import Inputs
from transfer.benchmarks.rounds import Item, Pair, clean, crossed, rng

DOMAINS: dict[str, tuple[str, ...]] = {
    "stories": ("stories",),
    "blogs": ("blogs",),
    "howto": ("howto", "recipes"),
    "news": ("news", "xsum_news", "nyt"),
    "dialogue": ("dialogue",),
    "science": ("abstracts", "ropes_passages", "vital_articles"),
    "encyclopaedia": ("vital_articles", "squad_passages", "quoref_passages"),
    "dictionary": ("gcide",),
}

SCIENCES = {
    "Biology and health sciences",
    "Physical sciences",
    "Technology",
    "Mathematics",
}

Part = Literal["pretrain", "test", "train"]

_ENDINGS = ("ing", "tion", "ment", "ness", "ous", "est", "ed", "er", "ly", "al", "s")
_WORD = re.compile(r"(?<= )[a-z]{4,12}(?=[ ,.;:!?])")
_CONTEXT_WORDS = 45
_SPACING = 120


def _texts(inputs: Inputs, domain: str, splits: Sequence[Part]) -> list[tuple[str, str]]:
    """Return id and text, on one line, of a domain's documents, in a fixed order.

    A vital article is science if its topic is, else it belongs to the encyclopaedia.
    """
    out = []
    for stream in DOMAINS[domain]:
        for split in splits:
            frame = inputs.documents(stream, split)
            for key, text in zip(frame["id"], frame["text"], strict=True):
                title = text.split("\n", 1)[0]
                science = inputs.topics.get(title) in SCIENCES
                if stream != "vital_articles" or science == (domain == "science"):
                    out.append((key, clean(text)))
    return sorted(out)


def _ending(word: str) -> str:
    return next((ending for ending in _ENDINGS if word.endswith(ending)), "")


def word_cloze(inputs: Inputs, domain: str, splits: Sequence[Part]) -> list[list[Item]]:
    """Text up to a word, and four words of one ending and frequency band.

    Frequencies are those of the domain's documents for pretraining.
    """
    counts: Counter[str] = Counter()
    for _, text in _texts(inputs, domain, ["pretrain"])[:4000]:
        counts.update(re.findall(r"\b[a-z]{4,12}\b", text[:6000]))
    total = sum(counts.values())
    pairs = []
    for key, text in _texts(inputs, domain, splits):
        generator = rng("cloze", key)
        gaps = [
            gap
            for gap in _WORD.finditer(text)
            if gap.start() > 150 and 8 <= counts[gap[0]] < total / 1000
        ]
        generator.shuffle(gaps)
        taken: list[int] = []
        for gap in gaps:
            if all(abs(gap.start() - at) > _SPACING for at in taken):
                taken.append(gap.start())
                before = " ".join(text[: gap.start()].split()[-_CONTEXT_WORDS:])
                band = int(math.log(counts[gap[0]]) * 1.5)
                pairs.append(Pair(before, gap[0], (_ending(gap[0]), band), key))
            if len(taken) == 12:
                break
    return crossed(pairs, 4, f"cloze {domain}")


def next_sentence(inputs: Inputs, domain: str, splits: Sequence[Part]) -> list[list[Item]]:
    """Two or three sentences of a document, and four sentences of one length.

    In dialogue the sentences are turns; the context ends with the next speaker's letter.
    """
    pairs = []
    for key, text in _texts(inputs, domain, splits):
        spoken = domain == "dialogue"
        sentences = re.split(r" (?=[AB]: )" if spoken else r"(?<=[.!?]) ", text)
        generator = rng("next", key)
        for at in range(1 + generator.randrange(2), len(sentences), 2):
            following, before = sentences[at].strip(), _before(sentences[:at])
            if spoken:
                before, following = f"{before} {following[:2]}", following[2:].strip()
            plain = all(32 <= ord(letter) < 127 or letter in "’“”—–é" for letter in following)
            if 35 < len(following) < 200 and plain and len(before.split()) >= 8:
                pairs.append(Pair(before, following, len(following) // 12, key))
    return crossed(pairs, 4, f"next {domain}")


def _before(sentences: Sequence[str], most: int = 50) -> str:
    """Return the last sentences, at most three and at most so many words."""
    out: list[str] = []
    for sentence in reversed(sentences[-3:]):
        if out and sum(len(s.split()) for s in (*out, sentence)) > most:
            break
        out.insert(0, sentence)
    return " ".join(" ".join(out).split()[-most - 10 :])
