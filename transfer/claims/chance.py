"""Could what a claim rests on be chance? Permutation tests beside the intervals.

Each test takes the estimates of a grid and a row's scale. An interval asks what other mixtures
would give; a permutation asks whether these mixtures could give as much without any tie.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from transfer.claims.estimates import Estimates, NotTestable
from transfer.protocols import alignment, cross_stage, structure_persistence
from transfer.protocols.selection import mean_of_there
from transfer.uncertainty.differences import exchange, sides
from transfer.uncertainty.permutations import permutation


class Chance(NamedTuple):
    """p-values of the null that there is no tie.

    Attributes
    ----------
    p : float
        Over all orders of the mixtures; two-sided. For a structure, over orders of the benchmarks
        and one-sided (Mantel); for a difference, over exchanges of its two sides.
    within_web, within_composition : float
        Over the orders that keep each mixture within its web source, or within its composition:
        what is left of the tie when that is taken away. NaN where the test has no such version.
    one_sided : bool
        Whether p is small on the claim's side only, and near 1 on the other.
    """

    p: float
    within_web: float = float("nan")
    within_composition: float = float("nan")
    one_sided: bool = False

    def allows(self, verdict: str, level: float) -> bool:
        """Return whether the test says what an interval at a level says."""
        p = 1 - self.p if self.one_sided and verdict == "disagrees" else self.p
        # Each side at the error that the interval has there.
        return p < (1 - level) / (2 if self.one_sided else 1)


Test = Callable[[Estimates, str], Chance]

RESTRICTIONS = ("web", "code_share")
"""The coordinates of the mixtures that orders may be kept within."""


def tie_of_rankings(metric: str, *categories: str) -> Test:
    """Return a test of the mean of P1 or P2 over the benchmarks of some categories."""

    def test(e: Estimates, scale: str) -> Chance:
        grid = _part(e, scale, categories)
        return _orders(_mean_tie, grid, metric, e.method)

    return test


def tie_of_alignment(*categories: str) -> Test:
    """Return a test of the mean of P8 over some categories."""

    def test(e: Estimates, scale: str) -> Chance:
        grid = _part(e, scale, categories)
        aligned = alignment(grid, method=e.method).drop_vars("n")
        # One category's alignment stands where one benchmark's measure does.
        aligned = aligned.rename(category="benchmark")
        return _orders(_mean_tie, aligned.to_dataset(name="alignment"), "alignment", e.method)

    return test


def structure(e: Estimates, scale: str) -> Chance:
    """Test P9 of confidence by Mantel's permutations of the benchmarks, one-sided."""
    found = structure_persistence(e.grid, "confidence", e.method)["p"]
    return Chance(float(e.at(found, scale=scale)), one_sided=True)


def metrics_differ(e: Estimates, scale: str) -> Chance:
    """Test the mean of P2 less that of P1 by exchanging the two metrics of a mixture."""
    if "confidence" not in e.grid:
        raise NotTestable("no confidence")
    return Chance(_exchanged(e, sides(_part(e, scale), "confidence", "accuracy")))


def scales_differ(metric: str, *categories: str) -> Test:
    """Return a test of the change of the mean of P1 or P2 by exchanging a mixture's two scales."""

    def test(e: Estimates, scale: str) -> Chance:
        grid = _of_categories(e.grid, categories)[[metric]].rename({metric: "measure"})
        return Chance(_exchanged(e, sides(grid, e.scales[-1], e.scales[0], "scale")))

    return test


def _mean_tie(
    grid: xr.Dataset, metric: str, method: str, orders: xr.DataArray | None = None
) -> xr.DataArray:
    return mean_of_there(cross_stage(grid, metric, method, orders=orders), "benchmark")


def _orders(protocol: Callable, grid: xr.Dataset, metric: str, method: str) -> Chance:
    def p(within: str | None = None) -> float:
        if within and within not in grid.coords:
            return float("nan")
        return float(permutation(protocol, grid, metric, method, within=within)["p"])

    within_web, within_composition = map(p, RESTRICTIONS)
    return Chance(p(), within_web, within_composition)


def _exchanged(e: Estimates, pair: xr.Dataset) -> float:
    def less(pair: xr.Dataset) -> xr.DataArray:
        r = cross_stage(pair, "measure", e.method)
        # Benchmark by benchmark, so that both means are over the same ones.
        return mean_of_there(r.isel(side=0) - r.isel(side=1), "benchmark")

    return float(exchange(less, pair, less(pair)))


def _part(e: Estimates, scale: str, categories: tuple[str, ...] = ()) -> xr.Dataset:
    place = e.scales.index(scale)
    return _of_categories(e.grid.isel(scale=place, drop=True), categories)


def _of_categories(grid: xr.Dataset, categories: tuple[str, ...]) -> xr.Dataset:
    if not categories:
        return grid
    if "category" not in grid.coords:
        raise NotTestable("the benchmarks have no category")
    inside = np.isin(grid["category"].to_numpy().astype(str), categories)
    if not inside.any():
        raise NotTestable(f"no benchmark of {' or '.join(categories)}")
    return grid.isel(benchmark=np.flatnonzero(inside))
