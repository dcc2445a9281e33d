"""Text to token ids, with the boundaries of lm-evaluation-harness, and no text tokenised twice.

A tokenizer that splits text into words before it merges gives a text the tokens of its parts, if
it is cut where a word ends and a space and another word follow. Most contexts of a task share
their long parts, so these are tokenised once. Whether a tokenizer is of this kind is seen from its
tokens, tried out on it, and on some of the texts of every call; if not, all texts are tokenised
whole.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from transfer.heap import uncollected
from transfer.loglikelihood.tree import Encoded

_CUT = re.compile(r"(?<=[A-Za-z])(?= [A-Za-z])")
"""A place where a word ends and a space and another word follow."""

_ACROSS = re.compile("[A-Za-z][ \u0120\u2581]")
"""What a token has that may hold such a place; two of the marks stand for a space."""

_LETTERS = frozenset(string.ascii_letters)

_TRIED = (
    "The cat sat on the mat",
    "it's what they've done, isn't it so",
    "in 1984 or 12,345 ways of x to go",
    "one\ntwo three\n\n four five\t six  seven eight",
    "Caf\u00e9 au lait (or \u4e2d\u6587 text) is what I said: yes and no",
    "CamelCase OR upper CASE or a b c d",
)

_CHECKED = 8
"""Texts of every call that are tokenised whole as well."""

_KEPT = 200_000
"""Parts that are remembered after a call."""


class Encoder:
    """Token ids of pairs of context and continuation.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers.
    prefix
        The token that stands for an empty context.
    special
        Whether the tokenizer's special tokens are added; None leaves it to the tokenizer.
    """

    def __init__(self, tokenizer: Any, prefix: int, special: bool | None = None) -> None:
        self.tokenizer, self.prefix = tokenizer, prefix
        self.special = {} if special is None else {"add_special_tokens": special}
        self.start = tokenizer.decode([prefix])
        self._parts: dict[str, list[int]] = {}
        self._local = self._is_local()
        self._before = self._added() if self._local else []

    @uncollected()
    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
        """Return the token ids of pairs of context and continuation.

        Spaces at the end of a context belong to the continuation. The two are encoded together
        and cut after as many tokens as the context alone has. An empty context is the token that
        begins a text. A continuation may come out empty.
        """
        moved = []
        for context, continuation in pairs:
            bare = context.rstrip()
            moved.append((bare, context[len(bare) :] + continuation))
        found = self._by_parts(moved) if self._local else None
        if found is None:
            found = self._by_texts(moved)
        alone = self._plain([rest for bare, rest in moved if not bare])
        for rest, ids in alone.items():
            ids = ids[1:] if ids[:1] == [self.prefix] else ids
            found["", rest] = Encoded((self.prefix,), tuple(ids))
        return [found[pair] for pair in moved]

    def forget(self) -> None:
        """Forget the parts that were tokenised."""
        self._parts.clear()

    def text(self, text: str) -> list[int]:
        """Return the token ids of one text, as the beginning of a document."""
        return list(self._whole([text])[text])

    def _by_texts(self, moved: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Encoded]:
        """Return what pairs come to, each text tokenised whole; not those without context."""
        pairs = dict.fromkeys(pair for pair in moved if pair[0])
        ids = self._whole([text for bare, rest in pairs for text in (bare, bare + rest)])
        return {
            (bare, rest): Encoded(ids[bare], ids[bare + rest][len(ids[bare]) :])
            for bare, rest in pairs
        }

    def _whole(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return the token ids of texts, each as the beginning of a document."""
        found: dict[str, tuple[int, ...]] = {}
        for begins in (False, True):
            # A text that begins with the prefix gets no second one.
            special = {"add_special_tokens": False} if begins else self.special
            some = [t for t in dict.fromkeys(texts) if t.startswith(self.start) == begins]
            if some:
                ids = self.tokenizer(some, **special)["input_ids"]
                found.update(zip(some, map(tuple, ids), strict=True))
        return found

    def _by_parts(self, moved: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Encoded] | None:
        """Return the same, with shared parts tokenised once; None if it is not the same."""
        known = self._parts
        heads: dict[str, tuple[list[str], str]] = {}
        tails: dict[tuple[str, str], str] = {}
        for pair in moved:
            bare, rest = pair
            if bare and pair not in tails:
                if bare not in heads:
                    heads[bare] = _cut(bare)
                tails[pair] = heads[bare][1] + rest
        texts = chain(tails.values(), *((*parts, tail) for parts, tail in heads.values()))
        known.update(self._plain([text for text in texts if text not in known]))
        contexts: dict[str, tuple[tuple[int, ...], int]] = {}
        for bare, (parts, tail) in heads.items():
            before = [] if bare.startswith(self.start) else self._before
            ids = (*before, *chain.from_iterable(known[part] for part in (*parts, tail)))
            contexts[bare] = ids, len(known[tail])
        found = {}
        for pair, tail in tails.items():
            ids, own = contexts[pair[0]]
            found[pair] = Encoded(ids, tuple(known[tail][own:]))
        if len(known) > _KEPT:
            self.forget()
        some = list(found)[:: max(1, len(found) // _CHECKED)]
        if any(found[pair] != encoded for pair, encoded in self._by_texts(some).items()):
            self._local = False
            return None
        return found

    def _plain(self, texts: Sequence[str]) -> dict[str, list[int]]:
        """Return token ids without special tokens."""
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return {}
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None or not self._local:
            ids = self.tokenizer(distinct, add_special_tokens=False)["input_ids"]
        else:
            backend.no_truncation()
            backend.no_padding()
            ids = [e.ids for e in backend.encode_batch_fast(distinct, add_special_tokens=False)]
        return dict(zip(distinct, ids, strict=True))

    def _is_local(self) -> bool:
        """Return whether a text has the tokens of its parts."""
        self._local = False
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None or backend.pre_tokenizer is None:
            return False
        if any(_ACROSS.search(str(token)) for token in self.tokenizer.get_vocab()):
            return False
        for text in _TRIED:
            whole = self._plain([text])[text]
            parts = _CUT.split(text)
            ids = self._plain(parts)
            if list(chain.from_iterable(ids[part] for part in parts)) != whole:
                return False
        return self.text(text) == self._added() + whole

    def _added(self) -> list[int]:
        """Return the special tokens that begin a text."""
        text = _TRIED[0]
        whole = self.text(text)
        return whole[: len(whole) - len(self._plain([text])[text])]


def _cut(text: str) -> tuple[list[str], str]:
    """Return the parts of a context that others may have too, and what is left behind them.

    The cuts are before the last word of each line.
    """
    parts = []
    begin = end = 0
    while end < len(text):
        line, end = end, text.find("\n", end + 1)
        if end < 0:
            end = len(text)
        space = text.rfind(" ", line, end)
        while space > line and not (
            text[space - 1] in _LETTERS and text[space + 1 : space + 2] in _LETTERS
        ):
            space = text.rfind(" ", line, space)
        if space > line:
            parts.append(text[begin:space])
            begin = space
    return parts, text[begin:]
