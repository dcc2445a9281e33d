"""Does a cheap score pick the right mixture?"""

from __future__ import annotations

import numpy as np
import xarray as xr

from transfer.protocols.correlations import correlation, settled
from transfer.protocols.selection import LOWER_IS_BETTER, at, measure_of, without


def decision(
    grid: xr.Dataset,
    metric: str = "accuracy",
    proxy: tuple[str, str] = ("S", "pretrain"),
    target: tuple[str, str] = ("L", "sft"),
    keep_seeds: bool = False,
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

    Returns
    -------
    Dataset
        `decision_accuracy` in [0, 1], `kendall` in [−1, 1] and `regret` ≥ 0 in the measure's unit,
        each over `benchmark`, with `n`, the mixtures that both have. NaN where n < 2, and for
        Kendall where n < 3.

    Raises
    ------
    BadInput
        If a scale or a stage is not in the table.
    """
    values = without(measure_of(grid, metric, keep_seeds), "chance", "normalization")
    x = at(at(values, "scale", proxy[0]), "stage", proxy[1])
    y = at(at(values, "scale", target[0]), "stage", target[1])
    sign = -1 if metric in LOWER_IS_BETTER else 1
    result = xr.apply_ufunc(
        _decide,
        sign * x,
        sign * y,
        input_core_dims=[["mixture"], ["mixture"]],
        output_core_dims=[[], [], [], []],
        join="exact",
    )
    share, kendall, regret, n = result
    dataset = xr.Dataset({"decision_accuracy": share, "kendall": kendall, "regret": regret})
    return dataset.assign_coords(n=(n.dims, n.to_numpy()))


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
