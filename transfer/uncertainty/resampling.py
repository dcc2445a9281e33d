"""Fresh mixtures, fresh seeds and fresh items: a protocol's result on resampled grids."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import xarray as xr

from transfer.errors import BadInput
from transfer.protocols.selection import mean_of_there
from transfer.protocols.stages import between_runs

_CELLS_AT_ONCE = 4_000_000
OVER = ("mixture", "seed", "item")

RESAMPLES = 25_000
"""Resamples by default: with up to nine mixtures there are no more, and all of them are taken."""

Items = Mapping[str, xr.Dataset]
"""Per-item measures by benchmark, as `transfer.itemwise.read_itemwise` gives them."""


def resampled(
    protocol: Callable[..., Any],
    grid: xr.Dataset,
    *args: Any,
    over: Sequence[str] = ("mixture",),
    resamples: int = RESAMPLES,
    seed: int = 0,
    items: Items | None = None,
    **kwargs: Any,
) -> Any:
    """Return a protocol's result on resampled grids, with a last dimension `resample`.

    Parameters are those of `bootstrap`. Results of two protocols with the same `seed` rest on the
    same draws, so a difference of two is resampled as a whole. Where every resample is taken, they
    are not alike likely: `weights` says how likely each is.
    """
    _check(over, resamples, items)
    needed = needed_by(protocol, grid, args, kwargs, keep_seeds="seed" in over)
    if items is not None and "item" in over and needed is grid:
        # What a protocol from elsewhere looks at is not known; it gets all that can be drawn.
        means = {str(name) for part in items.values() for name in part.data_vars}
        needed = grid[[name for name in grid.data_vars if name in means]]
    draws = np.random.default_rng(seed)
    count = grid.sizes["mixture"]
    if weights(count, over, resamples) is not None:
        mixtures = every_resample(count)[0]
        resamples = len(mixtures)
    elif "mixture" in over:
        # All of the draws of mixtures come first: they are the same with and without seeds.
        mixtures = draws.integers(count, size=(resamples, count))
    else:
        mixtures = np.tile(np.arange(count), (resamples, 1))
    fresh = _ItemDraws(items, needed, seed) if items is not None and "item" in over else None
    gathered = _Gathered(resamples)
    for start, stop in chunks(resamples, needed):
        chosen = mixtures[start:stop]
        part = fresh.take(stop - start) if fresh else needed
        if "mixture" in over or not fresh:
            part = draw_mixtures(part, chosen)
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
        gathered.add(result)
    return gathered.whole()


def weights(mixtures: int, over: Sequence[str], resamples: int) -> np.ndarray | None:
    """Return how likely each resample is where every one of them is taken, else None.

    That is where mixtures alone are drawn, and there are no more resamples of them than asked for.
    """
    if set(over) != {"mixture"} or math.comb(2 * mixtures - 1, mixtures) > resamples:
        return None
    return every_resample(mixtures)[1]


@cache
def every_resample(mixtures: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all that drawing M of M mixtures with replacement can give, and how likely each is.

    The order of a resample does not matter, so there are (2M − 1 over M) of them: 24,310 for nine
    mixtures. A bootstrap over all of them has no error of its own draws.

    Returns
    -------
    array of int, (resample, mixture)
    array of float, (resample,)
        Sums to one.
    """
    found = np.array(list(combinations_with_replacement(range(mixtures), mixtures)), dtype=np.intp)
    # Mixed, so that a part of them that is run at a time holds every mixture.
    found = found[np.random.default_rng(0).permutation(len(found))]
    times = (found[:, :, None] == np.arange(mixtures)).sum(axis=1)
    ways = np.array([math.factorial(number) for number in range(mixtures + 1)], dtype=float)
    likely = ways[mixtures] / ways[times].prod(axis=1) / float(mixtures) ** mixtures
    for array in (found, likely):
        array.flags.writeable = False
    return found, likely


def jackknifed(protocol: Callable[..., Any], grid: xr.Dataset, *args: Any, **kwargs: Any) -> Any:
    """Return a protocol's result with each mixture left out in turn, over `resample`."""
    count = grid.sizes["mixture"]
    others = np.array([np.delete(np.arange(count), place) for place in range(count)])
    gathered = _Gathered(count)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        gathered.add(protocol(draw_mixtures(grid, others), *args, **kwargs))
    return gathered.whole()


def chunks(resamples: int, grid: xr.Dataset) -> list[tuple[int, int]]:
    """Return where parts of the resamples begin and end, so that memory stays bounded."""
    cells = sum(variable.size for variable in grid.data_vars.values())
    # The largest array of a protocol may hold all pairs of benchmarks.
    width = max(1, grid.sizes.get("benchmark", 1) // 4)
    size = max(1, _CELLS_AT_ONCE // max(cells * width, 1))
    return [(start, min(start + size, resamples)) for start in range(0, resamples, size)]


def needed_by(
    protocol: Callable, grid: xr.Dataset, args: tuple, kwargs: dict, keep_seeds: bool = False
) -> xr.Dataset:
    """Return the part of a grid that a protocol of ours looks at, seeds averaged where it does.

    A protocol from elsewhere gets the grid as it is.
    """
    if not getattr(protocol, "__module__", "").startswith("transfer.protocols"):
        return grid
    bound = inspect.signature(protocol).bind(grid, *args, **kwargs)
    bound.apply_defaults()
    values = [value for value in bound.arguments.values() if isinstance(value, str)]
    needed = grid[list(dict.fromkeys(value for value in values if value in grid.data_vars))]
    if keep_seeds or kwargs.get("keep_seeds") or protocol is between_runs:
        return needed
    return needed.map(lambda v: mean_of_there(v, "seed") if "seed" in v.dims else v)


def without_shared_shift(values: xr.DataArray) -> xr.DataArray:
    r"""Return values without what a seed does to all mixtures alike.

    Runs of one seed share their first weights and the order of their batches, whatever the mixture;
    a shift that all mixtures share moves no ranking. What is left of a cell is

    .. math:: \bar x_{m\cdot} + \sqrt{\tfrac{M}{M - 1}}\,
              (x_{ms} - \bar x_{m\cdot} - \bar x_{\cdot s} + \bar x_{\cdot\cdot})

    the root giving back the variance that M mixtures lose by centring.

    Parameters
    ----------
    values : DataArray
        Over `mixture`, and `seed` where there are several; missing seeds are NaN.
    """
    count = values.sizes["mixture"]
    if "seed" not in values.dims or count < 2:
        return values
    own = mean_of_there(values, "seed")
    apart = values - own
    return own + (count / (count - 1)) ** 0.5 * (apart - mean_of_there(apart, "mixture"))


def draw_mixtures(grid: xr.Dataset, chosen: np.ndarray) -> xr.Dataset:
    """Return the grid with mixtures drawn anew, labels gone and their coordinates drawn along."""
    bare = grid.drop_vars("mixture", errors="ignore")
    index = xr.DataArray(chosen, dims=("resample", "mixture"))
    return bare.isel({"mixture": index} | _pointwise(bare, index, "mixture"))


class _Gathered:
    """The results of the parts, each written once to where it stays."""

    def __init__(self, resamples: int) -> None:
        self.resamples = resamples
        self.filled = 0
        self.bare: Any = None
        self.cells: dict[Hashable, np.ndarray] = {}

    def add(self, result: xr.DataArray | xr.Dataset) -> None:
        variables = (
            dict(result.data_vars) if isinstance(result, xr.Dataset) else {result.name: result}
        )
        if self.bare is None:
            self.bare = result.isel(resample=0, drop=True).drop_vars("n", errors="ignore").copy()
        stop = self.filled + result.sizes["resample"]
        for name, values in variables.items():
            order = [dim for dim in values.dims if dim != "resample"]
            moved = values.transpose(*order, "resample").to_numpy()
            if name not in self.cells:
                self.cells[name] = np.empty((*moved.shape[:-1], self.resamples))
            self.cells[name][..., self.filled : stop] = moved
        self.filled = stop

    def whole(self) -> Any:
        if isinstance(self.bare, xr.DataArray):
            return self._array(self.bare)
        return xr.Dataset({name: self._array(self.bare[name]) for name in self.cells})

    def _array(self, bare: xr.DataArray) -> xr.DataArray:
        return xr.DataArray(
            self.cells[bare.name],
            dims=(*bare.dims, "resample"),
            coords=bare.coords,
            name=bare.name,
            attrs=bare.attrs,
        )


class _ItemDraws:
    """Grids of the means over items that are drawn with replacement within each benchmark."""

    def __init__(self, items: Items, grid: xr.Dataset, seed: int) -> None:
        self.grid = grid
        self.parts: list[dict[Hashable, np.ndarray]] = []
        self.dims: tuple[Hashable, ...] = ()
        for name in grid["benchmark"].to_numpy():
            if name not in items:
                raise BadInput(f"benchmark {name}: no items; give the items tables of these runs")
            self.parts.append(self._matrices(items[str(name)]))
        # One stream a benchmark: the draws do not depend on how many are made at a time.
        self.draws = [np.random.default_rng([seed, place]) for place in range(len(self.parts))]

    def take(self, resamples: int) -> xr.Dataset:
        """Return the next resamples."""
        found: dict[Hashable, list[np.ndarray]] = {name: [] for name in self.grid.data_vars}
        for draws, matrices in zip(self.draws, self.parts, strict=True):
            size = next(iter(matrices.values())).shape[0]
            counts = item_counts(draws, resamples, size)
            for name, matrix in matrices.items():
                found[name].append(counts @ matrix / size)
        sizes = [self.grid.sizes[dim] for dim in self.dims]
        dims = ("resample", *self.dims, "benchmark")
        variables = {
            name: (dims, np.stack(parts, axis=-1).reshape(resamples, *sizes, len(parts)))
            for name, parts in found.items()
        }
        return xr.Dataset(variables, coords=self.grid.coords)

    def _matrices(self, measures: xr.Dataset) -> dict[Hashable, np.ndarray]:
        """Return, for each measure, items × runs, in the order of the grid's own dimensions."""
        if "seed" not in self.grid.dims:
            measures = measures.map(lambda v: mean_of_there(v, "seed") if "seed" in v.dims else v)
        self.dims = tuple(d for d in self.grid.sizes if d != "benchmark")
        matrices = {}
        for name in self.grid.data_vars:
            if name not in measures:
                raise BadInput(
                    f"measure {name!r} is no mean over items, so items cannot be drawn for it; "
                    f"choose one of {', '.join(map(str, measures.data_vars))}"
                )
            labels = {d: self.grid[d].to_numpy() for d in self.dims}
            values = measures[name].sel(labels).transpose("item", *self.dims)
            matrices[name] = values.to_numpy().reshape(values.sizes["item"], -1)
        return matrices


def item_counts(draws: np.random.Generator, resamples: int, size: int) -> np.ndarray:
    """Return how often each item is drawn, (resamples, size): every row sums to `size`."""
    chosen = draws.integers(size, size=(resamples, size))
    places = chosen + size * np.arange(resamples)[:, None]
    counts = np.bincount(places.ravel(), minlength=resamples * size)
    return counts.reshape(resamples, size).astype(float)


def _check(over: Sequence[str], resamples: int, items: Items | None) -> None:
    if not over or not set(over) <= set(OVER):
        raise BadInput(f"over {over!r} cannot be resampled; give mixture, seed, item or several")
    if "item" in over and items is None:
        raise BadInput("over item: no items given; read them with transfer.itemwise.read_itemwise")
    if resamples < 1:
        raise BadInput(f"resamples {resamples} is too few; give 1000 or more")


def _draw_seeds(grid: xr.Dataset, draws: np.random.Generator) -> xr.Dataset:
    """Return the grid with seeds drawn anew within each scale, mixture and resample.

    Of K seeds K − 1 are drawn: the mean of those varies by s² / K, as the mean of K fresh seeds
    does, where K draws would vary by (K − 1) / K of it.
    """
    if "seed" not in grid.dims or grid.sizes["seed"] == 1:
        return grid
    grid = grid.map(without_shared_shift)
    first = next(v for v in grid.data_vars.values() if "seed" in v.dims)
    others = [d for d in first.dims if d in ("stage", "benchmark")]
    there = first.notnull().any(others).transpose("resample", "scale", "mixture", "seed").to_numpy()
    # Sorting puts the seeds that are there first; a draw is one of those places.
    order = np.argsort(~there, axis=-1, kind="stable")
    count = np.maximum(there.sum(axis=-1, keepdims=True), 1)
    place = np.floor(draws.random(there.shape) * count).astype(int)
    kept = np.arange(there.shape[-1]) < np.maximum(count - 1, 1)
    index = xr.DataArray(
        np.take_along_axis(order, place, axis=-1), dims=("resample", "scale", "mixture", "seed")
    )
    drawn = grid.drop_vars("seed", errors="ignore").isel(
        {"seed": index} | _pointwise(grid, index, "seed")
    )
    return drawn.where(xr.DataArray(kept, dims=index.dims))


def _pointwise(grid: xr.Dataset, index: xr.DataArray, drawn: str) -> dict[Hashable, xr.DataArray]:
    """Return indexers that keep the other dimensions of an index aligned with what it draws."""
    return {
        dim: xr.DataArray(np.arange(grid.sizes[dim]), dims=(dim,))
        for dim in index.dims
        if dim != drawn and dim in grid.dims
    }
