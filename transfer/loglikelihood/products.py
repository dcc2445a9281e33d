"""Linear layers of a model on a CPU, computed by oneDNN.

PyTorch gives matrix products in float32 to MKL. On the processor of `data/bench` oneDNN, which
PyTorch brings as well, is faster, most of all where few rows meet a large vocabulary.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

LEAST_WORK = 2**22
"""Multiplications of a product below which it stays with PyTorch's choice: oneDNN begins slowly."""

ORDERED_BYTES = 2**28
"""Weights, in bytes, of which a copy in oneDNN's own order may be held during a call."""

ORDERED_TOKENS = 2048
"""Tokens of a call from which such a copy pays; without it each product orders its weights."""


@contextlib.contextmanager
def by_onednn(model: Any, tokens: int) -> Iterator[None]:
    """Have the linear layers of a model, in this context, take their products from oneDNN.

    Only layers of float32 on a CPU, which do nothing of their own. `tokens` is how many are run.
    """
    found = [module for module in model.modules() if _takes(module)]
    size = sum(module.weight.nbytes for module in found)
    ordered = tokens >= ORDERED_TOKENS and size <= ORDERED_BYTES
    for module in found:
        module.forward = _product(module, ordered)
    try:
        yield
    finally:
        for module in found:
            del module.forward


def _takes(module: torch.nn.Module) -> bool:
    return (
        type(module) is torch.nn.Linear
        and "forward" not in vars(module)
        and module.weight.device.type == "cpu"
        and module.weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
    )


def _product(module: torch.nn.Linear, ordered: bool) -> Any:
    plain, bias = module.weight.detach(), module.bias
    weight = torch.ops.mkldnn._reorder_linear_weight(plain, None) if ordered else plain

    def forward(rows: torch.Tensor) -> torch.Tensor:
        if rows.dtype != torch.float32 or rows.numel() * len(plain) < LEAST_WORK:
            return torch.nn.functional.linear(rows, plain, bias)
        return torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")

    return forward
