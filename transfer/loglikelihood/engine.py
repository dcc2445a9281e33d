"""Log-likelihoods of requests under a model, every token of their tree run once."""

from __future__ import annotations

import contextlib
import gc
import inspect
import itertools
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from transfer.heap import uncollected
from transfer.loglikelihood.attention import (
    NAME,
    Stems,
    StoppedError,
    TreeAttention,
    UnsupportedAttentionError,
)
from transfer.loglikelihood.choice import LAST, Manner, choose
from transfer.loglikelihood.devices import Coming, on
from transfer.loglikelihood.heads import targets_of
from transfer.loglikelihood.narrow import READ_AT_MOST, narrowed, reading
from transfer.loglikelihood.packing import Pack, packs, side_by_side, subtree_sizes
from transfer.loglikelihood.positions import Positions
from transfer.loglikelihood.products import by_onednn
from transfer.loglikelihood.tree import Encoded, Node, length, plant, truncated

PACK_TOKENS = {"cpu": 3072, "other": 8192}
"""Tokens that are run at a time."""

LEAST_TOKENS = 256
"""Tokens of a pack below which it is not cut further to keep all cores busy."""

FEW_PACKS = 16
"""Packs of a call up to which their size is searched: the least that needs no further pack."""

LOGIT_BYTES = {"cpu": 2**24, "other": 2**28}
"""Logits held at a time, in bytes of float32: on a CPU, what stays in its cache."""

log = logging.getLogger(__name__)


class Scores(NamedTuple):
    """What came of requests, in their order.

    Attributes
    ----------
    loglikelihood : array of float64, (request)
        Of the continuation, in nats, summed over its tokens.
    greedy : array of bool, (request)
        Whether every token of it is the most likely one.
    """

    loglikelihood: np.ndarray
    greedy: np.ndarray


class _Pass(NamedTuple):
    """What a pack gives.

    `predicted` counts the places that were read, `reads` are (request, order, target) of what they
    predict, and `coming` of each target its log-probability, and whether no token is likelier.
    """

    predicted: int
    reads: np.ndarray
    coming: Coming


class Usage(NamedTuple):
    """What a call took.

    `asked` are the tokens that one forward pass a request would run, `run` those that were run,
    `predicted` the places where the head was run, `truncated` the requests that were shortened.
    """

    asked: int = 0
    run: int = 0
    predicted: int = 0
    truncated: int = 0


class Engine:
    """A causal model of transformers, ready to score.

    Parameters
    ----------
    model
        In evaluation mode, on its device.
    longest
        Tokens that it reads.
    way
        How attention over the tree is computed (`transfer.loglikelihood.attention.WAYS`), or
        `plain`: every distinct request by itself. None takes what suits the device. A way that does
        not give what the model's own forward pass gives on a few made-up requests is not taken.
    pack_tokens
        Tokens that are run at a time; `PACK_TOKENS` when None. It is halved when memory runs out.
    threads
        Forward passes that are run side by side on a CPU, each on one core; as many as PyTorch has
        threads when None.

    Attributes
    ----------
    manner : Manner
        How the model is run.
    usage : Usage
        What the last call took.

    Raises
    ------
    BadInput
        If there is no such way.
    """

    def __init__(
        self,
        model: Any,
        longest: int,
        way: str | None = None,
        pack_tokens: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.model, self.longest = model, longest
        self.usage = Usage()
        kind = "cpu" if model.device.type == "cpu" else "other"
        self.pack_tokens, self._logit_bytes = pack_tokens or PACK_TOKENS[kind], LOGIT_BYTES[kind]
        self._ahead = 1 if model.device.type == "cuda" else 0
        self._positions = Positions(model)
        self._threads = torch.get_num_threads() if threads is None else threads
        if kind != "cpu" or self._positions.scaled:
            self._threads = 1
        self.manner = choose(model, way, longest, self._positions, self._in_manner)

    @property
    def way(self) -> str:
        """How attention over the tree is computed, or `plain`."""
        return self.manner.way

    def _in_manner(self, manner: Manner, encoded: Sequence[Encoded]) -> np.ndarray:
        self.manner = manner
        return self(encoded).loglikelihood

    def __call__(self, encoded: Sequence[Encoded]) -> Scores:
        """Return the scores of requests.

        Where context and continuation are longer than the model reads, the context loses its
        first tokens. NaN comes back as NaN.
        """
        values, greedy = np.zeros(len(encoded)), np.zeros(len(encoded), dtype=bool)
        for numbers, scores in self.stream(encoded):
            values[numbers], greedy[numbers] = scores
        return Scores(values, greedy)

    def stream(self, encoded: Sequence[Encoded]) -> Iterator[tuple[np.ndarray, Scores]]:
        """Yield the numbers of the requests that a forward pass completed, and their scores."""
        self.usage = Usage(
            asked=sum(length(request, self.longest) for request in encoded),
            truncated=truncated(encoded, self.longest),
        )
        for left, as_tree in self._positions.parts(encoded, self.longest):
            manner = self.manner if as_tree or self.way == "plain" else LAST
            spoilt = []
            for numbers, scores in self._part(encoded, left, manner):
                # PyTorch's attention adds a mask, and with it a NaN that is masked: one request
                # may have spoilt others.
                wrong = np.isnan(scores.loglikelihood) & (manner.way == "chunks")
                spoilt.append(numbers[wrong])
                yield numbers[~wrong], Scores(*(values[~wrong] for values in scores))
            if again := sorted(itertools.chain(*spoilt)):
                yield from self._part(encoded, np.array(again), LAST)

    def _part(
        self, encoded: Sequence[Encoded], left: np.ndarray, manner: Manner
    ) -> Iterator[tuple[np.ndarray, Scores]]:
        """Yield what `stream` does, for the requests of some numbers."""
        while len(left):
            done = np.zeros(len(left), dtype=bool)
            try:
                some = [encoded[number] for number in left.tolist()]
                for numbers, scores in self._once(some, manner):
                    done[numbers] = True
                    yield left[numbers], scores
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error) or self.pack_tokens < 2:
                    raise
                self.pack_tokens //= 2
                log.warning("out of memory: going on with %d tokens a pass", self.pack_tokens)
            else:
                break
            left = left[~done]
            gc.collect()
            if self.model.device.type == "cuda":
                torch.cuda.empty_cache()

    def _once(
        self, encoded: Sequence[Encoded], manner: Manner
    ) -> Iterator[tuple[np.ndarray, Scores]]:
        """Yield requests as their last token is read."""
        with uncollected():
            roots = plant(encoded, self.longest, shared=manner.way != "plain")
        values, greedy = np.zeros(len(encoded)), np.ones(len(encoded), dtype=bool)
        missing = np.array([len(request.continuation) for request in encoded])
        for pack, (predicted, reads, coming) in self._passes(roots, manner):
            self.usage = self.usage._replace(
                run=self.usage.run + pack.size, predicted=self.usage.predicted + predicted
            )
            if not predicted:
                continue
            found, best = coming.arrays()
            np.add.at(values, reads[:, 0], found.astype(np.float64))
            np.logical_and.at(greedy, reads[:, 0], best)
            np.subtract.at(missing, reads[:, 0], 1)
            touched = np.unique(reads[:, 0])
            done = touched[missing[touched] == 0]
            yield done, Scores(values[done], greedy[done])

    def _passes(self, roots: Sequence[Node], manner: Manner) -> Iterator[tuple[Pack, _Pass]]:
        """Yield the packs in their order, and what was read in them.

        On a CPU several are run side by side, each on one core: small matrices do not keep many
        cores busy, and every operation would wait for the slowest of them.
        """
        threads = self._threads if manner.way == "blocks" else 1
        if torch.is_autocast_enabled("cpu"):
            threads = 1
        plain = manner.way == "plain"
        made = self._cut_plain(roots, manner) if plain else self._cut(roots, threads)
        stems = Stems(made)

        def run(pack: Pack) -> _Pass:
            try:
                return self._read(pack, stems, manner)
            except BaseException as error:
                stems.fail(error)
                raise

        with contextlib.ExitStack() as prepared:
            if not plain:
                prepared.enter_context(_implementation(self.model, NAME))
                prepared.enter_context(by_onednn(self.model, sum(pack.size for pack in made)))
            if manner.narrow:
                prepared.enter_context(narrowed(self.model))
            if threads == 1 or len(made) == 1:
                # A GPU computes a pack while the next is made ready.
                yield from _behind(((pack, run(pack)) for pack in made), self._ahead)
                return
            before = torch.get_num_threads()
            pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
            try:
                yield from zip(made, pool.map(run, made), strict=True)
            except StoppedError:
                assert stems.error is not None
                raise stems.error from None
            finally:
                # Where the caller stops, what waits for a stem need not go on.
                stems.fail(StoppedError("the call was stopped"))
                pool.shutdown(cancel_futures=True)
                torch.set_num_threads(before)

    def _cut(self, roots: Sequence[Node], threads: int) -> list[Pack]:
        """Return the packs of a tree, so that all threads have like much to do."""
        if threads == 1:
            return packs(roots, self.pack_tokens)
        sizes = subtree_sizes(roots)
        tokens = sum(sizes[id(root)] for root in roots)
        most = max(1, self.pack_tokens // threads)
        # Packs are filled to the last node that fits.
        slack = min(most // 8, max((sizes[id(root)] for root in roots), default=0))
        count = threads * -(-tokens // ((most - slack) * threads))
        least = min(most, max(LEAST_TOKENS, -(-tokens // max(1, count))))
        more = min(slack, most - least)
        if count <= FEW_PACKS:
            more = bisect_left(range(more), -count, key=lambda n: -len(packs(roots, least + n)))
        return packs(roots, least + more)

    def _cut_plain(self, roots: Sequence[Node], manner: Manner) -> list[Pack]:
        """Return packs of sequences that are run side by side."""
        if not manner.whole_head:
            return side_by_side(roots, self.pack_tokens, None)
        rows = self._logit_rows
        if self._keeps_logits:
            return side_by_side(roots, self.pack_tokens, rows)
        return side_by_side(roots, min(self.pack_tokens, rows), None)

    @torch.inference_mode()
    def _read(self, pack: Pack, stems: Stems, manner: Manner) -> _Pass:
        """Run a pack, and read what it predicts."""
        places, reads = pack.reads()
        if manner.way != "plain":
            hidden = self._run_tree(pack, stems, np.unique(places))
        else:
            hidden, places = self._run_plain(pack, places, manner.whole_head)
        kept, which = np.unique(places, return_inverse=True)
        order = np.argsort(which, kind="stable")
        reads, which = reads[order], which[order]
        head = (lambda x: x) if manner.whole_head else self.model.get_output_embeddings()
        found, best = targets_of(hidden, head, kept, which, reads[:, 2], self._logit_rows)
        return _Pass(len(kept), reads, Coming(found, best))

    def _run_tree(self, pack: Pack, stems: Stems, read: np.ndarray) -> torch.Tensor:
        """Return hidden states of a pack, (token, size), which hold at the tokens that are read."""
        model = self.model
        ids, positions = self._tensor(pack.ids())[None], self._tensor(pack.positions())[None]
        rows = read if self.manner.narrow and len(read) <= READ_AT_MOST * pack.size else None
        attention = TreeAttention(
            self.way,
            self.longest,
            pack,
            stems,
            model.device,
            model.dtype,
            last=getattr(model.config.get_text_config(), "num_hidden_layers", 0) - 1,
            rows=rows,
        )
        with attention.active(), reading(None if rows is None else self._tensor(rows), pack.size):
            hidden = model.base_model(input_ids=ids, position_ids=positions, use_cache=False)[0]
            if attention.calls == 0:
                raise UnsupportedAttentionError("it has attention of its own")
        return hidden[0]

    def _run_plain(
        self, pack: Pack, places: np.ndarray, whole_head: bool
    ) -> tuple[torch.Tensor, np.ndarray]:
        """Return hidden states, or logits, of sequences side by side, and the places in them."""
        sizes = [len(node) for node in pack.nodes]
        width = max(sizes)
        ids = np.zeros((len(sizes), width), dtype=np.int64)
        for row, node in enumerate(pack.nodes):
            ids[row, : len(node)] = node.ids
        # Padding is on the right, where causal attention never looks.
        given = {"input_ids": self._tensor(ids), "use_cache": False}
        owner = np.searchsorted(pack.starts, places, side="right") - 1
        column = places - np.array(pack.starts)[owner]
        if not whole_head:
            return self.model.base_model(**given)[0].flatten(0, 1), owner * width + column
        first = int(column.min()) if len(column) else width - 1
        if self._keeps_logits:
            given["logits_to_keep"] = width - first
        else:
            first = 0
        logits = self.model(**given).logits
        return logits.flatten(0, 1), owner * (width - first) + column - first

    @property
    def _keeps_logits(self) -> bool:
        """Whether the model can be asked for the logits of the last tokens only."""
        return "logits_to_keep" in inspect.signature(self.model.forward).parameters

    @property
    def _logit_rows(self) -> int:
        """Rows of logits that are held at a time."""
        vocabulary = int(self.model.get_input_embeddings().weight.shape[0])
        return max(16, self._logit_bytes // (4 * vocabulary))

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return on(array, self.model.device)


_Item = TypeVar("_Item")


def _behind(items: Iterator[_Item], count: int) -> Iterator[_Item]:
    """Yield items when so many more have been made."""
    waiting: deque[_Item] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


@contextlib.contextmanager
def _implementation(model: Any, name: str) -> Iterator[None]:
    """Have a model take its attention from `name`."""
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _out_of_memory(error: Exception) -> bool:
    said = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "not enough memory" in said
        or "can't allocate memory" in said
    )
