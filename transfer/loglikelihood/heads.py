"""The log-probabilities of targets from hidden states, a part of the logits at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch

from transfer.loglikelihood.devices import on


def targets_of(
    hidden: torch.Tensor,
    head: Callable[[torch.Tensor], torch.Tensor],
    places: np.ndarray,
    which: np.ndarray,
    targets: np.ndarray,
    rows: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a model gives targets.

    Parameters
    ----------
    hidden : tensor, (token, size)
        Hidden states.
    head
        Returns the logits of some of them.
    places : array, (place)
        The tokens whose logits are read.
    which, targets : array, (target)
        The place that predicts each target, in rising order, and its token id.
    rows
        Rows of logits that are held at a time.

    Returns
    -------
    tensor of float32, (target)
        Log-probabilities, in nats.
    tensor of bool, (target)
        Whether each target is the most likely token: the first of equals.
    """
    bounds = np.searchsorted(which, np.arange(0, len(places) + rows, rows)).tolist()
    at, row_of, all_targets = (on(x, hidden.device) for x in (places, which % rows, targets))
    found, best = [], []
    for part, (low, high) in enumerate(itertools.pairwise(bounds)):
        row, target = row_of[low:high], all_targets[low:high]
        some = hidden[at[part * rows : (part + 1) * rows]]
        probability = torch.log_softmax(head(some).float(), -1)
        found.append(probability[row, target])
        best.append(_likeliest(probability, found[-1], row, target))
    if not found:
        return hidden.new_zeros(0, dtype=torch.float32), hidden.new_zeros(0, dtype=torch.bool)
    return torch.cat(found), torch.cat(best)


def _likeliest(
    probability: torch.Tensor, chosen: torch.Tensor, row: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Return whether targets, whose log-probabilities are `chosen`, are the most likely ones."""
    if probability.device.type != "cpu":
        return probability.argmax(-1)[row] == target
    # The place of the largest is slow to find, and seldom asked for: only where the target is as
    # likely as the likeliest, which may be another with a lower number.
    top = chosen == probability.amax(-1)[row]
    top[top.clone()] = probability[row[top]].argmax(-1) == target[top]
    return top
