"""P7 and P8: does confidence go with accuracy, and does that persist?"""

from __future__ import annotations

import numpy as np
import xarray as xr

from transfer.protocols.correlations import correlate
from transfer.protocols.selection import at, categories_of, measure_of, without


def alignment(
    grid: xr.Dataset,
    accuracy: str = "accuracy",
    confidence: str = "confidence",
    method: str = "pearson",
    keep_seeds: bool = False,
) -> xr.DataArray:
    r"""Return, for each model and category, how confidence goes with accuracy (P7).

    .. math:: r_{\mathrm{align}}(m, s, t, C)
              = \operatorname{corr}_{b \in C}(a_{m,b,s,t},\; c_{m,b,s,t})

    Protocol P7 of the paper (RQ4), a proxy of calibration: below 0 a model is most confident on the
    benchmarks where it is most wrong. With four to seven benchmarks a category, each r rests on as
    many points. The paper then averages over mixtures: `alignment(grid).mean("mixture")`.

    Returns
    -------
    DataArray
        r over `scale, stage, mixture, category` (and `seed` if kept), with `n`, the benchmarks.
    """
    a = without(measure_of(grid, accuracy, keep_seeds), "chance", "normalization")
    c = without(measure_of(grid, confidence, keep_seeds), "chance", "normalization")
    names = categories_of(a)
    parts = []
    for name in names:
        inside = np.flatnonzero((a["category"] == name).to_numpy())
        x, y = (without(v.isel(benchmark=inside), "category") for v in (a, c))
        r = correlate(x, y, "benchmark", method, f"{accuracy} or {confidence} in {name}")
        parts.append(r.expand_dims(category=[name]))
    r = xr.concat(parts, "category", coords="different", compat="equals", join="exact")
    r["category"] = np.array(names, dtype=object)
    return r.transpose(..., "category").rename("alignment")


def alignment_without_one(
    grid: xr.Dataset,
    accuracy: str = "accuracy",
    confidence: str = "confidence",
    method: str = "pearson",
) -> xr.DataArray:
    """Return the mean alignment (P7) of each benchmark's category without that benchmark.

    An interval over mixtures does not show how far alignment hangs on one benchmark, for all
    mixtures share them.

    Returns
    -------
    DataArray
        The mean r over mixtures, over `scale, stage, benchmark`, with `category`; NaN where fewer
        than three benchmarks are left.
    """
    whole = without(alignment(grid, accuracy, confidence, method), "n").mean("mixture")
    nothing = whole.isel(category=0, drop=True) * np.nan
    names, categories = grid["benchmark"].to_numpy(), grid["category"].to_numpy()
    parts = []
    for name, category in zip(names, categories, strict=True):
        others = grid.sel(benchmark=(categories == category) & (names != name))
        mean = nothing
        if others.sizes["benchmark"]:
            aligned = without(alignment(others, accuracy, confidence, method), "n")
            mean = aligned.isel(category=0, drop=True).mean("mixture")
        parts.append(mean)
    r = xr.concat(parts, "benchmark").assign_coords(benchmark=grid["benchmark"])
    return r.transpose(..., "benchmark").rename("alignment")


def alignment_persistence(
    grid: xr.Dataset,
    accuracy: str = "accuracy",
    confidence: str = "confidence",
    method: str = "pearson",
    keep_seeds: bool = False,
) -> xr.DataArray:
    r"""Return how far alignment persists through SFT, per category (P8).

    .. math:: \operatorname{corr}_m(r_{\mathrm{align}}(m, s, \mathrm{PT}, C),\;
              r_{\mathrm{align}}(m, s, \mathrm{SFT}, C))

    Returns
    -------
    DataArray
        r over `scale, category` (and `seed` if kept), with `n`, the number of mixtures.
    """
    aligned = without(alignment(grid, accuracy, confidence, method, keep_seeds), "n")
    r = correlate(
        at(aligned, "stage", "pretrain"),
        at(aligned, "stage", "sft"),
        "mixture",
        method,
        "alignment",
    )
    return r.rename("alignment_persistence")
