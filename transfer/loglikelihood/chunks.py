"""The attention call of a pack on a GPU: its tokens in chunks, each with the tokens that it sees.

The tokens of a pack are in the order of a walk through the tree. So a run of them sees little but
itself and the stems above it, and one call over all chunks, each with its own keys, computes little
in vain: attention of every token to every token would grow with the square of the pack.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from transfer.loglikelihood.devices import on

QUERIES = 256
"""Tokens of a chunk: fewer would read more keys for each of them, more would compute more in
vain."""

KEYS = 64
"""The keys of a chunk are padded to a multiple of this, as the kernels of PyTorch like it."""


class Chunks(NamedTuple):
    """What attends to what.

    Attributes
    ----------
    asking : tensor, (chunk, query)
        Numbers of the pack's tokens; behind the last of them, it again.
    places : tensor, (chunk, key)
        Numbers of tokens, of earlier stems first and then of the pack.
    mask : tensor, (chunk, 1, query, key)
        What is added to the scores: 0, or minus infinity where a token is not seen.
    """

    asking: torch.Tensor
    places: torch.Tensor
    mask: torch.Tensor


def plan(
    start: np.ndarray, end: np.ndarray, size: int, device: torch.device, dtype: torch.dtype
) -> Chunks:
    """Return the chunks of a pack.

    Parameters
    ----------
    start, end : array, (key)
        The range of the pack's tokens that see a token: of earlier stems first, then of the pack.
    size
        Tokens of the pack.
    device, dtype
        Of the model.
    """
    queries = min(QUERIES, size)
    lows = np.arange(0, size, queries)
    seen = [np.flatnonzero((start < low + queries) & (end > low)) for low in lows]
    places = np.zeros((len(seen), -(-max(map(len, seen)) // KEYS) * KEYS), dtype=np.int64)
    # What is seen by no token stands for the padding.
    first, last = np.full(places.shape, size), np.zeros(places.shape, dtype=np.int64)
    for row, found in enumerate(seen):
        places[row, : len(found)] = found
        first[row, : len(found)], last[row, : len(found)] = start[found], end[found]
    asking = np.minimum(lows[:, None] + np.arange(queries), size - 1)
    at, first_, last_ = (on(array, device) for array in (asking, first, last))
    unseen = (at[..., None] < first_[:, None]) | (at[..., None] >= last_[:, None])
    mask = torch.zeros(unseen.shape, dtype=dtype, device=device).masked_fill_(unseen, -torch.inf)
    return Chunks(at, on(places, device), mask[:, None])
