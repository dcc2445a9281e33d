"""The last layer of a model, run only at the tokens whose hidden state is read.

What a layer computes at a token of its own (its feed-forward part, and the projections before and
after attention, but for keys and values) matters in the last layer only where the head reads. The
modules that do this are given these tokens alone, and zeros stand for the others.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

_ALONE = {"mlp", "feed_forward", "q_proj", "o_proj", "dense", "c_proj", "out_proj"}
"""Names of modules that do not mix tokens, and from which no keys or values come."""

READ_AT_MOST = 0.8
"""The share of tokens that are read, above which nothing is left out."""


class _Thread(threading.local):
    """The tokens that are read in the pass that this thread runs, and the number of all."""

    rows: torch.Tensor | None = None
    size = 0


_thread = _Thread()


@contextlib.contextmanager
def reading(rows: torch.Tensor | None, size: int) -> Iterator[None]:
    """Have the passes of this thread, in this context, compute the last layer at `rows` only.

    All of it when None. `size` is the number of tokens of the pass.
    """
    _thread.rows, _thread.size = rows, size
    try:
        yield
    finally:
        _thread.rows = None


@contextlib.contextmanager
def narrowed(model: Any) -> Iterator[None]:
    """Have the last layer of a model look, in this context, at what `reading` says."""
    found = [(module, vars(module).get("forward")) for module in _modules(model)]
    for module, _ in found:
        module.forward = _only_read(module.forward)
    try:
        yield
    finally:
        for module, before in found:
            # The method of a class is not kept in its object, which then would hold itself.
            if before is None:
                del module.forward
            else:
                module.forward = before


def _modules(model: Any) -> list[Any]:
    """Return the outermost modules of the last layer that may leave tokens out."""
    lists = [part for part in model.base_model.modules() if isinstance(part, torch.nn.ModuleList)]
    if not lists:
        return []
    found: list[Any] = []
    waiting = [max(lists, key=len)[-1]]
    while waiting:
        for name, module in waiting.pop().named_children():
            if name in _ALONE:
                found.append(module)
            else:
                waiting.append(module)
    return found


def _only_read(forward: Any) -> Any:
    def narrow(hidden: torch.Tensor, *rest: Any, **named: Any) -> Any:
        rows, size = _thread.rows, _thread.size
        if rows is None or hidden.dim() != 3 or hidden.shape[1] != size:
            return forward(hidden, *rest, **named)
        part = forward(hidden.index_select(1, rows), *rest, **named)
        whole = part.new_zeros(1, size, part.shape[-1])
        return whole.index_copy_(1, rows, part)

    return narrow
