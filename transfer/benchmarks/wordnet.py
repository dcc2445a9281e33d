"""Benchmarks of word meaning from WordNet: hypernyms, synonyms, opposites, definitions, senses."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from transfer.benchmarks.packages import Inputs
from transfer.benchmarks.rounds import Item, Pair, Split, crossed, one_round, part, rng
from transfer.benchmarks.vocabulary import indefinite

_KINDS = {
    "05": "an animal",
    "06": "an object",
    "13": "a food",
    "15": "a place",
    "18": "a person",
    "20": "a plant",
    "27": "a substance",
    "08": "a part of the body",
    "28": "a time",
    "12": "a feeling",
    "04": "an act",
}


class Synset(NamedTuple):
    """A set of words of one meaning."""

    words: tuple[str, ...]
    definition: str
    examples: tuple[str, ...]
    pointers: tuple[tuple[str, str, str], ...]
    part: str
    field: str


@dataclass(frozen=True)
class WordNet:
    """Synsets by key (part of speech and offset), and what tagged text says of words.

    Attributes
    ----------
    synsets : dict
    counts : Counter
        How often a word was tagged.
    main_senses : dict
        The synset in which a word is most often used, by word and part of speech.
    """

    synsets: dict[str, Synset]
    counts: Counter[str]
    main_senses: dict[tuple[str, str], str]

    def frequent(self, word: str, least: int = 2) -> bool:
        """Return whether a word is one lower-case word, tagged at least so often."""
        return word.isalpha() and word.islower() and len(word) > 2 and self.counts[word] >= least

    def hypernyms(self, key: str) -> list[str]:
        """Return the keys of the direct hypernyms."""
        return [
            target_part + offset
            for kind, offset, target_part in self.synsets[key].pointers
            if kind == "@"
        ]

    def ancestors(self, key: str) -> set[str]:
        """Return the keys of all hypernyms, near and far."""
        found: set[str] = set()
        waiting = self.hypernyms(key)
        while waiting:
            one = waiting.pop()
            if one not in found and one in self.synsets:
                found.add(one)
                waiting += self.hypernyms(one)
        return found

    def band(self, word: str) -> int:
        """Return the frequency band of a word, about a factor of four wide."""
        return int(math.log(1 + self.counts[word], 4))


def read(inputs: Inputs) -> WordNet:
    """Return WordNet as parsed from its database files."""
    synsets: dict[str, Synset] = {}
    for kind in ("noun", "verb", "adj"):
        for line in inputs.member("wordnet", f"dict/data.{kind}").splitlines():
            if line.startswith(" ") or not line:
                continue
            data, _, gloss = line.partition(" | ")
            fields = data.split()
            size = int(fields[3], 16)
            at = 4 + 2 * size
            links = int(fields[at])
            synsets[kind[0] + fields[0]] = Synset(
                words=tuple(
                    re.sub(r"\(.*\)", "", fields[4 + 2 * i]).replace("_", " ") for i in range(size)
                ),
                definition=re.sub(r';? *".*', "", gloss).strip(),
                examples=tuple(re.findall(r'"([^"]{12,})"', gloss)),
                pointers=tuple(
                    (fields[at + 1 + 4 * i], fields[at + 2 + 4 * i], fields[at + 3 + 4 * i])
                    for i in range(links)
                ),
                part=kind[0],
                field=fields[1],
            )
    counts: Counter[str] = Counter()
    first: dict[tuple[str, str], str] = {}
    parts = {"1": "n", "2": "v", "3": "a", "5": "a"}
    for line in inputs.member("wordnet", "dict/index.sense").splitlines():
        key, offset, number, count = line.split()
        word, _, sense = key.partition("%")
        word = word.replace("_", " ")
        counts[word] += int(count)
        # The files number senses by use.
        if number == "1" and sense[0] in parts:
            first[word, parts[sense[0]]] = parts[sense[0]] + offset
    return WordNet(synsets, counts, first)


def _main(net: WordNet, part_of_speech: str, least: int) -> list[tuple[str, str]]:
    """Return frequent words with the synset of their main sense."""
    return [
        (word, key)
        for (word, kind), key in sorted(net.main_senses.items())
        if kind == part_of_speech and net.frequent(word, least) and key in net.synsets
    ]


def hypernym(inputs: Inputs, split: Split) -> list[list[Item]]:
    """It is a sparrow. It follows that this is a kind of -> bird."""
    net: WordNet = inputs.wordnet
    pairs = []
    for word, key in _main(net, "n", 1):
        if part(word, 2) != split:
            continue
        for above in net.hypernyms(key)[:1]:
            names = [w for w in net.synsets[above].words if net.frequent(w, 3) and w != word]
            if names and word not in names[0]:
                pairs.append(
                    Pair(
                        f"This is {indefinite(word)}. It follows that this is a kind of",
                        names[0],
                        "noun",
                        f"{word}|{key}",
                    )
                )

    def apart(one: Pair, other: Pair) -> bool:
        return not any(
            other_answer in {w for k in net.ancestors(a_key) for w in net.synsets[k].words}
            for a_key, other_answer in (
                (one.group.split("|")[1], other.answer),
                (other.group.split("|")[1], one.answer),
            )
        )

    return crossed(pairs, 3, "hypernym", apart)


def word_kind(inputs: Inputs, split: Split) -> list[list[Item]]:
    """What is a sparrow? A sparrow is -> an animal."""
    net: WordNet = inputs.wordnet
    pairs = []
    for word, key in _main(net, "n", 1):
        label = _KINDS.get(net.synsets[key].field)
        if label and part(word, 2) == split:
            pairs.append(
                Pair(
                    f"What is {indefinite(word)}? {indefinite(word).capitalize()} is",
                    label,
                    0,
                    word,
                )
            )
    return crossed(_level(pairs, "word_kind"), 4, "word_kind")


def _level(pairs: list[Pair], seed: str) -> list[Pair]:
    """Return pairs cut so that no answer is more frequent than twice the median one."""
    counts = Counter(pair.answer for pair in pairs)
    limit = 2 * sorted(counts.values())[len(counts) // 2]
    kept: Counter[str] = Counter()
    out = []
    pairs = sorted(pairs, key=lambda pair: pair.context)
    rng(seed).shuffle(pairs)
    for pair in pairs:
        kept[pair.answer] += 1
        if kept[pair.answer] <= limit:
            out.append(pair)
    return out


def synonym(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A word that means the same as "big" is -> large."""
    net: WordNet = inputs.wordnet
    pairs = []
    for key, synset in sorted(net.synsets.items()):
        names = [word for word in synset.words if net.frequent(word, 1)]
        if len(names) < 2 or part(key, 2) != split:
            continue
        for asked in names[:1]:
            meant = names[1]
            if asked[:4] != meant[:4]:
                pairs.append(
                    Pair(
                        f'A word that means the same as "{asked}" is',
                        meant,
                        (synset.part, net.band(meant)),
                        key,
                    )
                )

    def apart(one: Pair, other: Pair) -> bool:
        return other.answer not in _all_synonyms(net, one) and one.answer not in _all_synonyms(
            net, other
        )

    return crossed(pairs, 4, "synonym", apart)


def _all_synonyms(net: WordNet, pair: Pair) -> set[str]:
    return set(net.synsets[pair.group].words)


def definition(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A large bird that ... is called -> an ostrich; words of one field and frequency band."""
    net: WordNet = inputs.wordnet
    pairs = []
    for word, key in _main(net, "n", 2):
        synset = net.synsets[key]
        gloss = re.sub(r"\(.*?\)|;.*", "", synset.definition).strip()
        if part(word, 2) != split or not 20 < len(gloss) < 120 or word[:5] in gloss:
            continue
        pairs.append(Pair(f"The word for this: {gloss}. The word is", word, net.band(word), word))
    return crossed(pairs, 4, "definition")


def antonym(inputs: Inputs, split: Split) -> list[list[Item]]:
    """The opposite of hot is -> cold."""
    net: WordNet = inputs.wordnet
    pairs = []
    for _, synset in sorted(net.synsets.items()):
        for kind, offset, other_part in synset.pointers:
            other = net.synsets.get(other_part + offset)
            if kind != "!" or other is None:
                continue
            one, two = synset.words[0], other.words[0]
            if net.frequent(one, 1) and net.frequent(two, 1):
                group = " ".join(sorted((one, two)))
                if part(group, 5) == split:
                    pairs.append(Pair(f'The opposite of "{one}" is', two, (synset.part,), group))
    return crossed(pairs, 4, "antonym")


def same_sense(inputs: Inputs, split: Split) -> list[list[Item]]:
    """Two uses of a word: the same meaning or not, one round a word."""
    net: WordNet = inputs.wordnet
    uses: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for key, synset in sorted(net.synsets.items()):
        for example in synset.examples:
            for word in synset.words:
                if " " not in word and re.search(rf"\b{re.escape(word)}(s|ed|ing|d)?\b", example):
                    uses.setdefault((word, synset.part), []).append((key, example))
    rounds = []
    for (word, kind), found in sorted(uses.items()):
        if part(word, 2) != split:
            continue
        by_sense: dict[str, list[str]] = {}
        for key, example in found:
            by_sense.setdefault(key, []).append(example)
        same = [examples for examples in by_sense.values() if len(examples) > 1]
        if not same or len(by_sense) < 2:
            continue
        first, second = same[0][:2]
        third = next(examples[0] for examples in by_sense.values() if examples is not same[0])
        rounds.append(
            one_round(
                [
                    f'1. {first}. 2. {use}. Does "{word}" mean the same in both?'
                    for use in (second, third)
                ],
                ["yes", "no"],
                f"{word} {kind}",
                "same_sense",
            )
        )
    rng("same_sense").shuffle(rounds)
    return rounds
