r"""How much of a ranking of mixtures is signal, and the highest r that the noise allows.

A benchmark's score of a mixture is a mean over seeds and items. Another seed, or other items, would
have given another. The reliability of a ranking is the share of the variance over mixtures that is
not such noise:

.. math:: \rho = 1 - \frac{\sigma^2_e}{V}, \qquad
          \sigma^2_e = \frac{MS_{\text{seed}}}{K}
          + \frac{1}{n}\Bigl(MS_{m \times i} - \frac{MS_{s \times i}}{K}\Bigr)

with V the variance of the mixtures' means, K seeds and n items, and the mean squares of an analysis
of variance of mixtures, seeds and items. An item that is hard for all mixtures alike is no noise to
a ranking, nor is a seed that is good for all of them: runs of one seed share their first weights
and the order of their batches. With one seed the noise of seeds cannot be had: the reliability is
then over items alone, an upper bound.

Were the noise of the two stages independent, a correlation of two rankings could not be expected
above the ceiling :math:`\sqrt{\rho_{PT}\, \rho_{SFT}}` (Spearman, 1904). It is not: the same items
are used at both stages, and a fine-tuned run starts from the weights of its own pretraining, so
what is peculiar to them persists too. An r above the ceiling owes something to noise that both
stages share. The corrected r sets one half of the items before fine-tuning against the other half
after it, and divides by what the halves allow; it is free of the items' part of this, not of the
seeds'.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import f as f_distribution

from transfer.protocols.correlations import correlation
from transfer.protocols.selection import mean_of_there
from transfer.uncertainty.resampling import without_shared_shift

LEAST = 0.5
"""Below this reliability a ranking is mostly noise, and the benchmark is not measurable."""

MARKS = ("measurable", "not measurable")


def reliability(
    items: Mapping[str, xr.Dataset], metric: str = "accuracy", level: float = 0.95
) -> xr.Dataset:
    """Return the reliability of each benchmark's ranking of mixtures.

    Parameters
    ----------
    items : mapping
        Per-item measures by benchmark, from `transfer.itemwise.read_itemwise`.
    metric : str
    level : float
        Of the interval.

    Returns
    -------
    Dataset
        Over `scale, stage, benchmark`: `from_items` (fresh items), `from_seeds` (fresh seeds; NaN
        with one seed) and `reliability` (both; items alone with one seed), each at most 1, and
        below 0 where mixtures differ less than the noise would make them differ. `low` and `high`
        are the interval of `reliability` over fresh mixtures, exact for normal scores (Shrout and
        Fleiss, 1979). `spread` and `noise` are standard deviations of a mixture's score, in the
        measure's unit, and `signal_to_noise` is the range over mixtures divided by `noise`, as
        Signal and Noise has it (arXiv:2508.13144), with seeds and items in the place of its
        checkpoints. `seeds`, the seeds used.
    """
    parts = {name: _components(part[metric]) for name, part in items.items()}
    names = np.array(list(parts), dtype=object)
    joined = xr.concat(list(parts.values()), "benchmark", coords="minimal", compat="override")
    found = joined.assign_coords(benchmark=names)
    variance = found["variance"].where(found["variance"] > 0)
    result = xr.Dataset(
        {
            "from_items": 1 - found["item_noise"] / variance,
            "from_seeds": 1 - found["seed_noise"] / variance,
            "reliability": 1 - found["noise"] / variance,
        }
    )
    # V / noise is distributed as F times its true value.
    ratio = variance / found["noise"].where(found["noise"] > 0)
    tail = (1 - level) / 2
    for name, at in (("low", 1 - tail), ("high", tail)):
        bound = xr.apply_ufunc(
            lambda a, b, at=at: f_distribution.ppf(at, a, b), found["df"], found["noise_df"]
        )
        result[name] = 1 - bound / ratio
    result["spread"] = np.sqrt(found["variance"])
    result["noise"] = np.sqrt(found["noise"])
    result["signal_to_noise"] = found["range"] / result["noise"].where(result["noise"] > 0)
    result["seeds"] = found["seeds"]
    dims = [d for d in ("scale", "stage", "benchmark") if d in result.dims]
    return result.transpose(*dims)


def spreads(grid: xr.Dataset, metric: str = "accuracy") -> xr.Dataset:
    r"""Return how far mixtures differ, and how far seeds of one mixture do.

    Returns
    -------
    Dataset
        Over `scale, stage, benchmark`, in the measure's unit: `mixtures`, the standard deviation of
        the mixtures' means over K seeds; `noise`, that of a mean over K seeds of one mixture (NaN
        with one seed), without what a seed does to all mixtures alike; `signal`, what is left of
        the first without the second, :math:`\sqrt{\max(0, V - \sigma^2_{seed} / K)}`; and
        `seeds`, K, the mean over mixtures.
    """
    values = grid[metric]
    variance = mean_of_there(values, "seed").var("mixture", ddof=1)
    with warnings.catch_warnings():
        # A mixture with one seed has no variance of seeds: NaN, as said above.
        warnings.filterwarnings("ignore", "Degrees of freedom", RuntimeWarning)
        within = mean_of_there(without_shared_shift(values).var("seed", ddof=1), "mixture")
    each = values.count("seed")
    count = each.where(each > 0).mean("mixture")
    left = (variance - within / count).clip(min=0)
    return xr.Dataset(
        {
            "mixtures": variance**0.5,
            "noise": (within / count) ** 0.5,
            "signal": left**0.5,
            "seeds": count,
        }
    )


def marks(reliable: xr.Dataset) -> xr.DataArray:
    """Return, per scale and benchmark, whether a ranking can be told from noise at both stages.

    `not measurable` where the reliability at either stage is below `LEAST`, or undefined.
    """
    worst = reliable["reliability"].min("stage", skipna=False)
    return xr.where(worst >= LEAST, *MARKS).rename("mark")


def ceiling(reliable: xr.Dataset, before: str = "pretrain", after: str = "sft") -> xr.DataArray:
    """Return √(ρ_PT ρ_SFT), 0 to 1: the highest r to expect were the stages' noise independent.

    Stages share their items and their seeds' weights, so r may be higher.
    """
    both = reliable["reliability"].clip(min=0)
    product = both.sel(stage=before, drop=True) * both.sel(stage=after, drop=True)
    return (product**0.5).rename("ceiling")


def typical(reliable: xr.Dataset, scale: str) -> dict[str, float]:
    """Return the variances of a typical benchmark at a scale: medians over benchmarks and stages.

    Returns
    -------
    dict
        `signal`, `seed_noise` (0 where it cannot be had) and `item_noise`.
    """
    part = reliable.sel(scale=scale)
    variance, noise = part["spread"] ** 2, part["noise"] ** 2
    seed_noise = ((1 - part["from_seeds"]) * variance).fillna(0)
    found = {
        "signal": (variance - noise).clip(min=0),
        "seed_noise": seed_noise,
        "item_noise": (noise - seed_noise).clip(min=0),
    }
    return {name: float(values.median()) for name, values in found.items()}


def with_marks(
    table: pd.DataFrame, items: Mapping[str, xr.Dataset], metric: str = "accuracy"
) -> pd.DataFrame:
    """Return a table of benchmarks with `ceiling`, `mark` and `seeds`; unchanged without items.

    Parameters
    ----------
    table : DataFrame
        With columns `scale` and `benchmark`.
    items : mapping
        From `transfer.itemwise.find_itemwise`; may be empty.
    metric : str
        A mean over items; the table is unchanged for another.
    """
    if not items or any(metric not in part for part in items.values()):
        return table
    reliable = reliability(items, metric)
    for values in (ceiling(reliable), marks(reliable), reliable["seeds"].min("stage")):
        part = values.to_dataframe().reset_index()[["scale", "benchmark", values.name]]
        table = table.merge(part, on=["scale", "benchmark"], how="left")
    return table


def halves(
    items: Mapping[str, xr.Dataset], metric: str = "accuracy", splits: int = 50, seed: int = 0
) -> xr.Dataset:
    """Return a measure on random halves of the items of each benchmark.

    Returns
    -------
    Dataset
        The metric, over `split, half, scale, stage, seed, mixture, benchmark`: a grid that
        protocols take, with two dimensions more. An odd item is left out.
    """
    parts = []
    for place, part in enumerate(items.values()):
        values = part[metric].transpose(..., "item")
        size = values.sizes["item"]
        draws = np.random.default_rng([seed, place])
        order = draws.permuted(np.tile(np.arange(size), (splits, 1)), axis=1)
        taken = order[:, : size // 2 * 2].reshape(splits, 2, size // 2)
        chosen = np.zeros((splits, 2, size))
        np.put_along_axis(chosen, taken, 1 / max(size // 2, 1), axis=-1)
        means = np.tensordot(chosen, values.to_numpy(), axes=(-1, -1))
        dims = ("split", "half", *values.dims[:-1])
        coords = {name: c for name, c in values.coords.items() if "item" not in c.dims}
        parts.append(xr.DataArray(means, dims=dims, coords=coords))
    names = np.array(list(items), dtype=object)
    return xr.concat(parts, "benchmark").assign_coords(benchmark=names).to_dataset(name=metric)


def split_half_reliability(halved: xr.Dataset, metric: str = "accuracy") -> xr.DataArray:
    r"""Return the reliability over items from split halves, stepped up to all items.

    .. math:: \frac{2 r}{1 + r}

    (Spearman and Brown), with r the mean correlation over splits of the two halves' mixtures.
    """
    r = _correlated(halved[metric].isel(half=0), halved[metric].isel(half=1)).mean("split")
    return (2 * r / (1 + r)).rename("split_half")


def corrected_cross_stage(halved: xr.Dataset, metric: str = "accuracy") -> xr.DataArray:
    r"""Return the cross-stage r corrected for the noise of items.

    .. math:: \frac{\tfrac12 \overline{(r_{AB'} + r_{BA'})}}
              {\sqrt{\bar r_{AB}\; \bar r_{A'B'}}}

    where A and B are halves of the items before fine-tuning and A′ and B′ the same halves after it.
    No two halves that are correlated share an item, so nothing peculiar to an item persists by
    itself. It may leave [−1, 1]; NaN where the halves of a stage do not agree (r ≤ 0).

    Parameters
    ----------
    halved : Dataset
        From `halves`. As a protocol it can be resampled over mixtures.
    """
    values = halved[metric]
    if "seed" in values.dims:
        values = mean_of_there(values, "seed")
    before, after = (values.sel(stage=stage, drop=True) for stage in ("pretrain", "sft"))
    crossed = _correlated(before, after.isel(half=[1, 0])).mean(["split", "half"])
    within = [_correlated(v.isel(half=0), v.isel(half=1)).mean("split") for v in (before, after)]
    allowed = (within[0].where(within[0] > 0) * within[1].where(within[1] > 0)) ** 0.5
    return (crossed / allowed).rename("corrected_r")


def _correlated(x: xr.DataArray, y: xr.DataArray) -> xr.DataArray:
    if "seed" in x.dims:
        x, y = (mean_of_there(v, "seed") for v in (x, y))
    bare = [v.drop_vars(["half", "mixture"], errors="ignore") for v in (x, y)]
    return xr.apply_ufunc(
        lambda a, b: correlation(a, b)[0], *bare, input_core_dims=[["mixture"], ["mixture"]]
    )


def _components(values: xr.DataArray) -> xr.Dataset:
    """Return the variance over mixtures and its noise, from the cells of one benchmark."""
    dims = [d for d in values.dims if d not in ("seed", "mixture", "item")]
    core: list[Any] = [["mixture", "seed", "item"]]
    names = ("variance", "item_noise", "seed_noise", "noise", "df", "noise_df", "range", "seeds")
    found = xr.apply_ufunc(
        _anova, values, input_core_dims=core, output_core_dims=[[]] * len(names), vectorize=True
    )
    arrays = dict(zip(names, found, strict=True))
    return xr.Dataset(arrays).drop_vars("item", errors="ignore").transpose(*dims)


def _anova(cells: np.ndarray) -> tuple[float, ...]:
    """Return the variance components of mixtures × seeds × items; a missing seed is left out."""
    there = ~np.isnan(cells).any(axis=-1)
    seeds = there.sum(axis=1)
    kept = seeds > 0
    if kept.sum() < 3:
        return (np.nan,) * 7 + (0.0,)
    cells, there, seeds = cells[kept], there[kept], seeds[kept]
    size = cells.shape[-1]
    # With unequal numbers of seeds, noise is that of the harmonic mean.
    k = 1 / np.mean(1 / seeds)
    per_item = np.array([c[t].mean(axis=0) for c, t in zip(cells, there, strict=True)])
    means = per_item.mean(axis=1)
    mixtures = len(means)
    rest = per_item - means[:, None] - per_item.mean(axis=0) + means.mean()
    ms_items = (rest**2).sum() / ((mixtures - 1) * (size - 1))
    variance = means.var(ddof=1)
    item_noise = ms_items / size
    seed_df = int((seeds - 1).sum())
    if (there == there[0]).all():
        # What a seed does to all mixtures alike is no noise to their ranking.
        cells = cells - np.where(there[0][:, None], cells.mean(axis=0), 0)
        seed_df = (mixtures - 1) * int(seeds[0] - 1)
    if seed_df == 0:
        df = (mixtures - 1) * (size - 1)
        noise, seed_noise = item_noise, np.nan
    else:
        runs = [c[t] for c, t in zip(cells, there, strict=True)]
        ms_seed = sum(((r.mean(axis=1) - r.mean()) ** 2).sum() for r in runs) / seed_df
        residual = sum(
            ((r - r.mean(axis=0) - r.mean(axis=1, keepdims=True) + r.mean()) ** 2).sum()
            for r in runs
        )
        ms_both = residual / (seed_df * (size - 1))
        seed_noise = ms_seed / k
        own = max((ms_items - ms_both / k) / size, 0.0)
        noise = seed_noise + own
        # Satterthwaite's degrees of freedom of the sum.
        df = (
            noise**2 / (seed_noise**2 / seed_df + own**2 / ((mixtures - 1) * (size - 1)))
            if noise > 0
            else np.inf
        )
    spread = float(means.max() - means.min())
    return (variance, item_noise, seed_noise, noise, mixtures - 1, df, spread, float(seeds.max()))
