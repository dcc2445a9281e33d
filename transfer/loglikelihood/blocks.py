"""The attention calls of a pack on a CPU: which tokens attend to which, in as few calls as pay.

Nodes of like size go side by side into one call, in which every token sees what is above it in its
own node. What it sees of stems is added in calls of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from transfer.loglikelihood.devices import on
from transfer.loglikelihood.packing import Pack
from transfer.loglikelihood.tree import Node

ATTEND_AT_MOST = 0.5
"""The share of tokens that are read, above which all attend: what is left out has to pay for the
mask that says which are left."""


QUERIES = 64
"""Tokens of a long node that attend in one call, to themselves and what is before them: a call
over all of it would compute what is behind them as well."""


class Block(NamedTuple):
    """Nodes of like size: who attends, (node, query), to which tokens, (node, token).

    `asking` are numbers of queries, `places` of tokens. `mask` is what each of them sees; None
    where every token of chains attends.
    """

    asking: torch.Tensor
    places: torch.Tensor
    mask: torch.Tensor | None


class Calls(NamedTuple):
    """The calls of a layer.

    `rows` are the tokens that attend, None for all; `inverse` says where the blocks put each of
    them, `levels` which of them are below each stem, by the depth of the stem.
    """

    rows: torch.Tensor | None
    blocks: list[Block]
    inverse: torch.Tensor
    levels: list[list[tuple[Node, int, int]]]


def plan(pack: Pack, rows: np.ndarray | None, device: torch.device, dtype: torch.dtype) -> Calls:
    """Return the calls of a layer in which the tokens at `rows` need to attend, all when None."""
    if rows is not None and len(rows) > ATTEND_AT_MOST * pack.size:
        rows = None
    asked = np.arange(pack.size) if rows is None else rows
    begins = np.searchsorted(asked, pack.starts)
    counts = np.diff(begins, append=len(asked))
    inverse = np.empty(len(asked), dtype=np.int64)
    blocks: list[Block] = []
    before = 0
    for members in _alike(pack, np.flatnonzero(counts)):
        nodes = [pack.nodes[at] for at in members]
        starts = np.array(pack.starts)[members]
        asking, real = _padded(begins[members], counts[members])
        places, _ = _padded(starts, np.array([len(node) for node in nodes]))
        width = places.shape[1]
        step = QUERIES if rows is None and width >= 2 * QUERIES else width
        for first in range(0, asking.shape[1], step):
            part, theirs = asking[:, first : first + step], real[:, first : first + step]
            seen = places[:, : first + step]
            inverse[part[theirs]] = before + np.flatnonzero(theirs)
            before += part.size
            mask = None
            if rows is not None or first or nodes[0].ends is not None:
                mask = _seen(nodes, asked[part] - starts[:, None], seen.shape[1], dtype).to(device)
            blocks.append(Block(on(part, device), on(seen, device), mask))
    # Stems of one depth have no token below them in common.
    levels: dict[int, list[tuple[Node, int, int]]] = {}
    for node, first, last in pack.seen:
        low, high = np.searchsorted(asked, (first, last)).tolist()
        if low < high:
            levels.setdefault(len(node.stems), []).append((node, low, high))
    kept = None if rows is None else on(rows, device)
    return Calls(kept, blocks, on(inverse, device), list(levels.values()))


def _padded(starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ranges one below the other, padded with their first number, and which are theirs."""
    column = np.arange(sizes.max())
    real = column < sizes[:, None]
    return np.where(real, starts[:, None] + column, starts[:, None]), real


def _seen(nodes: Sequence[Node], place: np.ndarray, width: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the mask, (node, 1, query, token), of queries at places of their nodes."""
    column = np.arange(width)
    sees = column <= place[..., None]
    if nodes[0].ends is not None:
        ends = np.zeros((len(nodes), width), dtype=np.int64)
        for row, node in enumerate(nodes):
            assert node.ends is not None
            ends[row, : len(node)] = node.ends[:width]
        sees &= place[..., None] < ends[:, None, :]
    blocked = torch.zeros(sees.shape, dtype=dtype)
    return blocked.masked_fill_(~torch.from_numpy(sees), -torch.inf)[:, None]


def _alike(pack: Pack, numbers: np.ndarray) -> Iterator[list[int]]:
    """Yield the numbers of nodes that go into one call: chains or trees, of like size."""
    order = sorted(
        numbers.tolist(),
        key=lambda at: (pack.nodes[at].ends is not None, -len(pack.nodes[at])),
    )
    members: list[int] = []
    padding = 0
    for at in order:
        node = pack.nodes[at]
        if members:
            first = pack.nodes[members[0]]
            short = len(first) - len(node)
            other = (first.ends is None) != (node.ends is None)
            # A call costs about as much as this padding.
            if other or (padding + short > 64 and short > len(first) // 8):
                yield members
                members, padding, short = [], 0, 0
            padding += short
        members.append(at)
    if members:
        yield members
