"""Attention over a pack: every token sees the tokens above it in the tree, and itself.

Two ways, for any model of transformers that takes its attention from `AttentionInterface`:

- **blocks**, on a CPU: nodes of like size go together into one call, each seeing itself; then the
  tokens below a stem attend to it in one call without a mask, and the parts are merged by their
  log-sum-exp. What is computed in vain is the padding of the blocks, and in short nodes what
  is behind a token.
- **chunks**, elsewhere: calls of PyTorch's scaled dot-product attention, in which the tokens are in
  chunks, each with a mask over the tokens that any of it sees.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AttentionInterface

from transfer.loglikelihood import blocks, chunks
from transfer.loglikelihood.packing import Pack
from transfer.loglikelihood.tree import Node

NAME = "transfer_tree"

WAYS = ("blocks", "chunks")


class UnsupportedAttentionError(Exception):
    """A model asks for what attention over a tree does not do."""


class _Stem(NamedTuple):
    """The keys and values of a stem, layer by layer."""

    keys: list[torch.Tensor]
    values: list[torch.Tensor]


class Stems:
    """Keys and values of stems that several packs need, shared by threads that run these packs.

    A pack waits, in each layer, for the stems of packs before it, which another thread may be
    running. Packs are begun in their order, so that what is waited for always comes.
    """

    def __init__(self, packs: Sequence[Pack]) -> None:
        self._packs = packs
        self._changed = threading.Condition()
        self._kept = {id(node): _Stem([], []) for pack in packs for node in pack.kept}
        self._done = [False] * len(packs)
        self._first = 0
        self.error: BaseException | None = None

    def add(self, node: Node, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Add the next layer of a stem."""
        with self._changed:
            kept = self._kept[id(node)]
            kept.keys.append(keys)
            kept.values.append(values)
            self._changed.notify_all()

    def get(self, node: Node, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a layer of a stem of an earlier pack, when it is there."""
        with self._changed:
            kept = self._kept[id(node)]
            self._changed.wait_for(lambda: self.error is not None or len(kept.keys) > layer)
            if len(kept.keys) <= layer:
                raise StoppedError("the pack that has a stem of this one failed")
            return kept.keys[layer], kept.values[layer]

    def finish(self, pack: Pack) -> None:
        """Drop the stems that no pack needs that is not done."""
        with self._changed:
            self._done[self._packs.index(pack)] = True
            while self._first < len(self._packs) and self._done[self._first]:
                for node in self._packs[self._first].dropped:
                    del self._kept[id(node)]
                self._first += 1

    def fail(self, error: BaseException) -> None:
        """Have every pack that waits for a stem stop."""
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()


class StoppedError(Exception):
    """A pack stopped because one before it failed."""


class TreeAttention:
    """Attention of a model over one pack.

    Parameters
    ----------
    way
        `blocks` or `chunks`.
    longest
        Tokens that the model reads; a sliding window of fewer is refused.
    pack, stems
        The pack, and the stems of all packs.
    device, dtype
        Of the model.
    last, rows
        A layer in which only the tokens at `rows`, in their order, need to attend; `blocks` makes
        use of it.
    """

    def __init__(
        self,
        way: str,
        longest: int,
        pack: Pack,
        stems: Stems,
        device: torch.device,
        dtype: torch.dtype,
        last: int = -1,
        rows: np.ndarray | None = None,
    ) -> None:
        self.way, self.longest, self.pack, self.stems = way, longest, pack, stems
        self.calls, self.last = 0, last
        self._places = {
            id(node): slice(start, start + len(node))
            for node, start in zip(pack.nodes, pack.starts, strict=True)
        }
        if way == "blocks":
            self._calls = blocks.plan(pack, None, device, dtype)
            whole = rows is None
            self._last_calls = self._calls if whole else blocks.plan(pack, rows, device, dtype)
        else:
            self._chunks = self._cut(device, dtype)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Make the model's forward pass in this context, and thread, attend over the pack."""
        _thread.attention = self
        try:
            yield
        finally:
            _thread.attention = None
        self.stems.finish(self.pack)

    def __call__(
        self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scale: float | None
    ) -> torch.Tensor:
        """Return (1, token, head, size) from queries (1, head, token, size) of the next layer."""
        layer, self.calls = self.calls, self.calls + 1
        for node in self.pack.kept:
            place = self._places[id(node)]
            # A copy, so that the pack's own keys can be freed.
            self.stems.add(node, keys[:, :, place].clone(), values[:, :, place].clone())
        return (self._by_blocks if self.way == "blocks" else self._by_chunks)(
            query, keys, values, scale, layer
        )

    def _stem(
        self, node: Node, keys: torch.Tensor, values: torch.Tensor, layer: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and values of a stem of this pack or an earlier one."""
        place = self._places.get(id(node))
        if place is None:
            return self.stems.get(node, layer)
        return keys[:, :, place], values[:, :, place]

    def _by_blocks(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scale: float | None,
        layer: int,
    ) -> torch.Tensor:
        calls = self._last_calls if layer == self.last else self._calls
        groups = query.shape[1] // keys.shape[1]
        size = query.shape[2]
        if calls.rows is not None:
            if not len(calls.rows):
                return torch.zeros_like(query).transpose(1, 2)
            query = query.index_select(2, calls.rows)
        by_row = [x[0].transpose(0, 1) for x in (query, keys, values)]
        outs, sums = [], []
        for block in calls.blocks:
            q, k, v = (
                x.index_select(0, which.view(-1)).view(*which.shape, *x.shape[1:]).transpose(1, 2)
                for x, which in zip(by_row, (block.asking, block.places, block.places), strict=True)
            )
            out, total = _flash(q, _repeat(k, groups), _repeat(v, groups), block.mask, scale)
            outs.append(out.transpose(1, 2).flatten(0, 1))
            sums.append(total.transpose(1, 2).flatten(0, 1))
        merged = torch.cat(outs).index_select(0, calls.inverse)
        if calls.levels:
            total = torch.cat(sums).index_select(0, calls.inverse)
        for level in calls.levels:
            part = torch.zeros_like(merged)
            above = torch.full_like(total, -torch.inf)
            for node, first, last in level:
                k, v = self._stem(node, keys, values, layer)
                out, weight = _flash(
                    query[:, :, first:last], _repeat(k, groups), _repeat(v, groups), False, scale
                )
                part[first:last] = out[0].transpose(0, 1)
                above[first:last] = weight[0].transpose(0, 1)
            both = torch.logaddexp(total, above)
            merged.mul_((total - both).exp_().to(merged.dtype)[..., None])
            merged.addcmul_(part, (above - both).exp_().to(merged.dtype)[..., None])
            total = both
        if calls.rows is not None:
            merged = merged.new_zeros(size, *merged.shape[1:]).index_copy_(0, calls.rows, merged)
        return merged[None]

    def _cut(self, device: torch.device, dtype: torch.dtype) -> list[chunks.Chunks]:
        """Return the chunks of the pack, call by call; they see earlier stems and the pack."""
        starts, ends = [], []
        self._earlier = []
        for node, first, last in self.pack.seen:
            if id(node) not in self._places:
                self._earlier.append(node)
                starts.append(np.full(len(node), first))
                ends.append(np.full(len(node), last))
        starts.append(np.arange(self.pack.size))
        ends.append(self.pack.ends())
        return chunks.plan(
            np.concatenate(starts), np.concatenate(ends), self.pack.size, device, dtype
        )

    def _by_chunks(
        self,
        query: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scale: float | None,
        layer: int,
    ) -> torch.Tensor:
        above = [self.stems.get(node, layer) for node in self._earlier]
        groups, size = query.shape[1] // keys.shape[1], query.shape[2]
        if above:
            keys = torch.cat([*(k for k, _ in above), keys], 2)
            values = torch.cat([*(v for _, v in above), values], 2)
        parts = []
        for call in self._chunks:
            q, k, v = (
                x[0].index_select(1, at.view(-1)).unflatten(1, at.shape).transpose(0, 1)
                for x, at in ((query, call.asking), (keys, call.places), (values, call.places))
            )
            out = torch.nn.functional.scaled_dot_product_attention(
                q,
                _repeat(k, groups),
                _repeat(v, groups),
                # Under autocast the mask is of another type than the model.
                attn_mask=call.mask(query.dtype),
                scale=scale,
            )
            parts.append(out.transpose(1, 2))
        whole = parts[0]
        if len(parts) > 1:
            mixed = torch.cat(parts)
            numbers = torch.cat([call.numbers for call in self._chunks])
            whole = torch.empty_like(mixed).index_copy_(0, numbers, mixed)
        return whole.flatten(0, 1)[None, :size]


class _Thread(threading.local):
    """The attention of the pack that this thread runs."""

    attention: TreeAttention | None = None


_thread = _Thread()


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    scaling: float | None = None,
    softcap: float | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, None]:
    current = _thread.attention
    if current is None:
        raise UnsupportedAttentionError("attention over a tree outside of a pack")
    if softcap is not None:
        raise UnsupportedAttentionError("it caps its attention scores")
    for reach in (rest.get("sliding_window"), *_reaches(module, "sliding_window" in rest)):
        if reach and reach < current.longest:
            raise UnsupportedAttentionError(f"it sees {reach} tokens back")
    if query.shape[-1] != value.shape[-1]:
        raise UnsupportedAttentionError("its keys and values differ in size")
    kind = query.device.type
    if torch.is_autocast_enabled(kind):
        # As autocast does it for PyTorch's own attention.
        query, key, value = (x.to(torch.get_autocast_dtype(kind)) for x in (query, key, value))
    return current(query, key, value, scaling), None


AttentionInterface.register(NAME, _attend)


def _reaches(module: torch.nn.Module, window_given: bool) -> Iterator[int | None]:
    """Yield how many tokens back a layer sees by what it may have put into its mask alone."""
    config = getattr(module, "config", None)
    layers, layer = getattr(config, "layer_types", None), getattr(module, "layer_idx", None)
    if layers and layer is not None and layers[layer] == "full_attention":
        return
    if not window_given and getattr(config, "use_sliding_window", True):
        yield getattr(config, "sliding_window", None)
    yield getattr(config, "attention_chunk_size", None)


def _flash(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | bool | None,
    scale: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return attention and its log-sum-exp; `mask` None is causal, False is none at all."""
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query,
        keys,
        values,
        0.0,
        mask is None,
        # Under autocast the mask is of the model's type.
        attn_mask=mask.to(query.dtype) if isinstance(mask, torch.Tensor) else None,
        scale=scale,
    )


def _repeat(heads: torch.Tensor, times: int) -> torch.Tensor:
    return heads if times == 1 else heads.repeat_interleave(times, 1)
