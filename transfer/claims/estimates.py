"""The quantities that claims are made of, with intervals over fresh mixtures.

All rest on the same draws of mixtures, so a difference of two quantities is resampled as a whole.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from transfer.errors import BadInput
from transfer.protocols import (
    alignment,
    alignment_contrast,
    alignment_persistence,
    by_category,
    code_share_correlation,
    coherence,
    structure_persistence,
    web_contrast,
)
from transfer.protocols.selection import categories_of, mean_of_there, measure_of
from transfer.tables import match_seeds
from transfer.uncertainty import interval, resampled
from transfer.uncertainty.intervals import enough
from transfer.uncertainty.resampling import jackknifed, weights

Triple = tuple[float, float, float]


class NotTestable(Exception):
    """The grid lacks what a claim needs; the message says what."""


class Estimates:
    """Quantities of one grid: each is computed once, on the grid and on its resamples.

    Every array has a first dimension `resample`: first the grid itself, then the grid without each
    mixture in turn, then the resamples. Intervals are BCa, which keep closest to their level with
    nine mixtures.

    Parameters
    ----------
    grid : Dataset
    resamples, seed, level
        Of the bootstrap over mixtures. With 0 resamples there is the value alone, and an interval
        is that one point.
    method : {"pearson", "spearman", "kendall"}
    paired : bool
        Scales are compared: what one of them lacks is left out of all.
    """

    def __init__(
        self,
        grid: xr.Dataset,
        resamples: int,
        seed: int,
        level: float,
        method: str = "pearson",
        paired: bool = False,
    ) -> None:
        self.whole = grid
        # What claims are about, seeds averaged once for all.
        about = [name for name in ("accuracy", "confidence") if name in grid]
        self.grid = xr.Dataset({name: measure_of(grid, name) for name in about})
        self.paired = paired
        if paired:
            self.grid = self.grid.map(self.both)
        self.level = level
        self.method = method
        self.resamples = resamples
        self.mixtures = grid.sizes["mixture"]
        self.scales = [str(scale) for scale in grid["scale"].to_numpy()]
        self._draw: dict[str, Any] = {"resamples": resamples, "seed": seed}
        self._likely = weights(self.mixtures, ("mixture",), resamples)
        self._known: dict[tuple, xr.DataArray] = {}
        self._parts: dict[tuple, Estimates] = {}

    @cached_property
    def matched(self) -> Estimates:
        """The smallest and the largest scale, with as many seeds at the one as at the other."""
        return self._like(match_seeds(self.whole.isel(scale=[0, -1])), paired=True)

    @cached_property
    def unmatched(self) -> Estimates:
        """The smallest and the largest scale with all their seeds; values alone."""
        return self._like(self.whole.isel(scale=[0, -1]), paired=True, resamples=0)

    def part(
        self, benchmarks: Sequence[str], scale: str | None = None, resamples: int | None = None
    ) -> Estimates:
        """Return the estimates of some benchmarks alone, of all scales or of one."""
        key = (tuple(benchmarks), scale, resamples)
        if key not in self._parts:
            places = [self.benchmarks.index(name) for name in benchmarks]
            grid = self.whole.isel(benchmark=places)
            if scale is not None:
                grid = grid.isel(scale=[self.scales.index(scale)])
            self._parts[key] = self._like(grid, self.paired, resamples)
        return self._parts[key]

    @property
    def benchmarks(self) -> list[str]:
        """The names of the benchmarks."""
        return [str(name) for name in self.grid["benchmark"].to_numpy()]

    def members(self, *categories: str) -> list[str]:
        """Return the benchmarks of some categories, or all."""
        if not categories:
            return self.benchmarks
        if "category" not in self.grid.coords:
            raise NotTestable("the benchmarks have no category")
        kinds = self.grid["category"].to_numpy().astype(str)
        return [
            name for name, kind in zip(self.benchmarks, kinds, strict=True) if kind in categories
        ]

    def both(self, values: xr.DataArray) -> xr.DataArray:
        """Return values without those that one scale lacks, where scales are compared."""
        return values.where(values.notnull().all("scale")) if self.paired else values

    def _like(self, grid: xr.Dataset, paired: bool, resamples: int | None = None) -> Estimates:
        count = self.resamples if resamples is None else resamples
        return Estimates(grid, count, self._draw["seed"], self.level, self.method, paired)

    def of(self, protocol: Callable, *args: Any, **kwargs: Any) -> xr.DataArray:
        """Return a protocol's result on the grid and on its resamples."""
        if "method" in inspect.signature(protocol).parameters:
            kwargs["method"] = self.method
        key = (protocol, args, tuple(kwargs.items()))
        if key not in self._known:
            try:
                value = protocol(self.grid, *args, **kwargs)
                drawn = []
                if self._draw["resamples"]:
                    drawn.append(jackknifed(protocol, self.grid, *args, **kwargs))
                    drawn.append(resampled(protocol, self.grid, *args, **self._draw, **kwargs))
            except BadInput as error:
                raise NotTestable(str(error)) from error
            value = value.drop_vars(["n", "p"], errors="ignore").expand_dims("resample")
            self._known[key] = xr.concat(
                [value, *(part.transpose(*value.dims) for part in drawn)],
                "resample",
                coords="minimal",
                compat="override",
                join="override",
            )
        return self._known[key]

    def triple(self, values: xr.DataArray, level: float | None = None) -> Triple:
        """Return value, low and high of an array over `resample` alone."""
        low, high = self._interval(values, level or self.level)
        return float(values.isel(resample=0)), float(low), float(high)

    def _interval(self, values: xr.DataArray, level: float) -> tuple[xr.DataArray, xr.DataArray]:
        if not self._draw["resamples"]:
            return (values.isel(resample=0),) * 2
        low, high = interval(
            values.isel(resample=slice(1 + self.mixtures, None)),
            level,
            values.isel(resample=0),
            values.isel(resample=slice(1, 1 + self.mixtures)),
            likely=self._likely,
        )
        return enough(low, self.mixtures), enough(high, self.mixtures)

    def at(self, values: xr.DataArray, **labels: str) -> xr.DataArray:
        """Return the part of an array at some labels, or say that it is not there."""
        for dim, label in labels.items():
            there = values[dim].to_numpy().tolist()
            if label not in there:
                raise NotTestable(f"no {dim} {label}")
            values = values.isel({dim: there.index(label)}, drop=True)
        return values

    def mean_over(self, values: xr.DataArray, categories: Sequence[str]) -> xr.DataArray:
        """Return the mean over the benchmarks of some categories, or over all."""
        values = self.both(values)
        if not categories:
            return mean_of_there(values, "benchmark")
        if "category" not in values.coords:
            raise NotTestable("the benchmarks have no category")
        inside = np.isin(values["category"].to_numpy().astype(str), categories)
        if not inside.any():
            raise NotTestable(f"no benchmark of {' or '.join(categories)}")
        return mean_of_there(values.isel(benchmark=np.flatnonzero(inside)), "benchmark")

    def share(self, values: xr.DataArray, side: int, of_r: bool = False) -> Triple:
        """Return the share of benchmarks on one side of 0, with what is sure and what is possible.

        Each benchmark's interval is widened (Bonferroni), so that the level holds for them all.

        Parameters
        ----------
        values : DataArray
            Over `resample, benchmark`.
        side : {−1, 1}
        of_r : bool
            The values are correlations over the mixtures. What is sure must then be sure by the
            t test too: with nine mixtures the far ends of a bootstrap interval lie too close.

        Returns
        -------
        ours, low, high : float
            The share by the estimate itself, by intervals wholly on that side, and by intervals
            that reach it.
        """
        level = 1 - (1 - self.level) / max(values.sizes["benchmark"], 1)
        low, high = self._interval(side * values, level)
        there = low.notnull()
        if not there.any():
            return np.nan, np.nan, np.nan
        ours = side * values.isel(resample=0)
        sure = low > 0
        if of_r and self.resamples:
            free = self.mixtures - 2
            critical = stdtrit(free, (1 + level) / 2)
            sure &= ours > critical / np.sqrt(free + critical**2)
        return tuple(float(flag.where(there).mean()) for flag in (ours > 0, sure, high > 0))  # type: ignore[return-value]

    def lowest(self, values: xr.DataArray) -> Triple:
        """Return the lowest of some benchmarks with its interval, widened for the choice."""
        if values.sizes["benchmark"] == 0 or values.isel(resample=0).isnull().all():
            return np.nan, np.nan, np.nan
        place = int(values.isel(resample=0).argmin("benchmark"))
        level = 1 - (1 - self.level) / values.sizes["benchmark"]
        return self.triple(values.isel(benchmark=place), level)


def category_coherence(
    grid: xr.Dataset,
    metric: str,
    first: str,
    second: str,
    paired: bool = False,
    method: str = "pearson",
) -> xr.DataArray:
    """Return the mean coherence within each category (P6 of P3, P4 or P5).

    With `paired`, over the pairs of benchmarks that every scale has a coherence of.
    """
    r = coherence(grid, metric, first, second, method)
    return by_category(r.where(r.notnull().all("scale")) if paired else r)


def coherence_with_rest(grid: xr.Dataset, metric: str, method: str = "pearson") -> xr.DataArray:
    """Return each benchmark's mean coherence before SFT with the others of its category."""
    r = coherence(grid, metric, "pretrain", "pretrain", method)
    categories_of(r, "category_i")
    same = r["category_i"].to_numpy()[:, None] == r["category_j"].to_numpy()[None, :]
    np.fill_diagonal(same, False)
    inside = xr.DataArray(same, dims=("benchmark_i", "benchmark_j"))
    mean = mean_of_there(r.where(inside), "benchmark_j")
    return mean.rename({"benchmark_i": "benchmark", "category_i": "category"})


def mean_alignment(grid: xr.Dataset, method: str = "pearson") -> xr.DataArray:
    """Return alignment (P7), averaged over mixtures."""
    return mean_of_there(alignment(grid, method=method), "mixture")


def filter_on_accuracy(grid: xr.Dataset) -> xr.DataArray:
    """Return the accuracy of V2 less that of V1, per category (P10)."""
    return _educational(web_contrast(grid, "accuracy"))


def filter_on_alignment(grid: xr.Dataset, method: str = "pearson") -> xr.DataArray:
    """Return the alignment of V2 less that of V1, per category (P10)."""
    return _educational(alignment_contrast(grid, method))


def confidence_structure(grid: xr.Dataset, method: str = "pearson") -> xr.DataArray:
    """Return the structure persistence of confidence (P9), without its p."""
    return structure_persistence(grid, "confidence", method, permutations=0)


def code_share(grid: xr.Dataset, method: str = "pearson") -> xr.DataArray:
    """Return how accuracy goes with the share of code (P10)."""
    return code_share_correlation(grid, "accuracy", method)


def persistence_of_alignment(grid: xr.Dataset, method: str = "pearson") -> xr.DataArray:
    """Return the alignment persistence of each category (P8)."""
    return alignment_persistence(grid, method=method)


def _educational(contrasts: xr.DataArray) -> xr.DataArray:
    there = contrasts["contrast"].to_numpy().tolist()
    if "V2-V1" not in there:
        raise BadInput(f"contrast V2-V1 is not in the table; it has {', '.join(there)}")
    return contrasts.isel(contrast=there.index("V2-V1"), drop=True)
