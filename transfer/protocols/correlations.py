"""Correlation along a named dimension, with missing cells, ties and constant vectors.

`correlation` works on arrays, `correlate` on DataArrays. Both take any number of leading
dimensions at once, so that ten thousand resamples are one call.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from transfer.errors import BadInput

METHODS = ("pearson", "spearman", "kendall")

FEWEST_PAIRS = 3
"""With two pairs every r is 1 or −1, so fewer than three give NaN."""

_ROUNDING = 1e-13
_DIGITS = 12
_CELLS_AT_ONCE = 2_000_000


class ConstantVector(UserWarning):
    """A vector does not vary, so its correlation with anything is undefined (NaN)."""


def correlate(
    x: xr.DataArray,
    y: xr.DataArray,
    dim: str,
    method: str = "pearson",
    what: str = "",
    orders: xr.DataArray | None = None,
) -> xr.DataArray:
    """Return the correlation of two arrays along a dimension.

    Parameters
    ----------
    x, y : DataArray
        Both with `dim`; their other dimensions are matched by name.
    dim : str
        The dimension that is correlated over, and gone from the result.
    method : {"pearson", "spearman", "kendall"}
        Kendall's is tau-b.
    what : str
        What is correlated, for the warning.
    orders : DataArray of int, optional
        Over `resample` and `dim`: y is taken in each of these orders, x as it is.

    Returns
    -------
    DataArray
        r in [−1, 1] over the other dimensions, with a coordinate `n`: the number of pairs of which
        both cells are there. NaN where n < 3 or a vector is constant.

    Warns
    -----
    ConstantVector
        Naming what is constant. Not for resamples, where a constant vector is a matter of chance.
    """
    if method not in METHODS:
        raise BadInput(f"method {method!r} is not known; give {', '.join(METHODS)}")
    last = [] if orders is None else ["resample"]
    taken = None if orders is None else orders.transpose("resample", dim).to_numpy()
    r, n = xr.apply_ufunc(
        correlation if orders is None else over_orders,
        x,
        y,
        input_core_dims=[[dim], [dim]],
        output_core_dims=[last, last],
        kwargs={"method": method} | ({} if orders is None else {"orders": taken}),
        join="exact",
    )
    result = r.assign_coords(n=(r.dims, n.transpose(*r.dims).data))
    if "resample" not in result.dims:
        _warn_constant(x, y, result, dim, what)
    return result


def correlation(
    x: np.ndarray, y: np.ndarray, method: str = "pearson"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the correlation along the last axis, and the number of complete pairs.

    Parameters
    ----------
    x, y : ndarray
        Broadcast against each other; NaN is a missing cell, and its pair is left out.
    method : {"pearson", "spearman", "kendall"}

    Returns
    -------
    r, n : ndarray
        Without the last axis. r is NaN where n < 3 or a vector is constant over its pairs.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    shape = np.broadcast_shapes(x.shape, y.shape)
    x, y = (_with_axes(array, len(shape)) for array in (x, y))
    cells = max(_cells(shape, method), x.size, y.size)
    if len(shape) > 1 and shape[0] > 1 and cells > _CELLS_AT_ONCE:
        return _in_parts(x, y, shape, method, parts=min(shape[0], -(-cells // _CELLS_AT_ONCE)))
    if np.isnan(x).any() or np.isnan(y).any():
        # Ranks and means of a pair depend on which of its cells are there.
        there = ~np.isnan(x) & ~np.isnan(y)
        x, y = np.where(there, x, np.nan), np.where(there, y, np.nan)
        n = there.sum(axis=-1)
    else:
        n = np.full(shape[:-1], shape[-1])
    unit = {"pearson": _deviations, "spearman": _ranks, "kendall": _signs}[method]
    r = np.clip(np.einsum("...i,...i->...", unit(x), unit(y)), -1, 1)
    return np.where(n >= FEWEST_PAIRS, r, np.nan), n


def over_orders(
    x: np.ndarray, y: np.ndarray, method: str, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the correlation of x with y in each of some orders, over a new last axis.

    Parameters
    ----------
    x, y : ndarray
        As for `correlation`.
    method : {"pearson", "spearman", "kendall"}
    orders : (orders, cells of the last axis) ndarray of int
    """
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    if method == "kendall" or np.isnan(x).any() or np.isnan(y).any():
        return correlation(x[..., None, :], y[..., orders], method)
    # Neither the mean nor the norm nor a rank changes with the order: they are had once.
    unit = _deviations if method == "pearson" else _ranks
    one, other = unit(x), unit(y)
    r = np.empty((*x.shape[:-1], len(orders)))
    columns = np.ascontiguousarray(orders.T)
    for place in np.ndindex(r.shape[:-1]):
        # One product a mixture, looked up for all orders: no array of orders × mixtures of floats.
        products = one[place][:, None] * other[place]
        r[place] = sum(row.take(at) for row, at in zip(products, columns, strict=True))
    n = np.full(r.shape, x.shape[-1])
    return np.where(n >= FEWEST_PAIRS, np.clip(r, -1, 1), np.nan), n


def constant(x: np.ndarray) -> np.ndarray:
    """Return whether the cells along the last axis are all equal, up to rounding; NaN is skipped.

    A vector with fewer than three cells is not called constant.
    """
    there = ~np.isnan(x)
    high = np.where(there, x, -np.inf).max(axis=-1, initial=-np.inf)
    low = np.where(there, x, np.inf).min(axis=-1, initial=np.inf)
    enough = there.sum(axis=-1) >= FEWEST_PAIRS
    # Seed means of equal numbers may differ in the last bit.
    return enough & (high - low <= _ROUNDING * np.maximum(np.abs(high), np.abs(low)))


def settled(x: np.ndarray) -> np.ndarray:
    """Return x with the last bits rounded off, so that numbers equal up to rounding tie.

    The mean of the same accuracies in another order, or the same rank correlation summed in
    another order, may differ in the last bit, which ranks must not see.
    """
    size = np.nanmax(np.abs(x), axis=-1, keepdims=True, initial=0.0)
    # A power of two divides without rounding.
    scale = np.exp2(np.ceil(np.log2(np.where(size > 0, size, 1.0))))
    return np.round(x / scale, _DIGITS)


def _deviations(x: np.ndarray) -> np.ndarray:
    """Return x centred and divided by its norm; 0 where missing, NaN where constant."""
    x = np.ascontiguousarray(x)
    total = np.einsum("...i->...", x)
    if np.isnan(total).any():
        there = ~np.isnan(x)
        count = np.maximum(there.sum(axis=-1, keepdims=True), 1)
        filled = np.where(there, x, 0)
        centred = np.where(there, filled - filled.sum(axis=-1, keepdims=True) / count, 0)
    else:
        filled, centred = x, x - total[..., None] / max(x.shape[-1], 1)
    squares = np.einsum("...i,...i->...", centred, centred)
    # Only a vector whose spread is lost beside its size may be constant up to rounding.
    level = np.einsum("...i,...i->...", filled, filled)
    flat = squares <= x.shape[-1] * (10 * _ROUNDING) ** 2 * level
    if flat.any():
        flat &= constant(x) | (squares == 0)
    return centred / np.sqrt(np.where(flat, np.nan, squares))[..., None]


def _ranks(x: np.ndarray) -> np.ndarray:
    """Return the deviations of the ranks of x; ties share their mean rank."""
    there = ~np.isnan(x)
    # Missing cells rank last, so the others' ranks are what they are without them.
    ranks = rankdata(np.where(there, settled(x), np.inf), axis=-1)
    return _deviations(np.where(there & ~constant(x)[..., None], ranks, _flat(there)))


def _flat(there: np.ndarray) -> np.ndarray:
    return np.where(there, 1.0, np.nan)


def _signs(x: np.ndarray) -> np.ndarray:
    """Return the sign of every difference of two cells, divided by the norm of them all."""
    first, second = np.triu_indices(x.shape[-1], 1)
    steps = settled(x)
    signs = np.nan_to_num(np.sign(steps[..., first] - steps[..., second]))
    norm = np.sqrt(np.abs(signs).sum(axis=-1))
    norm = np.where(constant(x) | (norm == 0), np.nan, norm)
    return signs / norm[..., None]


def _with_axes(array: np.ndarray, axes: int) -> np.ndarray:
    return array.reshape((1,) * (axes - array.ndim) + array.shape)


def _cells(shape: tuple[int, ...], method: str) -> int:
    length = shape[-1]
    # The products of Pearson's and Spearman's are summed without being kept.
    each = length * (length - 1) // 2 if method == "kendall" else 1
    return int(np.prod(shape[:-1], dtype=np.int64)) * each


def _in_parts(
    x: np.ndarray, y: np.ndarray, shape: tuple[int, ...], method: str, parts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Work through the first axis in parts, so that memory stays bounded."""
    r = np.empty(shape[:-1])
    n = np.empty(shape[:-1], dtype=int)
    edges = np.linspace(0, shape[0], parts + 1).astype(int)
    for start, stop in pairwise(edges):
        some_x, some_y = (array if len(array) == 1 else array[start:stop] for array in (x, y))
        if stop - start == 1 and len(shape) > 2:
            r[start], n[start] = correlation(some_x[0], some_y[0], method)
        else:
            r[start:stop], n[start:stop] = correlation(some_x, some_y, method)
    return r, n


def _warn_constant(
    x: xr.DataArray, y: xr.DataArray, result: xr.DataArray, dim: str, what: str
) -> None:
    undefined = result.isnull() & (result["n"] >= FEWEST_PAIRS)
    if not undefined.any():
        return
    # Name the vectors that are constant themselves; a pair may also become so by missing cells.
    named = [label for array in (x, y) for label in _labels(_constant_cells(array, dim))]
    named = list(dict.fromkeys(named)) or list(_labels(undefined))
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    warnings.warn(
        f"{what or x.name or 'a vector'} does not vary over {dim}, so r is NaN: "
        f"{'; '.join(named[:5])}{more}",
        ConstantVector,
        stacklevel=4,
    )


def _constant_cells(array: xr.DataArray, dim: str) -> xr.DataArray:
    return xr.apply_ufunc(constant, array, input_core_dims=[[dim]])


def _labels(flags: xr.DataArray) -> Iterable[str]:
    """Yield `scale S, benchmark x` for every cell that is true."""
    for place in np.argwhere(flags.to_numpy()):
        cell: dict[Any, int] = dict(zip(flags.dims, place, strict=True))
        yield ", ".join(f"{dim} {_label(flags, dim, at)}" for dim, at in cell.items()) or "all"


def _label(flags: xr.DataArray, dim: Any, at: int) -> Any:
    return flags[dim].to_numpy()[at] if dim in flags.coords else at
