"""How sure a number is: intervals of any protocol by resampling, and Fisher's for one r.

An interval over `mixture` says what fresh mixtures would give, one over `seed` what fresh training
runs would give. The resamples are one more dimension of the grid, `resample`, that a protocol
passes through.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import norm

from transfer.errors import BadInput
from transfer.protocols.selection import mean_of_there

_CELLS_AT_ONCE = 4_000_000
OVER = ("mixture", "seed")


def bootstrap(
    protocol: Callable[..., Any],
    grid: xr.Dataset,
    *args: Any,
    over: Sequence[str] = ("mixture",),
    resamples: int = 2_000,
    seed: int = 0,
    level: float = 0.95,
    **kwargs: Any,
) -> xr.Dataset:
    """Return a protocol's result with percentile bootstrap intervals.

    Parameters
    ----------
    protocol : callable
        Takes a grid first and returns a DataArray or a Dataset.
    grid : Dataset
    *args, **kwargs
        Go to the protocol.
    over : sequence of {"mixture", "seed"}
        What is drawn afresh, with replacement: mixtures (the same for all scales, stages and
        benchmarks), and seeds within each scale and mixture, among those that are there.
    resamples : int
    seed : int
        Of the random draws: the same seed gives the same draws whatever the protocol.
    level : float
        Coverage aimed at, in (0, 1).

    Returns
    -------
    Dataset
        `value` (of the grid itself), `low` and `high`; for a protocol that returns several
        quantities, `<name>`, `<name>_low` and `<name>_high`. Resamples without a defined result
        (such as nine times the same mixture) are left out; an interval is NaN where more than half
        are. The attribute `interval` says what was drawn.
    """
    if not 0 < level < 1:
        raise BadInput(f"level {level} is not between 0 and 1; give 0.95 for 95 %")
    value = protocol(grid, *args, **kwargs)
    drawn = resampled(protocol, grid, *args, over=over, resamples=resamples, seed=seed, **kwargs)
    if isinstance(value, xr.Dataset):
        result = value.copy()
        for name in value.data_vars:
            low, high = interval(drawn[name], level)
            order = value[name].dims
            result[f"{name}_low"] = low.transpose(*order).variable
            result[f"{name}_high"] = high.transpose(*order).variable
    else:
        low, high = interval(drawn, level)
        result = value.rename("value").to_dataset()
        result["low"] = low.transpose(*value.dims).variable
        result["high"] = high.transpose(*value.dims).variable
    result.attrs |= {
        "interval": " and ".join(f"{name}s" for name in over),
        "level": level,
        "resamples": resamples,
    }
    return result


def resampled(
    protocol: Callable[..., Any],
    grid: xr.Dataset,
    *args: Any,
    over: Sequence[str] = ("mixture",),
    resamples: int = 2_000,
    seed: int = 0,
    **kwargs: Any,
) -> Any:
    """Return a protocol's result on resampled grids, with a dimension `resample`.

    Parameters are those of `bootstrap`. Results of two protocols with the same `seed` rest on the
    same draws, so a difference of two is resampled as a whole.
    """
    if not over or not set(over) <= set(OVER):
        raise BadInput(f"over {over!r} cannot be resampled; give mixture, seed or both")
    if resamples < 1:
        raise BadInput(f"resamples {resamples} is too few; give 1000 or more")
    needed = grid
    if _is_ours(protocol):
        needed = _named(protocol, grid, args, kwargs)
        if "seed" in grid.dims and "seed" not in over and not kwargs.get("keep_seeds"):
            needed = needed.map(lambda v: mean_of_there(v, "seed") if "seed" in v.dims else v)
    draws = np.random.default_rng(seed)
    count = grid.sizes["mixture"]
    # All of the draws of mixtures come first: they are the same with and without seeds.
    mixtures = (
        draws.integers(count, size=(resamples, count))
        if "mixture" in over
        else np.tile(np.arange(count), (resamples, 1))
    )
    cells = sum(variable.size for variable in needed.data_vars.values())
    size = max(1, _CELLS_AT_ONCE // max(cells * _width(needed), 1))
    parts = []
    for start in range(0, resamples, size):
        chosen = mixtures[start : start + size]
        part = _draw_mixtures(needed, chosen)
        if "seed" in over:
            part = _draw_seeds(part, draws)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            result = protocol(part, *args, **kwargs)
        if left := [name for name in over if name in result.dims]:
            raise BadInput(
                f"the result still has the dimension {left[0]} that is resampled; average over it "
                f"in the protocol, or leave {left[0]} out of over"
            )
        parts.append(result.drop_vars("n", errors="ignore"))
    return parts[0] if len(parts) == 1 else _joined(parts)


def interval(drawn: xr.DataArray, level: float = 0.95) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the percentile interval over `resample`; NaN where most resamples are undefined."""
    tail = (1 - level) / 2
    values = drawn.transpose("resample", ...)
    enough = values.notnull().mean("resample") >= 0.5
    quantiles = _quantiles(values.to_numpy(), (tail, 1 - tail))
    bare = values.isel(resample=0, drop=True)
    low, high = (bare.copy(data=q).where(enough) for q in quantiles)
    return low, high


def fisher_interval(
    r: float | np.ndarray | xr.DataArray, n: int | np.ndarray | xr.DataArray, level: float = 0.95
) -> tuple[Any, Any]:
    r"""Return Fisher's interval of a Pearson correlation.

    .. math:: \tanh\bigl(\operatorname{artanh} r \pm z_{(1 + \text{level})/2} / \sqrt{n - 3}\bigr)

    It takes the pairs to be independent and normal. With n = 9 and r = 0.70 it is [0.07, 0.93].

    Parameters
    ----------
    r : float or array in [−1, 1]
    n : int or array
        Pairs; with fewer than 4 the interval is [−1, 1].
    level : float

    Returns
    -------
    low, high : as r
    """
    z = float(norm.ppf((1 + level) / 2))
    return xr.apply_ufunc(_fisher, r, n, kwargs={"z": z}, output_core_dims=[[], []])


def _fisher(r: np.ndarray, n: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    r, n = np.asarray(r, float), np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = z / np.sqrt(np.maximum(n - 3, 0))
        centre = np.arctanh(r)
        low, high = np.tanh(centre - half), np.tanh(centre + half)
    few, absent = n < 4, np.isnan(r)
    low = np.where(few, -1.0, low)
    high = np.where(few, 1.0, high)
    return np.where(absent, np.nan, low)[()], np.where(absent, np.nan, high)[()]


def _quantiles(values: np.ndarray, at: tuple[float, float]) -> list[np.ndarray]:
    """Return quantiles along the first axis, leaving NaN out (linear between order statistics).

    Sorts once with NaN last, which is many times faster than `numpy.nanquantile`.
    """
    ordered = np.sort(values, axis=0)
    count = (~np.isnan(values)).sum(axis=0)
    found = []
    for q in at:
        place = q * np.maximum(count - 1, 0)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        low, high = (np.take_along_axis(ordered, i[None], axis=0)[0] for i in (below, above))
        found.append(low + (high - low) * (place - below))
    return found


def _is_ours(protocol: Callable) -> bool:
    """Return whether it is known what a protocol does: it averages seeds, and names its measures.

    A protocol from elsewhere gets the grid as it is.
    """
    return getattr(protocol, "__module__", "").startswith("transfer.protocols")


def _named(protocol: Callable, grid: xr.Dataset, args: tuple, kwargs: dict) -> xr.Dataset:
    """Return the grid with only the measures that a protocol's arguments name."""
    bound = inspect.signature(protocol).bind(grid, *args, **kwargs)
    bound.apply_defaults()
    values = [value for value in bound.arguments.values() if isinstance(value, str)]
    return grid[list(dict.fromkeys(value for value in values if value in grid.data_vars))]


def _width(grid: xr.Dataset) -> int:
    """Return how many times larger than the grid the largest array of a protocol may be."""
    return max(1, grid.sizes.get("benchmark", 1) // 4)


def _draw_mixtures(grid: xr.Dataset, chosen: np.ndarray) -> xr.Dataset:
    """Return the grid with mixtures drawn anew, labels gone and their coordinates drawn along."""
    bare = grid.drop_vars("mixture", errors="ignore")
    index = xr.DataArray(chosen, dims=("resample", "mixture"))
    return bare.isel(mixture=index)


def _draw_seeds(grid: xr.Dataset, draws: np.random.Generator) -> xr.Dataset:
    """Return the grid with seeds drawn anew within each scale, mixture and resample."""
    if "seed" not in grid.dims or grid.sizes["seed"] == 1:
        return grid
    first = next(v for v in grid.data_vars.values() if "seed" in v.dims)
    others = [d for d in first.dims if d in ("stage", "benchmark")]
    there = first.notnull().any(others).transpose("resample", "scale", "mixture", "seed").to_numpy()
    # Sorting puts the seeds that are there first; a draw is one of those places.
    order = np.argsort(~there, axis=-1, kind="stable")
    count = np.maximum(there.sum(axis=-1, keepdims=True), 1)
    place = np.floor(draws.random(there.shape) * count).astype(int)
    # As many draws as there are seeds; the rest stay missing.
    kept = np.arange(there.shape[-1]) < count
    index = xr.DataArray(
        np.take_along_axis(order, place, axis=-1), dims=("resample", "scale", "mixture", "seed")
    )
    drawn = grid.drop_vars("seed").isel({"seed": index} | _pointwise(grid, index))
    return drawn.where(xr.DataArray(kept, dims=index.dims))


def _pointwise(grid: xr.Dataset, index: xr.DataArray) -> dict[Hashable, xr.DataArray]:
    """Return indexers that keep `resample`, `scale` and `mixture` aligned with the seeds drawn."""
    return {
        dim: xr.DataArray(np.arange(grid.sizes[dim]), dims=(dim,))
        for dim in index.dims
        if dim != "seed" and dim in grid.dims
    }


def _joined(parts: list) -> Any:
    return xr.concat(parts, "resample", coords="minimal", compat="override", join="override")
