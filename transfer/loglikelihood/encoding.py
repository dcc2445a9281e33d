"""Text to token ids, with the boundaries of lm-evaluation-harness, and no text tokenised twice.

A tokenizer that splits text into words before it merges gives a text the tokens of its parts, if
it is cut where a word ends and a space and another word follow. Most contexts of a task share
their long parts, so these are tokenised once. Whether a tokenizer is of this kind is tried out on
it, and on some of the texts of every call; if not, all texts are tokenised whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from transfer.loglikelihood.tree import Encoded

_CUT = re.compile(r"(?<=[A-Za-z]) (?=[A-Za-z])")
"""A place where a word ends and a space and another word follow."""

_LINES = re.compile(r"\n[^\n]*?[A-Za-z](?= [A-Za-z])")
"""From a line break to the first such place behind it."""

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
"""Parts that are remembered."""


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
        whole = self._cut_ids(moved) if self._local else None
        if whole is None:
            whole = self._whole_ids(moved)
        alone = self._plain([rest for bare, rest in moved if not bare])
        contexts: dict[str, tuple[int, ...]] = {}
        encoded = []
        for bare, rest in moved:
            if bare:
                if bare not in contexts:
                    contexts[bare] = tuple(whole[bare, ""])
                context_ids = contexts[bare]
                encoded.append(Encoded(context_ids, tuple(whole[bare, rest][len(context_ids) :])))
            else:
                ids = alone[rest]
                encoded.append(Encoded((self.prefix,), tuple(ids[ids[:1] == [self.prefix] :])))
        return encoded

    def forget(self) -> None:
        """Forget the parts that were tokenised."""
        self._parts.clear()

    def text(self, text: str) -> list[int]:
        """Return the token ids of one text, as the beginning of a document."""
        return self._whole_ids([(text, "")])[text, ""]

    def _whole_ids(self, moved: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
        """Return the token ids of contexts and of pairs, each text tokenised whole."""
        wanted = dict.fromkeys((bare, end) for bare, rest in moved if bare for end in ("", rest))
        found: dict[tuple[str, str], list[int]] = {}
        for begins in (False, True):
            # A text that begins with the prefix gets no second one.
            special = {"add_special_tokens": False} if begins else self.special
            keys = [key for key in wanted if key[0].startswith(self.start) == begins]
            if keys:
                ids = self.tokenizer([bare + rest for bare, rest in keys], **special)["input_ids"]
                found.update(zip(keys, ids, strict=True))
        return found

    def _cut_ids(self, moved: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[int]] | None:
        """Return the same, with shared parts tokenised once; None if it is not the same."""
        heads: dict[str, tuple[list[str], str]] = {}
        wanted: dict[tuple[str, str], str] = {}
        for bare, rest in moved:
            if not bare or (bare, rest) in wanted:
                continue
            if bare not in heads:
                heads[bare] = _cut(bare)
                wanted[bare, ""] = heads[bare][1]
            wanted[bare, rest] = heads[bare][1] + rest
        self._know(part for parts, _ in heads.values() for part in parts)
        self._know(wanted.values())
        known = self._parts
        opening: dict[str, list[int]] = {}
        for bare, (parts, _) in heads.items():
            ids = [] if bare.startswith(self.start) else list(self._before)
            for part in parts:
                ids += known[part]
            opening[bare] = ids
        found = {key: opening[key[0]] + known[tail] for key, tail in wanted.items()}
        keys = list(found)
        step = max(1, len(keys) // _CHECKED)
        sample = self._whole_ids(keys[::step])
        if any(found[key] != sample[key] for key in keys[::step]):
            self._local = False
            return None
        return found

    def _know(self, texts: Iterable[str]) -> None:
        """Tokenise parts that have not been seen."""
        if len(self._parts) > _KEPT:
            self._parts.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._parts]
        if new:
            self._parts.update(self._plain(new))

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
        if any(_CUT.search(str(token)) for token in self.tokenizer.get_added_vocab()):
            return False
        for text in _TRIED:
            whole = self._plain([text])[text]
            for cut in _CUT.finditer(text):
                parts = text[: cut.start()], text[cut.start() :]
                ids = self._plain(parts)
                if ids[parts[0]] + ids[parts[1]] != whole:
                    return False
        return self.text(text) == self._added() + whole

    def _added(self) -> list[int]:
        """Return the special tokens that begin a text."""
        text = _TRIED[0]
        whole = self.text(text)
        return whole[: len(whole) - len(self._plain([text])[text])]


def _cut(text: str) -> tuple[list[str], str]:
    """Return the parts of a context that others may have too, and what is left behind them.

    The cuts are after the first word of each line, and before the last word.
    """
    last = max((m.start() for m in _CUT.finditer(text, max(0, len(text) - 120))), default=0)
    parts = []
    begin = 0
    for line in _LINES.finditer(text, 0, last + 2):
        if line.end() <= last:
            parts.append(text[begin : line.end()])
            begin = line.end()
    if begin < last:
        parts.append(text[begin:last])
        begin = last
    return parts, text[begin:]
