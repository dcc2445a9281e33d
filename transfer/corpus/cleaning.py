"""Rules a document must pass: long enough, English (or plain ASCII code), not seen before."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

SHORTEST = 60
SHINGLE = 8
_WORD = re.compile(r"\w+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_FREQUENT_WORDS = """
the of and to in a is that for it as was with be by on not he i this are or his from at which but
have an had they you were there one all we can her has if will their so no would what about who
get go me when make like time just know take into your good some could them see other than then
now look only come its over think also back after use two how our work first well way even new
want because any these give day most us
"""
_FREQUENT = frozenset(_FREQUENT_WORDS.split())


def cleaned(text: str) -> str:
    """Return text without control characters, odd spaces, and empty margins."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\xa0", " ").replace("\t", "    "))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" +$", "", text, flags=re.M)).strip("\n ")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, punctuation left out."""
    return _WORD.findall(text.lower())


def is_english(text: str, tokens: Sequence[str]) -> bool:
    """Return whether frequent English words make up 18 % of a text and ASCII 95 % of it.

    Both are measured on its beginning: 800 words and 4,000 characters. A text of under 12 words
    is not judged English.
    """
    start = tokens[:800]
    if len(start) < 12 or not _mostly_ascii(text[:4000], 0.95):
        return False
    return sum(token in _FREQUENT for token in start) > 0.18 * len(start)


def is_plain_code(text: str) -> bool:
    """Return whether 98 % of the first 5,000 characters of code are ASCII."""
    return _mostly_ascii(text[:5000], 0.98)


class Deduplicator:
    """Remembers what it was shown and tells whether a text is nearly all there already.

    A text counts as a duplicate when its words equal those of an earlier text, or when more than
    half of its sampled runs of eight words (one in four, chosen by hash) stand in earlier texts.
    """

    def __init__(self) -> None:
        self._texts: set[int] = set()
        self._shingles: set[int] = set()
        self._codes = WordCodes()

    def is_new(self, tokens: Sequence[str]) -> bool:
        """Return whether a text is new, and remember it if so."""
        whole = hash_of(" ".join(tokens))
        if whole in self._texts:
            return False
        sample = self._sample(tokens)
        if sample and sum(shingle in self._shingles for shingle in sample) > 0.5 * len(sample):
            return False
        self._texts.add(whole)
        self._shingles.update(sample)
        return True

    def _sample(self, tokens: Sequence[str]) -> list[int]:
        hashes = shingle_hashes(self._codes.of(tokens), SHINGLE)
        return hashes[hashes >> np.uint64(62) == 0].tolist()


def shingle_hashes(codes: Sequence[int], length: int) -> np.ndarray:
    """Return a 64-bit hash of every run of `length` codes; shape (len(codes) - length + 1,)."""
    array = np.array(codes, dtype=np.uint64)
    count = len(array) - length + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    hashes = np.zeros(count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(length):
            hashes = (hashes ^ array[offset : offset + count]) * _MULTIPLIER
            hashes ^= hashes >> np.uint64(29)
    return hashes


def hash_of(text: str) -> int:
    """Return a 64-bit hash of a text that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _mostly_ascii(text: str, share: float) -> bool:
    return text.isascii() or sum(map(str.isascii, text)) > share * len(text)


class WordCodes(dict[str, int]):
    """64-bit hashes of words, each computed once."""

    def __missing__(self, word: str) -> int:
        code = self[word] = hash_of(word)
        return code

    def of(self, tokens: Sequence[str]) -> list[int]:
        """Return the code of every word of a sequence."""
        return [self[token] for token in tokens]
