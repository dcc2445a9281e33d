"""P1 to P6: what persists from stage to stage, and which benchmarks move together."""

from __future__ import annotations

import numpy as np
import xarray as xr

from transfer.errors import BadInput
from transfer.protocols.correlations import correlate
from transfer.protocols.selection import at, categories_of, mean_of_there, measure_of, without

_OF_BENCHMARKS = ("chance", "normalization")


def cross_stage(
    grid: xr.Dataset,
    metric: str = "accuracy",
    method: str = "pearson",
    keep_seeds: bool = False,
    before: str = "pretrain",
    after: str = "sft",
    orders: xr.DataArray | None = None,
) -> xr.DataArray:
    r"""Return how far the ranking of mixtures after pretraining persists after SFT (P1, P2).

    .. math:: r(b, s) = \operatorname{corr}_m(x_{m,b,s,\mathrm{PT}},\; x_{m,b,s,\mathrm{SFT}})

    Protocols P1 (`metric="accuracy"`) and P2 (`metric="confidence"`) of the paper (RQ1, RQ2); it
    reads r > 0.7 as a ranking that holds and r < 0.3 as one that does not.

    Parameters
    ----------
    grid : Dataset
        From `transfer.read_measures`.
    metric : str
        A measure of the grid.
    method : {"pearson", "spearman", "kendall"}
    keep_seeds : bool
        Correlate each seed by itself instead of the mean over seeds.
    before, after : str
        The two stages.
    orders : DataArray of int, optional
        Over `resample, mixture`: the mixtures after SFT are taken in each of these orders, for
        permutation tests.

    Returns
    -------
    DataArray
        r over `scale, benchmark` (and `seed` if kept), with `n`, the number of mixtures.
    """
    values = without(measure_of(grid, metric, keep_seeds), *_OF_BENCHMARKS)
    r = correlate(
        at(values, "stage", before),
        at(values, "stage", after),
        "mixture",
        method,
        metric,
        orders,
    )
    return r.rename(f"r_{metric}")


def mean_cross_stage(
    grid: xr.Dataset,
    metric: str = "accuracy",
    method: str = "pearson",
    before: str = "pretrain",
    after: str = "sft",
    which: xr.DataArray | None = None,
) -> xr.DataArray:
    """Return the mean of `cross_stage` over benchmarks, those without an r left out.

    Parameters
    ----------
    grid, metric, method, before, after
        As for `cross_stage`.
    which : DataArray of bool, optional
        The benchmarks that count, over `benchmark`, and over `scale` where it differs.
    """
    r = cross_stage(grid, metric, method, before=before, after=after).drop_vars("n")
    return mean_of_there(r if which is None else r.where(which), "benchmark")


def category_cross_stage(
    grid: xr.Dataset,
    metric: str = "accuracy",
    method: str = "pearson",
    before: str = "pretrain",
    after: str = "sft",
) -> xr.DataArray:
    """Return the mean of `cross_stage` over the benchmarks of each category (P6)."""
    return by_category(cross_stage(grid, metric, method, before=before, after=after))


def between_runs(
    grid: xr.Dataset,
    metric: str = "accuracy",
    method: str = "pearson",
    before: str = "pretrain",
    after: str = "sft",
) -> xr.Dataset:
    r"""Return how far a ranking persists within runs, and from run to run of the same mixtures.

    .. math:: \text{within}(b) = \overline{r(k, k)}, \quad
              \text{between}(b) = \overline{r(k, l)}_{k \ne l}, \quad
              r(k, l) = \operatorname{corr}_m(x_{m,b,k,\mathrm{PT}},\; x_{m,b,l,\mathrm{SFT}})

    over the seeds k and l of a scale. A run is fine-tuned from its own pretraining, so its luck is
    in both of its scores and makes `within` larger. Who trains another model on the mixture that
    ranks first has `between`. Both are of single runs, whose noise pulls them towards zero more
    than that of a mean over seeds.

    Returns
    -------
    Dataset
        `within`, `between` and their difference `luck`, over `scale, benchmark`; NaN at a scale
        with one seed.
    """
    values = without(measure_of(grid, metric, keep_seeds=True), *_OF_BENCHMARKS)
    if "seed" not in values.dims:
        raise BadInput("the table has no seeds apart; give one with a row for each seed")
    parts = [values]
    if "scale" in values.dims:
        parts = [values.isel(scale=[place]) for place in range(values.sizes["scale"])]
    found = [
        _between(part.dropna("seed", how="all"), metric, method, before, after) for part in parts
    ]
    whole = xr.concat(found, "scale") if len(found) > 1 else found[0]
    return whole.assign(luck=whole["within"] - whole["between"])


def _between(values: xr.DataArray, metric: str, method: str, before: str, after: str) -> xr.Dataset:
    """Return `within` and `between` of the runs of one scale."""
    pairs = ["seed_before", "seed_after"]
    x = at(values, "stage", before).rename(seed=pairs[0]).drop_vars(pairs[0], errors="ignore")
    y = at(values, "stage", after).rename(seed=pairs[1]).drop_vars(pairs[1], errors="ignore")
    r = correlate(x, y, "mixture", method, metric).drop_vars("n")
    same = xr.DataArray(np.eye(values.sizes["seed"], dtype=bool), dims=pairs)
    between = mean_of_there(r.where(~same), pairs)
    within = mean_of_there(r.where(same), pairs).where(between.notnull())
    return xr.Dataset({"within": within, "between": between})


def coherence(
    grid: xr.Dataset,
    metric: str = "accuracy",
    first: str = "pretrain",
    second: str = "pretrain",
    method: str = "pearson",
    keep_seeds: bool = False,
) -> xr.DataArray:
    r"""Return how benchmarks move together over mixtures (P3, P4, P5).

    .. math:: r(i, j) = \operatorname{corr}_m(x_{m,i,t_1},\; x_{m,j,t_2})

    P3 has both stages `pretrain`, P4 both `sft`, P5 `pretrain` for i and `sft` for j. Above 0 the
    two benchmarks gain together (synergy), below 0 what helps one hurts the other (competition).

    Returns
    -------
    DataArray
        r over `scale, benchmark_i, benchmark_j`, all pairs, with `category_i`, `category_j` and
        `n`. For P3 and P4 the matrix is symmetric and its diagonal 1; the diagonal of P5 is P1.
        `by_category` takes the pairs within a category and leaves the diagonal out.
    """
    values = without(measure_of(grid, metric, keep_seeds), *_OF_BENCHMARKS)
    names = {"benchmark", "category"} & {*values.dims, *values.coords}
    x = at(values, "stage", first).rename({name: f"{name}_i" for name in names})
    y = at(values, "stage", second).rename({name: f"{name}_j" for name in names})
    r = correlate(x, y, "mixture", method, metric)
    leading = [dim for dim in r.dims if dim not in ("benchmark_i", "benchmark_j")]
    r = r.transpose(*leading, "benchmark_i", "benchmark_j").rename(f"coherence_{metric}")
    r.attrs["symmetric"] = first == second
    return r


def by_category(r: xr.DataArray) -> xr.DataArray:
    r"""Return the mean of P1 to P5 over a category (P6).

    .. math:: \bar r(C) = \frac{1}{|C|} \sum_{b \in C} r(b)
              \quad\text{or}\quad \frac{1}{|P_C|} \sum_{(i, j) \in P_C} r(i, j)

    with the pairs i < j (P3, P4) or i ≠ j (P5) within C. A NaN is left out of the mean.

    Parameters
    ----------
    r : DataArray
        From `cross_stage` (dimension `benchmark`) or `coherence` (`benchmark_i, benchmark_j`).

    Returns
    -------
    DataArray
        Over `category` and the other dimensions, with `n`: the benchmarks or pairs averaged.
    """
    if "benchmark" in r.dims:
        dims = ["benchmark"]
        names = categories_of(r)
        members = [r["category"].to_numpy() == name for name in names]
    else:
        dims = ["benchmark_i", "benchmark_j"]
        names = categories_of(r, "category_i")
        rows, columns = r["category_i"].to_numpy(), r["category_j"].to_numpy()
        pair = ~np.eye(len(rows), dtype=bool)
        if r.attrs.get("symmetric", True):
            pair = np.triu(pair)
        members = [pair & np.outer(rows == name, columns == name) for name in names]
    weights = xr.DataArray(np.array(members, float), dims=("category", *dims))
    bare = r.reset_coords(drop=True).drop_vars(dims)
    there = bare.notnull().astype(float)
    count = xr.dot(there, weights, dim=dims)
    total = xr.dot(bare.fillna(0), weights, dim=dims)
    mean = (total / count.where(count > 0)).assign_coords(category=np.array(names, dtype=object))
    leading = [dim for dim in r.dims if dim not in dims]
    mean = mean.transpose(*leading, "category")
    kept = {c: r[c] for c in r.coords if r[c].dims and set(r[c].dims) <= set(leading)}
    n = count.transpose(*mean.dims).to_numpy().astype(int)
    return mean.assign_coords(kept | {"n": (mean.dims, n)}).rename(r.name)
