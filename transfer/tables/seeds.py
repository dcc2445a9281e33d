"""The same number of seeds at every scale.

A mean over three seeds is less noisy than one seed, and noise pulls a correlation towards 0. Two
scales with different numbers of seeds would differ in r for that alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr


def match_seeds(grid: xr.Dataset) -> xr.Dataset:
    """Return a grid in which each mixture has the same number of seeds at every scale.

    Of each mixture and scale the first k seeds stay, with k the least number that the mixture has
    at any scale. What goes beyond becomes NaN; a mixture that a scale lacks is NaN at all of them.

    Parameters
    ----------
    grid : Dataset
        From `transfer.read_measures`. Without a dimension `seed` or `scale` it stays as it is.

    Returns
    -------
    Dataset
        The same dimensions and variables. A seed that nothing is left of is gone.
    """
    if not {"seed", "scale"} <= set(grid.dims):
        return grid
    there = _runs(grid)
    least = there.sum("seed").min("scale")
    kept = there & (there.cumsum("seed") <= least)

    def masked(values: xr.DataArray) -> xr.DataArray:
        return values.where(kept) if {"scale", "seed", "mixture"} <= set(values.dims) else values

    left = np.flatnonzero(kept.any(["scale", "mixture"]).to_numpy())
    return grid.map(masked, keep_attrs=True).isel(seed=left if len(left) else [0])


def seeds_per_scale(grid: xr.Dataset) -> pd.DataFrame:
    """Return how many seeds each scale has.

    Returns
    -------
    DataFrame
        `scale, fewest, most`: the seeds with every stage, of the mixture with the fewest and of
        that with the most.
    """
    count = _runs(grid).sum("seed")
    return pd.DataFrame(
        {
            "scale": [str(scale) for scale in grid["scale"].to_numpy()],
            "fewest": count.min("mixture").to_numpy(),
            "most": count.max("mixture").to_numpy(),
        }
    )


def _runs(grid: xr.Dataset) -> xr.DataArray:
    """Return whether a run is there with every stage, over `scale, mixture, seed`."""
    accuracy: xr.DataArray = grid["accuracy"]
    there = accuracy.count("benchmark").min("stage") > 0
    return there.transpose("scale", "mixture", "seed").reset_coords(drop=True)
