"""Many tests at once: p-values adjusted for the false discovery rate."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from scipy.stats import false_discovery_control


def adjusted(
    p: xr.DataArray, dim: str = "benchmark", method: Literal["bh", "by"] = "bh"
) -> xr.DataArray:
    """Return q-values: p-values adjusted over a dimension.

    Parameters
    ----------
    p : DataArray
        In [0, 1]; NaN is left out and stays NaN.
    dim : str
        Over whose entries the tests were many.
    method : {"bh", "by"}
        Benjamini and Hochberg's holds for independent and for positively dependent tests;
        Benjamini and Yekutieli's under any dependence, and is more careful.

    Returns
    -------
    DataArray
        As p. Calling everything with q < 0.05 a finding, at most one in twenty is expected false.
    """
    return xr.apply_ufunc(
        _adjust,
        p,
        input_core_dims=[[dim]],
        output_core_dims=[[dim]],
        vectorize=True,
        kwargs={"method": method},
    ).transpose(*p.dims)


def _adjust(p: np.ndarray, method: Literal["bh", "by"]) -> np.ndarray:
    there = ~np.isnan(p)
    q = np.full(p.shape, np.nan)
    if there.any():
        q[there] = false_discovery_control(p[there], method=method)
    return q
