"""Does a cheap score pick the right mixture?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr

from transfer.errors import BadInput
from transfer.protocols.correlations import correlation, settled
from transfer.protocols.selection import (
    LOWER_IS_BETTER,
    at,
    categories_of,
    measure_of,
    without,
)

AIMS = ("benchmark", "category", "all")


def decision(
    grid: xr.Dataset,
    metric: str = "accuracy",
    proxy: tuple[str, str] = ("S", "pretrain"),
    target: tuple[str, str] = ("L", "sft"),
    keep_seeds: bool = False,
    target_metric: str | None = None,
    aim: str = "benchmark",
) -> xr.Dataset:
    r"""Return how well a proxy's ranking of mixtures decides for the target's.

    Decision accuracy, as DataDecide measures it, is the share of pairs of mixtures that the proxy
    orders as the target does:

    .. math:: \frac{1}{|P|} \sum_{(m, m') \in P}
              [\operatorname{sign}(x_m - x_{m'}) = \operatorname{sign}(y_m - y_{m'})]

    P has the pairs whose target differs; a pair on which the proxy ties counts one half. Kendall's
    tau-b counts ties in its own way. Regret is the target's best value less the target's value of
    the mixture that the proxy puts first (the mean of them where it puts several first).

    Parameters
    ----------
    grid : Dataset
    metric : str
        For a measure that is better when lower (nll, brier, ece, aurc), best means lowest.
    proxy, target : (scale, stage)
    keep_seeds : bool
    target_metric : str, optional
        What is decided for, where it is another measure than the proxy's.
    aim : {"benchmark", "category", "all"}
        Whether a benchmark decides for itself, for the mean of its category, or for the mean of all
        benchmarks; it is part of either mean. A mixture's mean is NaN where one of them is.

    Returns
    -------
    Dataset
        `decision_accuracy` in [0, 1], `kendall` in [−1, 1] and `regret` ≥ 0 in the measure's unit,
        each over `benchmark`, with `n`, the mixtures that both have. NaN where n < 2, and for
        Kendall where n < 3.

    Raises
    ------
    BadInput
        If a scale or a stage is not in the table, or there are no categories to aim at.
    """
    wanted = target_metric or metric
    values, aims = (
        without(measure_of(grid, name, keep_seeds), "chance", "normalization")
        for name in (metric, wanted)
    )
    x = at(at(values, "scale", proxy[0]), "stage", proxy[1])
    y = at(at(aims, "scale", target[0]), "stage", target[1])
    y = _aimed(y, aim)
    signs = [-1 if name in LOWER_IS_BETTER else 1 for name in (metric, wanted)]
    result = xr.apply_ufunc(
        _decide,
        signs[0] * x,
        signs[1] * y,
        input_core_dims=[["mixture"], ["mixture"]],
        output_core_dims=[[], [], [], []],
        join="exact",
    )
    share, kendall, regret, n = result
    dataset = xr.Dataset({"decision_accuracy": share, "kendall": kendall, "regret": regret})
    return dataset.assign_coords(n=(n.dims, n.to_numpy()))


def carry_over(grid: xr.Dataset, metric: str = "accuracy", stage: str = "sft") -> xr.DataArray:
    """Return how far each scale's order of mixtures, at one stage, is that of the next scale.

    Returns
    -------
    DataArray
        Decision accuracy (`decision`) over `pair` and `benchmark`, with the coordinates `smaller`
        and `larger` of each pair of neighbouring scales.

    Raises
    ------
    BadInput
        If the table has one scale, or not this stage.
    """
    scales = [str(scale) for scale in grid["scale"].to_numpy()]
    if len(scales) < 2:
        raise BadInput(f"the table has one scale, {scales[0]}; give a table with two or more")
    pairs = list(pairwise(scales))
    parts = [
        decision(grid, metric, proxy=(smaller, stage), target=(larger, stage))["decision_accuracy"]
        for smaller, larger in pairs
    ]
    smaller, larger = zip(*pairs, strict=True)
    return xr.concat(parts, "pair").assign_coords(
        smaller=("pair", list(smaller)), larger=("pair", list(larger))
    )


def category_means(grid: xr.Dataset, everything: str = "all benchmarks") -> xr.Dataset:
    """Return a grid whose benchmarks are the means of the categories, and the mean of all.

    A mixture's mean is NaN where one of its benchmarks is.

    Returns
    -------
    Dataset
        As the grid, with `benchmark` the names of the categories, where there are any, and, last,
        `everything`.
    """
    names, groups = [], []
    if "category" in grid.coords:
        names, category = categories_of(grid), grid["category"].to_numpy()
        groups = [np.flatnonzero(category == name) for name in names]
    groups.append(np.arange(grid.sizes["benchmark"]))
    labels = np.array([*names, everything], dtype=object)
    bare = grid.drop_vars([c for c in grid.coords if "benchmark" in grid[c].dims])
    means = [bare.isel(benchmark=group).mean("benchmark", skipna=False) for group in groups]
    joined = xr.concat(means, "benchmark")
    return joined.assign_coords(benchmark=labels, category=("benchmark", labels))


def _aimed(values: xr.DataArray, aim: str) -> xr.DataArray:
    """Return the values, or for each benchmark the mean of its category or of all."""
    if aim not in AIMS:
        raise BadInput(f"aim {aim!r} is not known; give {', '.join(AIMS)}")
    if aim == "benchmark":
        return values
    if aim == "all":
        groups = [np.arange(values.sizes["benchmark"])]
    else:
        names = categories_of(values)
        groups = [np.flatnonzero(values["category"].to_numpy() == name) for name in names]
    axis = values.get_axis_num("benchmark")
    pooled = np.empty(values.shape)
    for group in groups:
        place: list = [slice(None)] * values.ndim
        place[axis] = group
        mean = values.to_numpy()[tuple(place)].mean(axis=axis, keepdims=True)
        pooled[tuple(place)] = mean
    return values.copy(data=pooled)


def _decide(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return decision accuracy, Kendall's tau-b, regret and n along the last axis."""
    there = ~np.isnan(x) & ~np.isnan(y)
    x, y = np.where(there, x, np.nan), np.where(there, y, np.nan)
    first, second = np.triu_indices(x.shape[-1], 1)
    settled_x, settled_y = settled(x), settled(y)
    by_proxy = np.sign(settled_x[..., first] - settled_x[..., second])
    by_target = np.sign(settled_y[..., first] - settled_y[..., second])
    decided = np.abs(np.nan_to_num(by_target))
    pairs = decided.sum(axis=-1)
    # 1 where the signs agree, one half where the proxy ties, 0 where they are opposite.
    right = np.nansum((1 + by_proxy * by_target) / 2 * decided, axis=-1)
    share = np.where(pairs > 0, right / np.maximum(pairs, 1), np.nan)
    n = there.sum(axis=-1)
    best_x = np.where(there, settled_x, -np.inf).max(axis=-1, keepdims=True)
    best_y = np.where(there, y, -np.inf).max(axis=-1)
    chosen = there & (settled_x == best_x)
    got = np.where(chosen, y, 0).sum(axis=-1) / np.maximum(chosen.sum(axis=-1), 1)
    with np.errstate(invalid="ignore"):
        regret = np.where(n >= 2, np.maximum(best_y - got, 0), np.nan)
    return share, correlation(x, y, "kendall")[0], regret, n
