"""Items, and the closed rounds that most of them come in.

A *round* is a set of k contexts that share the same k options, each option being the right one of
exactly one context. Whatever a reader knows of the options alone (their length, frequency, or how
they read), it answers exactly one item in k of each round: no artefact of the options can lift it
above chance. The gold positions are uniform for the same reason.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar
from zlib import crc32

Split = Literal["test", "train"]


@dataclass(frozen=True)
class Item:
    """One question: a context, its options, and the index of the right one.

    `group` names what may not be shared between the splits, such as a passage or a key word.
    """

    context: str
    options: tuple[str, ...]
    gold: int
    group: str

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of context and options: the same on any machine."""
        text = "\x1f".join((self.context, *self.options))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Pair:
    """A context and its right answer, to be closed into a round with others of its kind.

    `kind` holds what the options of one round must share, such as length or frequency.
    """

    context: str
    answer: str
    kind: Hashable
    group: str


def part(key: str, test_fifths: int = 1) -> Split:
    """Return the split of a key: `test_fifths` fifths of all keys by CRC-32 are test."""
    return "test" if crc32(key.encode()) % 5 < test_fifths else "train"


def rng(*seed: object) -> random.Random:
    """Return a generator that depends only on the values given."""
    return random.Random(hashlib.sha256(repr(seed).encode()).hexdigest())


def clean(text: str) -> str:
    """Return text on one line with single spaces."""
    return " ".join(text.split())


def words(text: str) -> list[str]:
    """Return the lower-case words of a text."""
    return re.findall(r"[a-z0-9']+", text.lower())


def one_round(
    contexts: Sequence[str], options: Sequence[str], group: str, seed: object = 0
) -> list[Item]:
    """Return the items of a round, where `contexts[i]` is answered by `options[i]`.

    The options stand in one shuffled order for all items of the round.
    """
    order = list(range(len(options)))
    rng(seed, group, tuple(contexts)).shuffle(order)
    shown = tuple(options[index] for index in order)
    return [Item(contexts[index], shown, place, group) for place, index in enumerate(order)]


def crossed(
    pairs: Iterable[Pair],
    size: int,
    seed: object,
    apart: Callable[[Pair, Pair], bool] | None = None,
) -> list[list[Item]]:
    """Return rounds closed from pairs of one kind, every pair used at most once.

    Parameters
    ----------
    pairs
        Contexts with their answers.
    size
        Options a round.
    seed
        The pairs are shuffled by it; the result depends on nothing else.
    apart
        Says whether two pairs may meet, where different answers are not enough.
    """
    by_kind: dict[Hashable, list[Pair]] = {}
    for pair in pairs:
        by_kind.setdefault(pair.kind, []).append(pair)
    rounds = []
    for kind in sorted(by_kind, key=repr):
        waiting = sorted(by_kind[kind], key=lambda pair: (pair.context, pair.answer))
        rng(seed, kind).shuffle(waiting)
        open_rounds: list[list[Pair]] = []
        for pair in waiting:
            for members in open_rounds[:200]:
                if all(_meet(pair, other, apart) for other in members):
                    members.append(pair)
                    if len(members) == size:
                        open_rounds.remove(members)
                        rounds.append(members)
                    break
            else:
                open_rounds.append([pair])
    rng(seed, "rounds").shuffle(rounds)
    return [
        one_round(
            [pair.context for pair in members],
            [pair.answer for pair in members],
            "|".join(sorted(pair.group for pair in members)),
            seed,
        )
        for members in rounds
    ]


def _meet(one: Pair, other: Pair, apart: Callable[[Pair, Pair], bool] | None) -> bool:
    return (
        one.answer.lower() != other.answer.lower()
        and one.context != other.context
        and one.group != other.group
        and (apart is None or apart(one, other))
    )


T = TypeVar("T")


def shuffled(values: Iterable[T], *seed: object) -> list[T]:
    """Return the values in an order that depends only on them and the seed."""
    out = list(values)
    rng(*seed).shuffle(out)
    return out


def chosen(item: tuple[str, Sequence[str], int], group: str, seed: object = 0) -> Item:
    """Return a lone item with its options shuffled by a hash of its context."""
    context, options, gold = item
    order = list(range(len(options)))
    rng(seed, context, tuple(options)).shuffle(order)
    return Item(context, tuple(options[i] for i in order), order.index(gold), group)
