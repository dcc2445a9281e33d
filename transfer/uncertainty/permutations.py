"""Permutation tests: could the tie between the two stages be a matter of chance?

Were there no tie, the mixtures could stand in any other order after SFT. All orders are tried where
there are no more of them than nine mixtures have, 362,880; beyond that, as many as asked for are
drawn. The design is a factorial of web source and composition, so mixtures of one web source are
more alike than others; orders that only move mixtures within a web source, or within a composition,
test what is left of the tie when that is taken away.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import xarray as xr

from transfer.errors import BadInput
from transfer.uncertainty.resampling import chunks, needed_by

MOST_EXACT = math.factorial(9)
"""Up to this many orders all are tried."""
_ROUNDING = 1e-12


def permutation(
    protocol: Callable[..., xr.DataArray],
    grid: xr.Dataset,
    *args: Any,
    within: str | None = None,
    permutations: int = 99_999,
    seed: int = 0,
    alternative: str = "two-sided",
    **kwargs: Any,
) -> xr.Dataset:
    """Return a protocol's result with permutation p-values for the tie between the stages.

    Parameters
    ----------
    protocol : callable
        Takes a grid first and returns a DataArray; `cross_stage`, or a mean of it. The mixtures of
        the last stage are put in every order, the same for all benchmarks and scales.
    grid : Dataset
        With both stages.
    within : str, optional
        A coordinate of the mixtures, such as `web` or `code_share` (which tells the compositions
        apart): orders move mixtures only among those that share it.
    permutations : int
        How many orders are drawn where there are too many to try them all.
    seed : int
    alternative : {"two-sided", "greater", "less"}

    Returns
    -------
    Dataset
        `value` and `p`: the share of orders with a result at least as extreme. All orders hold the
        one that was seen; where orders are drawn, it is counted in: p = (1 + hits) / (1 + orders).
        Orders that have no result, as a missing cell may leave too few mixtures, do not count.
        With `within`, extreme is far from the mean over the orders: what ties the blocks is in
        every one of them.
        Attributes: `orders`, `exact` (0 or 1) and `within`.
    """
    if alternative not in ("two-sided", "greater", "less"):
        raise BadInput(f"alternative {alternative!r}: give two-sided, greater or less")
    value = protocol(grid, *args, **kwargs)
    blocks = _blocks(grid, within)
    number = math.prod(math.factorial(len(block)) for block in blocks)
    exact = number <= MOST_EXACT
    orders = every_order(blocks) if exact else drawn_orders(blocks, permutations, seed)
    direct = "orders" in inspect.signature(protocol).parameters
    needed = needed_by(protocol, grid, args, kwargs)
    middle, hits, tried = (np.zeros(value.shape) for _ in range(3))
    found_in: list[np.ndarray] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        parts = chunks(len(orders), value.to_dataset(name="value") if direct else needed)
        for start, stop in parts:
            part = xr.DataArray(orders[start:stop], dims=("resample", "mixture"))
            if direct:
                found = protocol(needed, *args, orders=part, **kwargs)
            else:
                found = protocol(reordered(needed, part), *args, **kwargs)
            cells = found.transpose(*value.dims, "resample").to_numpy()
            tried += (~np.isnan(cells)).sum(axis=-1)
            if within is None:
                hits += _hits(cells, value.to_numpy(), middle, alternative)
            else:
                found_in.append(cells)
    if within is not None:
        cells = np.concatenate(found_in, axis=-1)
        middle = np.nanmean(cells, axis=-1)
        hits = _hits(cells, value.to_numpy(), middle, alternative)
    p = share(hits, tried, exact)
    result = value.rename("value").to_dataset()
    result["p"] = (value.dims, np.where(np.isnan(value.to_numpy()), np.nan, p))
    result.attrs |= {"orders": len(orders), "exact": int(exact), "within": within or ""}
    return result


def reordered(grid: xr.Dataset, orders: xr.DataArray) -> xr.Dataset:
    """Return the grid with the mixtures of its last stage in other orders, over `resample`."""
    stages = grid.sizes["stage"]
    index = xr.concat(
        [*[_as_they_are(orders)] * (stages - 1), orders], xr.DataArray(range(stages), dims="stage")
    ).drop_vars("stage", errors="ignore")
    marked: list[Hashable] = [name for name in grid.coords if "mixture" in grid[name].dims]
    bare = grid.drop_vars([*marked, "mixture"], errors="ignore")
    return bare.isel(mixture=index, stage=xr.DataArray(range(stages), dims="stage"))


def every_order(blocks: list[np.ndarray]) -> np.ndarray:
    """Return all orders that keep each block's places among themselves, (orders, mixtures)."""
    size = sum(map(len, blocks))
    found = np.arange(size)[None]
    for block in blocks:
        moved = block[_all_orders(len(block))]
        found = np.repeat(found, len(moved), axis=0)
        found[:, block] = np.tile(moved, (len(found) // len(moved), 1))
    return found


def _all_orders(size: int) -> np.ndarray:
    """Return every order of 0 … size − 1: the largest goes to each place of every shorter order."""
    found = np.zeros((1, 0), dtype=np.intp)
    for largest in range(size):
        found = np.concatenate(
            [np.insert(found, place, largest, axis=1) for place in range(largest + 1)]
        )
    return found


def drawn_orders(blocks: list[np.ndarray], number: int, seed: int) -> np.ndarray:
    """Return random orders that keep each block's places among themselves."""
    draws = np.random.default_rng(seed)
    found = np.tile(np.arange(sum(map(len, blocks))), (number, 1))
    for block in blocks:
        found[:, block] = draws.permuted(found[:, block], axis=1)
    return found


def _blocks(grid: xr.Dataset, within: str | None) -> list[np.ndarray]:
    if within is None:
        return [np.arange(grid.sizes["mixture"])]
    if within not in grid.coords or grid[within].dims != ("mixture",):
        raise BadInput(
            f"within {within!r} is no coordinate of the mixtures; give web or code_share, and the "
            "suite whose file describes them"
        )
    labels = grid[within].to_numpy()
    return [np.flatnonzero(labels == label) for label in dict.fromkeys(labels.tolist())]


def share(hits: np.ndarray, tried: np.ndarray, exact: bool) -> np.ndarray:
    """Return p-values from how many of the orders tried were as extreme as the one seen.

    All orders hold the one that was seen; drawn ones need not, so it is counted in.
    """
    with np.errstate(invalid="ignore"):
        return hits / tried if exact else (1 + hits) / (1 + tried)


def _as_they_are(orders: xr.DataArray) -> xr.DataArray:
    return xr.zeros_like(orders) + np.arange(orders.sizes["mixture"])


def _hits(cells: np.ndarray, value: np.ndarray, middle: np.ndarray, alternative: str) -> np.ndarray:
    """Return how many orders have a result at least as far from the middle as the one seen."""
    far: Callable[[np.ndarray], np.ndarray] = {
        "two-sided": np.abs,
        "greater": np.positive,
        "less": np.negative,
    }[alternative]
    seen = far(value - middle)[..., None]
    return (far(cells - middle[..., None]) >= seen - _ROUNDING).sum(axis=-1)
