"""Positions that a model scales by the longest sequence of a forward pass.

`longrope` takes one set of frequencies for a pass with a sequence beyond the length that the model
was first trained on, and another for a pass without; `dynamic` takes frequencies of the longest
sequence that it saw. A request then has the score of a pass of its own only in the company of
requests that have the same frequencies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from transfer.loglikelihood.tree import Encoded, length


class _Scaled(NamedTuple):
    """Rotary positions of a module, for all layers or those of one type."""

    module: Any
    prefix: str
    kind: str
    first: int


class Positions:
    """The lengths that requests to a model must share to be run together.

    Parameters
    ----------
    model
        Of transformers.
    """

    def __init__(self, model: Any) -> None:
        self._scaled = list(_scaled(model))

    @property
    def scaled(self) -> bool:
        """Whether a forward pass changes the model."""
        return bool(self._scaled)

    def renew(self) -> None:
        """Have the model forget how long a sequence it saw."""
        for module, prefix, kind, _ in self._scaled:
            if kind == "dynamic":
                setattr(module, f"{prefix}max_seq_len_cached", 0)

    def parts(self, encoded: Sequence[Encoded], longest: int) -> Iterator[tuple[np.ndarray, bool]]:
        """Yield the numbers of requests that may be run together, and whether as a tree.

        As a tree only those that no module takes for long: a pack of others may hold none that is.
        """
        if not self._scaled:
            yield np.arange(len(encoded)), True
            return
        parts: dict[tuple[int, ...], list[int]] = {}
        for number, request in enumerate(encoded):
            size = length(request, longest)
            parts.setdefault(tuple(_length(scaled, size) for scaled in self._scaled), []).append(
                number
            )
        for lengths, numbers in sorted(parts.items()):
            self.renew()
            yield np.array(numbers), not any(lengths)


def _length(scaled: _Scaled, size: int) -> int:
    """Return what of the length of a sequence the frequencies depend on."""
    if size <= scaled.first:
        return 0
    return size if scaled.kind == "dynamic" else 1


def _scaled(model: Any) -> Iterator[_Scaled]:
    for module in model.modules():
        kinds: Any = getattr(module, "rope_type", None)
        by_layer = isinstance(kinds, dict)
        for layers, kind in kinds.items() if by_layer else [("", kinds)]:
            prefix = f"{layers}_" if by_layer else ""
            if "dynamic" in str(kind):
                yield _Scaled(module, prefix, "dynamic", int(module.original_max_seq_len))
            elif kind == "longrope":
                given = module.config.rope_parameters
                first = (given[layers] if by_layer else given)["original_max_position_embeddings"]
                yield _Scaled(module, prefix, "longrope", int(first))
