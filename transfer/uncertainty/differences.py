"""Differences of one quantity between two scales or two metrics, paired over mixtures."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from transfer.errors import BadInput
from transfer.protocols.selection import at, mean_of_there
from transfer.uncertainty.intervals import enough, interval
from transfer.uncertainty.permutations import share
from transfer.uncertainty.resampling import RESAMPLES, chunks, jackknifed, resampled, weights

EXACT_UP_TO = 16
"""Mixtures up to which every one of the 2^M exchanges is made."""
_ROUNDING = 1e-12


def sides(grid: xr.Dataset, first: Any, second: Any, dim: str = "metric") -> xr.Dataset:
    """Return a grid of one measure, `measure`, whose dimension `side` holds what is compared.

    What one side lacks is left out of the other.

    Parameters
    ----------
    grid : Dataset
    first, second : str
        Two metrics of the grid, or two labels of `dim`.
    dim : str
        `metric`, or a dimension of the grid such as `scale`; then give the grid one measure,
        named `measure`.
    """
    if dim == "metric":
        for name in (first, second):
            if name not in grid:
                there = ", ".join(map(str, grid.data_vars))
                raise BadInput(f"metric {name!r} is not in the table; it has {there}")
        parts = [grid[name].rename("measure") for name in (first, second)]
    else:
        parts = [at(grid["measure"], dim, label) for label in (first, second)]
    # A scale may have more seeds than another; a seed that is not there is NaN.
    values = xr.concat(parts, "side")
    if "seed" in values.dims:
        values = mean_of_there(values, "seed")
    return values.where(values.notnull().all("side")).rename("measure").to_dataset()


def difference(
    protocol: Callable[..., xr.DataArray],
    pair: xr.Dataset,
    *args: Any,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
    **kwargs: Any,
) -> xr.Dataset:
    """Return a protocol's value on the first side less that on the second.

    The interval (BCa) draws the same mixtures on both sides. The test exchanges the two sides of a
    mixture, all its benchmarks and both stages together, in all 2^M ways (drawn ones above
    M = 16), after both sides are brought to mean 0 and spread 1 over mixtures: were the two sides
    alike, each exchange would be as likely as what was seen. Standardizing makes it approximate.

    Parameters
    ----------
    protocol : callable
        Called as `protocol(pair, "measure", *args, **kwargs)`; must let `side` pass.
    pair : Dataset
        From `sides`.

    Returns
    -------
    Dataset
        `value`, `low`, `high` and the two-sided `p`.
    """

    def less(grid: xr.Dataset) -> xr.DataArray:
        both = protocol(grid, "measure", *args, **kwargs).drop_vars("n", errors="ignore")
        return both.isel(side=0) - both.isel(side=1)

    value = less(pair)
    drawn = resampled(less, pair, resamples=resamples, seed=seed)
    likely = weights(pair.sizes["mixture"], ("mixture",), resamples)
    low, high = interval(drawn, level, value, jackknifed(less, pair), likely=likely)
    low, high = (enough(end, pair.sizes["mixture"]) for end in (low, high))
    result = value.rename("value").to_dataset()
    result["low"], result["high"] = low.variable, high.variable
    result["p"] = value.copy(data=exchange(less, pair, value, resamples, seed))
    result.attrs |= {"interval": "mixtures", "level": level, "resamples": resamples}
    return result


def exchange(
    less: Callable[[xr.Dataset], xr.DataArray],
    pair: xr.Dataset,
    value: xr.DataArray,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Return the two-sided p of a difference when the two sides of mixtures are exchanged.

    Parameters
    ----------
    less : callable
        Takes the pair and returns the first side less the second.
    pair : Dataset
        From `sides`.
    value : DataArray
        `less(pair)`; p has its shape.
    resamples, seed : int
        Of the exchanges drawn above M = 16.
    """
    count = pair.sizes["mixture"]
    exact = count <= EXACT_UP_TO
    swaps = (
        np.array(list(product((0, 1), repeat=count)))
        if exact
        else np.random.default_rng(seed).integers(2, size=(resamples, count))
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        centred = pair - mean_of_there(pair["measure"], "mixture")
        alike = centred / np.sqrt(mean_of_there(centred["measure"] ** 2, "mixture"))
        seen = np.abs(less(alike).to_numpy())
        hits, tried = np.zeros(seen.shape), np.zeros(seen.shape)
        for start, stop in chunks(len(swaps), pair):
            taken = np.stack([swaps[start:stop], 1 - swaps[start:stop]])
            index = xr.DataArray(taken, dims=("side", "resample", "mixture"))
            rows = xr.DataArray(np.arange(count), dims="mixture")
            exchanged = alike.drop_vars("mixture", errors="ignore").isel(side=index, mixture=rows)
            found = less(exchanged).transpose(*value.dims, "resample").to_numpy()
            hits += (np.abs(found) >= seen[..., None] - _ROUNDING).sum(axis=-1)
            tried += (~np.isnan(found)).sum(axis=-1)
    return np.where(np.isnan(seen), np.nan, share(hits, tried, exact))
