"""From benchmark items to requests, and from the values of requests to the items table."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from transfer.errors import BadInput
from transfer.loglikelihood import Checkpoint, Encoded

Items = Sequence[Mapping[str, Any]]


class Requests:
    """All that benchmarks ask of checkpoints with one tokenizer.

    The requests are those that lm-evaluation-harness makes of the task files: the context, and each
    option after a space; with the chat template, the context as the user's turn and each option as
    the beginning of the answer. The second half of them are the options alone, after an empty
    context. In a chat lm-evaluation-harness takes these without the space; here they keep it, so
    that an option has the same tokens in both.

    Parameters
    ----------
    checkpoint
        Its tokenizer and chat template are used.
    benchmarks
        The items of each benchmark by name: mappings with `id`, `context`, `options` and `gold`.
    chat
        Whether contexts are put into the chat template, or the names of the benchmarks whose are.

    Attributes
    ----------
    encoded : list of Encoded
        The token ids: every option after its context, then every option alone.
    build_seconds, tokenise_seconds : float
        What it took.

    Raises
    ------
    BadInput
        If there are no items, one cannot be read, or an option has no tokens.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        benchmarks: Mapping[str, Items],
        chat: bool | Collection[str] = False,
    ) -> None:
        begun = time.perf_counter()
        self.benchmarks = benchmarks
        self.options: list[str] = []
        # The item of every option, and the number of options of every item.
        self.owners: list[tuple[str, Any]] = []
        self.sizes: list[int] = []
        pairs: list[tuple[str, str]] = []
        for name, items in benchmarks.items():
            asked = chat if isinstance(chat, bool) else name in chat
            if not items:
                raise BadInput(f"benchmark {name}: no items; build it again")
            for number, row in enumerate(items):
                options = _options(f"benchmark {name}", number, row)
                context = checkpoint.chat(row["context"]) if asked else row["context"]
                space = "" if asked else " "
                pairs.extend((context, space + option) for option in options)
                self.options.extend(options)
                self.owners.extend((name, row["id"]) for _ in options)
                self.sizes.append(len(options))
        built = time.perf_counter()
        conditional = checkpoint.encode(pairs)
        alone = checkpoint.encode(
            [("", " " + option.removeprefix(" ")) for _, option in pairs],
        )
        self.encoded: list[Encoded] = [*conditional, *alone]
        for at, request in enumerate(self.encoded):
            if not request.continuation:
                raise BadInput(
                    f"{self.where(at)}: option {pairs[at % len(pairs)][1]!r} has no token of its "
                    "own; mend the option or the tokenizer"
                )
        self.build_seconds, self.tokenise_seconds = built - begun, time.perf_counter() - built

    def where(self, request: int) -> str:
        """Return the benchmark and item of a request, for a message."""
        name, item = self.owners[request % len(self.owners)]
        return f"benchmark {name}, item {item!r}"

    def digest(self) -> str:
        """Return a hash of the token ids: of items, order, prompts and tokenizer."""
        found = hashlib.sha256()
        for context, continuation in self.encoded:
            found.update(np.array([len(context), *context, *continuation], dtype="<u4").tobytes())
        return found.hexdigest()

    def table(self, values: np.ndarray) -> pd.DataFrame:
        """Return the items table.

        Parameters
        ----------
        values : array, (request)
            Log-likelihoods in nats.

        Returns
        -------
        DataFrame
            One row an item: `benchmark, item, gold`, and one list entry an option of
            `loglikelihood` (nats), `n_tokens`, `n_bytes` (of the option without the space before
            it) and `unconditional` (nats, the option alone).
        """
        count = len(self.options)
        lists = {
            "loglikelihood": values[:count].astype(np.float32),
            "n_tokens": np.array(
                [len(pair.continuation) for pair in self.encoded[:count]], dtype=np.int32
            ),
            "n_bytes": np.array([len(option.encode()) for option in self.options], dtype=np.int32),
            "unconditional": values[count:].astype(np.float32),
        }
        ends = np.cumsum(self.sizes)[:-1]
        rows = [(name, row) for name, items in self.benchmarks.items() for row in items]
        return pd.DataFrame(
            {
                "benchmark": [name for name, _ in rows],
                "item": [row["id"] for _, row in rows],
                "gold": np.array([row["gold"] for _, row in rows], dtype=np.int32),
            }
            | {column: np.split(entries, ends) for column, entries in lists.items()}
        )


class RequestsOf:
    """The requests of a set of benchmarks, made once for all checkpoints with one tokenizer.

    Parameters
    ----------
    benchmarks
        Items by name.
    """

    def __init__(self, benchmarks: Mapping[str, Items]) -> None:
        self.benchmarks = benchmarks
        self._made: dict[tuple[str, frozenset[str]], Requests] = {}

    def __call__(
        self, checkpoint: Checkpoint, chat: bool | Collection[str]
    ) -> tuple[Requests, bool]:
        """Return the requests for a checkpoint, and whether they had to be made."""
        asked = frozenset((self.benchmarks if chat else ()) if isinstance(chat, bool) else chat)
        key = (checkpoint.tokenizer_hash(), asked)
        new = key not in self._made
        if new:
            self._made[key] = Requests(checkpoint, self.benchmarks, chat)
        return self._made[key], new


def _options(where: str, number: int, row: Mapping[str, Any]) -> list[str]:
    """Return the options of an item, or raise."""
    name = row.get("id")
    if not isinstance(name, str):
        raise BadInput(f"{where}, item number {number}: id is {name!r}; give a string")
    where = f"{where}, item {name!r}"
    for key in ("context", "options", "gold"):
        if row.get(key) is None:
            raise BadInput(f"{where}: lacks {key}; build it again")
    context, options, gold = row["context"], row["options"], row["gold"]
    if not isinstance(context, str):
        raise BadInput(f"{where}: context is {context!r}; give a string")
    if isinstance(options, str) or not isinstance(options, Iterable):
        raise BadInput(f"{where}: options is {options!r}; give a list of strings")
    options = list(options)
    for at, option in enumerate(options):
        if not isinstance(option, str):
            raise BadInput(f"{where}: option {at} is {option!r}; give a string")
        if not option:
            raise BadInput(f"{where}: option {at} is empty; mend the item")
    if (
        not isinstance(gold, Integral)
        or isinstance(gold, bool)
        or not 0 <= int(gold) < len(options)
    ):
        raise BadInput(
            f"{where}: gold is no option ({gold!r}); give the number of the right one, from 0 to "
            f"{len(options) - 1}"
        )
    return options
