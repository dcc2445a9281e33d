"""The attention calls of a pack on a GPU: its tokens in chunks, each with the tokens that it sees.

The tokens of a pack are in the order of a walk through the tree. So a run of them sees itself and
the stems above it, and a call in which each chunk has its own keys leaves out most of what none of
its tokens sees: attention of every token to every token would grow with the square of the pack.
"""

from __future__ import annotations

import numpy as np
import torch

from transfer.loglikelihood.devices import on

QUERIES = 256
"""Tokens of a chunk: fewer would read more keys for each of them, more would compute more in
vain."""

KEYS = 64
"""The keys of a chunk are padded to a multiple of this, as the kernels of PyTorch like it."""

KEYS_AT_MOST = 2**16
"""Keys of a call: each chunk holds a copy of its own, and a long context is seen by many chunks."""

MASKS_AT_MOST = 2**26
"""Elements of the masks of a pack that are kept from layer to layer."""


class Chunks:
    """Chunks that attend in one call.

    Attributes
    ----------
    numbers : tensor, (chunk)
        Which of the pack's chunks they are.
    asking : tensor, (chunk, query)
        Numbers of the pack's tokens; behind the last of them, it again.
    places : tensor, (chunk, key)
        Numbers of tokens, of earlier stems first and then of the pack.
    """

    def __init__(
        self,
        numbers: np.ndarray,
        asking: np.ndarray,
        seen: list[np.ndarray],
        start: np.ndarray,
        end: np.ndarray,
        device: torch.device,
    ) -> None:
        width = -(-max(map(len, seen)) // KEYS) * KEYS
        # The first key stands for the padding too, which no token sees.
        places = np.stack([np.pad(found, (0, width - len(found)), mode="edge") for found in seen])
        real = np.arange(width) < np.array([len(found) for found in seen])[:, None]
        first, last = np.where(real, start[places], 1), np.where(real, end[places], 0)
        self.numbers, self.asking, self.places = (
            on(array, device) for array in (numbers, asking, places)
        )
        self._first, self._last = on(first, device), on(last, device)
        self._mask: torch.Tensor | None = None

    @property
    def elements(self) -> int:
        """Elements of the mask."""
        return self.asking.numel() * self.places.shape[1]

    def keep_mask(self, dtype: torch.dtype) -> None:
        """Make the mask once for all layers."""
        self._mask = self.mask(dtype)

    def mask(self, dtype: torch.dtype) -> torch.Tensor:
        """Return what is added to the scores, (chunk, 1, query, key).

        0, or minus infinity where a token is not seen.
        """
        if self._mask is not None:
            return self._mask.to(dtype)
        at = self.asking[..., None]
        unseen = (at < self._first[:, None]) | (at >= self._last[:, None])
        mask = torch.zeros(unseen.shape, dtype=dtype, device=unseen.device)
        return mask.masked_fill_(unseen, -torch.inf)[:, None]


def plan(
    start: np.ndarray, end: np.ndarray, size: int, device: torch.device, dtype: torch.dtype
) -> list[Chunks]:
    """Return the calls of a pack.

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
    counts = np.array([len(found) for found in seen])
    calls = []
    for numbers in _alike(counts):
        asking = np.minimum(lows[numbers, None] + np.arange(queries), size - 1)
        part = [seen[number] for number in numbers]
        calls.append(Chunks(numbers, asking, part, start, end, device))
    if sum(call.elements for call in calls) <= MASKS_AT_MOST:
        for call in calls:
            call.keep_mask(dtype)
    return calls


def _alike(counts: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of chunks that go into one call: of like many keys, and not too many."""
    order = np.argsort(-counts, kind="stable")
    groups: list[list[int]] = []
    for number in order.tolist():
        widest = counts[groups[-1][0]] if groups else 0
        full = groups and (len(groups[-1]) + 1) * widest > KEYS_AT_MOST
        if not groups or full or counts[number] + 2 * QUERIES < widest // 2:
            groups.append([])
        groups[-1].append(number)
    return [np.sort(group) for group in groups]
