"""How a model is run, chosen by a trial against its own forward pass.

A model is run as a tree where that gives the log-likelihoods of its own forward pass, up to
rounding. Where it does not, every request is run by itself, and a warning says why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from transfer.errors import BadInput
from transfer.loglikelihood.attention import WAYS
from transfer.loglikelihood.positions import Positions
from transfer.loglikelihood.tree import Encoded, shortened

ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}
"""How far two logits of one hidden state may differ, as a share of the largest."""

TOLERANCE = {torch.float64: 2e-5, torch.float32: 1e-4, torch.float16: 0.05, torch.bfloat16: 0.2}
"""Nats by which a request of the trial may differ from the model's own forward pass: in float32
what is promised. Rounding alone comes near it in random models with large weights."""

log = logging.getLogger(__name__)


class Manner(NamedTuple):
    """How a model is run.

    Attributes
    ----------
    way
        How attention over a tree is computed, one of `attention.WAYS`, or `plain`: every request
        by itself.
    narrow
        Whether the last layer is run only at tokens that are read.
    whole_head
        Whether the logits are those of the whole model, which scales or caps them; else its head is
        run at the tokens that are read. Only with `plain`.
    """

    way: str
    narrow: bool = False
    whole_head: bool = False


LAST = Manner("plain", whole_head=True)
"""What every model can be run by."""


def choose(
    model: Any,
    way: str | None,
    longest: int,
    positions: Positions,
    score: Callable[[Manner, Sequence[Encoded]], np.ndarray],
) -> Manner:
    """Return how a model is run.

    Parameters
    ----------
    model
        Of transformers, on its device.
    way
        One of `attention.WAYS` or `plain`, to try no other; None to try what suits the device.
    longest
        Tokens that the model reads.
    positions
        What it scales its positions by.
    score
        Returns log-likelihoods of requests, run in a manner.

    Raises
    ------
    BadInput
        If there is no such way.
    """
    if way not in (None, "plain", *WAYS):
        raise BadInput(f"way {way!r}: give one of {', '.join((*WAYS, 'plain'))}")
    if way is None:
        way = "blocks" if model.device.type == "cpu" else "chunks"
    requests = _made_up(model.get_input_embeddings().weight.shape[0], longest)
    dtype = _computes_in(model)
    own = _own(model, requests, longest, positions)
    tolerance = TOLERANCE.get(dtype, 0.2)
    why = _head_differs(model, shortened(requests[0], longest), ROUNDING.get(dtype, 2e-2))
    chosen = LAST
    for manner in () if why else _candidates(way):
        try:
            gap = float(np.abs(score(manner, requests) - own).max())
        except Exception as error:  # whatever the model raises, its own forward pass is left
            gap, said = np.inf, (str(error).splitlines() or [""])[0]
            why = why or f"{type(error).__name__}: {said}"
        # A model that returns NaN is refused later, where its items can be named.
        if not gap > tolerance:
            chosen = manner
            break
        why = why or f"{gap:.1g} nats off its own forward pass"
    if chosen.way == "plain" != way:
        log.warning(
            "%s: tokens cannot be shared between requests (%s); every request is run by itself",
            type(model).__name__,
            why,
        )
    return chosen


def _candidates(way: str) -> Iterator[Manner]:
    if way != "plain":
        yield from (Manner(way, narrow=True), Manner(way))
    yield Manner("plain")


@torch.inference_mode()
def _own(model: Any, requests: Sequence[Encoded], longest: int, positions: Positions) -> np.ndarray:
    """Return the log-likelihoods of requests, each in a forward pass of the model."""
    values = []
    for request in requests:
        context, targets = shortened(request, longest)
        positions.renew()
        ids = torch.tensor([context + targets[:-1]], device=model.device)
        logits = model(input_ids=ids, use_cache=False).logits[0, -len(targets) :]
        found = torch.log_softmax(logits.float(), -1)[range(len(targets)), targets]
        values.append(float(found.cpu().double().sum()))
    return np.array(values)


@torch.inference_mode()
def _head_differs(model: Any, request: Encoded, rounding: float) -> str:
    """Return why the model's logits are not its head over its hidden states; "" where they are."""
    ids = torch.tensor([request.context], device=model.device)
    # Both from one forward pass: two may differ where sums are in no fixed order, as on a GPU.
    kept: list[Any] = []
    hook = model.base_model.register_forward_hook(lambda _, given, made: kept.append(made[0]))
    try:
        own = model(input_ids=ids, use_cache=False).logits.cpu().double()
    finally:
        hook.remove()
    try:
        gap = (model.get_output_embeddings()(kept[0]).cpu().double() - own).abs().max()
    except Exception as error:  # whatever the model raises, its own logits are left
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    if gap > rounding * own.abs().max():
        return "it changes the logits of its head"
    return ""


def _computes_in(model: Any) -> torch.dtype:
    kind = model.device.type
    if torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return model.dtype


def _made_up(vocabulary: int, longest: int) -> list[Encoded]:
    """Return requests that use all that a tree has: stems, branches, and paths of several nodes."""
    draw = np.random.default_rng(0)
    size = min(longest // 3, 40)

    def some(count: int) -> tuple[int, ...]:
        return tuple(draw.integers(0, vocabulary, count).tolist())

    stem = some(size)
    requests = []
    for context in (stem + some(3), stem + some(size // 2), some(5)):
        start = some(2)
        for option in (start + some(2), start + some(4), some(1), some(3)):
            requests.append(Encoded(context, option))
    return requests
