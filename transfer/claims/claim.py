"""What a claim is: quantities, and the side of a threshold on which each should lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from transfer.claims.chance import Chance
from transfer.claims.estimates import Estimates


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


def verdict(low: float, high: float, above: float | None, below: float | None) -> str:
    """Return what an interval says about a claim that a quantity is above or below a threshold.

    With both thresholds the claim is that it lies between `above` and `below`.
    """
    if np.isnan(low) or np.isnan(high):
        return "not testable yet"
    lower = -np.inf if above is None else above
    upper = np.inf if below is None else below
    if low > lower and high < upper:
        return "agrees"
    # On the threshold itself the claim does not hold.
    return "disagrees" if high <= lower or low >= upper else "undecided"


class Remark(NamedTuple):
    """What there is to say about a row beside its interval.

    Attributes
    ----------
    words : str
        For the note.
    withholds : tuple of str
        Verdicts that cannot be given for that reason; the row is then undecided.
    """

    words: str = ""
    withholds: tuple[str, ...] = ()


def figures(
    quantity: str, *names: str, stage: str | None = None
) -> tuple[tuple[str, str, str | None], ...]:
    """Return which published figures are meant: those of a quantity, for each of some names."""
    return tuple((quantity, name, stage) for name in names)


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
        A verdict needs that test and the interval to say the same.
    remarks : tuple of callable
        Each takes the row, the estimates that it rests on and its scale, and returns a `Remark`.
    measurable : tuple of str, optional
        The claim is of weakness or of a negative sign, which noise can give. Only benchmarks that
        are measurable count; of each of these categories there must be two (if empty, one of all).
    strong : tuple of str, optional
        The claim is of strength, which noise can hide. It is refuted only where the measurable
        benchmarks of these categories, two or more of each, refute it too.
    some : bool
        The claim is that there is a benchmark of that kind. Those that are not measurable may be of
        it, so the others alone do not refute it.
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
    remarks: tuple[Callable[[Row, Estimates, str], Remark], ...] = ()
    measurable: tuple[str, ...] | None = None
    strong: tuple[str, ...] | None = None
    some: bool = False
    note: str = ""

    def side(self, low: float, high: float) -> str:
        """Return the verdict of an interval."""
        return verdict(low, high, self.above, self.below)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and the quantities that it is held against."""

    name: str
    statement: str
    rows: tuple[Row, ...]
