"""P9: does the benchmark by benchmark structure survive fine-tuning?"""

from __future__ import annotations

from itertools import permutations as orders
from math import factorial

import numpy as np
import xarray as xr

from transfer.protocols.correlations import correlation
from transfer.protocols.stages import coherence

_ROUNDING = 1e-12


def structure_persistence(
    grid: xr.Dataset,
    metric: str = "confidence",
    method: str = "pearson",
    permutations: int = 9_999,
    seed: int = 0,
    keep_seeds: bool = False,
) -> xr.DataArray:
    r"""Return how far the correlation matrix of benchmarks persists through SFT (P9).

    .. math:: \operatorname{corr}_{i<j}\bigl(r_{\mathrm{PT}}(i, j),\; r_{\mathrm{SFT}}(i, j)\bigr)

    Entries of one matrix share benchmarks and mixtures, so the usual p-value is far too small. The
    Mantel test permutes the benchmarks of one matrix, rows and columns together, and counts how
    often the correlation is as high: p = (1 + hits) / (1 + permutations), one-sided, and exact over
    all orders where there are no more of them than `permutations`.

    Parameters
    ----------
    grid : Dataset
    metric : str
    method : {"pearson", "spearman", "kendall"}
        Used within the matrices and between them.
    permutations : int
        0 leaves p out.
    seed : int
        Of the permutations drawn.
    keep_seeds : bool

    Returns
    -------
    DataArray
        r over `scale` (and `seed` if kept), with `n`, the pairs of benchmarks, and `p`. A grid with
        a dimension `resample` has no p.
    """
    before = coherence(grid, metric, "pretrain", "pretrain", method, keep_seeds)
    after = coherence(grid, metric, "sft", "sft", method, keep_seeds)
    leading = [dim for dim in before.dims if dim not in ("benchmark_i", "benchmark_j")]
    x, y = before.to_numpy(), after.transpose(*before.dims).to_numpy()
    rows, columns = np.triu_indices(x.shape[-1], 1)
    r, n = correlation(x[..., rows, columns], y[..., rows, columns], method)
    coords = {c: before[c] for c in before.coords if set(before[c].dims) <= set(leading)}
    coords.pop("n", None)
    result = xr.DataArray(r, dims=leading, coords=coords, name=f"structure_{metric}")
    result = result.assign_coords(n=(leading, n))
    if not permutations or "resample" in leading:
        return result
    p = np.empty(r.shape)
    for place in np.ndindex(r.shape):
        p[place] = mantel(x[place], y[place], method, permutations, seed)
    return result.assign_coords(p=(leading, p))


def mantel(
    x: np.ndarray,
    y: np.ndarray,
    method: str = "pearson",
    permutations: int = 9_999,
    seed: int = 0,
) -> float:
    """Return the one-sided p of a Mantel test of two symmetric matrices.

    Parameters
    ----------
    x, y : ndarray
        (benchmark, benchmark); NaN entries are left out of each correlation.
    """
    size = len(x)
    rows, columns = np.triu_indices(size, 1)
    observed, _ = correlation(x[rows, columns], y[rows, columns], method)
    if np.isnan(observed):
        return float("nan")
    exact = factorial(size) <= permutations if size < 20 else False
    if exact:
        order = np.array(list(orders(range(size))))
    else:
        drawn = np.tile(np.arange(size), (permutations, 1))
        order = np.random.default_rng(seed).permuted(drawn, axis=1)
    shuffled = x[order[:, rows], order[:, columns]]
    r, _ = correlation(shuffled, y[rows, columns], method)
    hits, tried = int((r >= observed - _ROUNDING).sum()), int((~np.isnan(r)).sum())
    # All orders hold the one that was observed; drawn ones need not. Some may leave no pair.
    return hits / tried if exact else (1 + hits) / (1 + tried)
