"""What a claim is: quantities, and the side of a threshold on which each should lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from transfer.claims.chance import Chance
from transfer.claims.estimates import Estimates


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


@dataclass(frozen=True)
class Row:
    """One quantity of a claim.

    Attributes
    ----------
    quantity : str
        What is measured, in words.
    estimate : callable
        Takes the estimates of a grid and a scale; returns (ours, low, high), or raises
        `NotTestable`.
    above, below : float, optional
        The claim puts the quantity above the one, below the other, or between them.
    published : tuple of (quantity, unit_name, stage)
        Rows of the published figures that belong to it; stage None takes any.
    combine : callable, optional
        Published values at the row's scale (an array) to the value of this quantity, their mean by
        default; for a row across scales, those of the small and of the large scale (two arrays).
    across : bool
        Compares the smallest scale with the largest; otherwise there is a row for every scale.
    only : {"all", "smallest", "largest"}
        The scales that the claim is about.
    test : callable, optional
        Takes the same and returns p-values of the null that there is no tie.
    by_test : bool
        The verdict rests on that test, not on the interval.
    note : str
    """

    quantity: str
    estimate: Callable[[Estimates, str], tuple[float, float, float]]
    above: float | None = None
    below: float | None = None
    published: tuple[tuple[str, str, str | None], ...] = ()
    combine: Callable[..., float] = _mean
    across: bool = False
    only: str = "all"
    test: Callable[[Estimates, str], Chance] | None = None
    by_test: bool = False
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and the quantities that it is held against."""

    name: str
    statement: str
    rows: tuple[Row, ...]
