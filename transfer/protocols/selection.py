"""What a protocol takes from a grid: a measure, a stage, a scale, and the mean over seeds."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from transfer.errors import BadInput

LOWER_IS_BETTER = ("nll", "brier", "ece", "aurc")


def measure_of(grid: xr.Dataset, metric: str, keep_seeds: bool = False) -> xr.DataArray:
    """Return one measure of a grid, averaged over the seeds that are there unless they are kept.

    Raises
    ------
    BadInput
        If the grid has no such measure.
    """
    there = [str(name) for name in grid.data_vars if name != "n_items"]
    if metric not in there:
        raise BadInput(f"metric {metric!r} is not in the table; it has {', '.join(there)}")
    values = grid[metric]
    if keep_seeds or "seed" not in values.dims:
        return values
    return mean_of_there(values, "seed")


def mean_of_there(values: xr.DataArray, dim: str | list[str]) -> xr.DataArray:
    """Return the mean of the cells that are there; NaN where none is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return values.mean(dim, skipna=True)


def at(values: xr.DataArray, dim: str, label: str) -> xr.DataArray:
    """Return the part of an array at one label of a dimension, without that coordinate.

    Raises
    ------
    BadInput
        If the label is not there.
    """
    there = values[dim].to_numpy().tolist()
    if label not in there:
        raise BadInput(
            f"{dim} {label!r} is not in the table; it has {', '.join(str(v) for v in there)}"
        )
    return values.isel({dim: there.index(label)}, drop=True)


def categories_of(values: xr.DataArray | xr.Dataset, coordinate: str = "category") -> list[str]:
    """Return the categories in order of appearance.

    Raises
    ------
    BadInput
        If the benchmarks have no categories.
    """
    if coordinate not in values.coords:
        raise BadInput(
            "the benchmarks have no category; add a column category to the table, or give the suite"
        )
    return list(dict.fromkeys(np.atleast_1d(values[coordinate].to_numpy()).tolist()))


def without(values: xr.DataArray, *coordinates: str) -> xr.DataArray:
    """Return an array without some coordinates, whether it has them or not."""
    return values.drop_vars(list(coordinates), errors="ignore")
