r"""How much of what benchmarks say of the mixtures they say alike.

Benchmarks that rank the mixtures in one order are no independent witnesses of a ranking. With the
scores of each benchmark standardized over the mixtures, and :math:`\lambda_k` the variances of
their principal components, the share that the first holds is

.. math:: \lambda_1 \Big/ \sum_k \lambda_k

It is 1 where all rank alike, and never small: nine mixtures have eight components, the largest of
which chance makes large. So it stands beside what it would be, were each benchmark's scores given
to the mixtures in an order of its own.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from transfer.protocols.selection import at, measure_of


def shared_variance(
    grid: xr.Dataset,
    metric: str = "accuracy",
    stage: str = "pretrain",
    orders: int = 1000,
    seed: int = 0,
) -> xr.DataArray:
    """Return the share of the benchmarks' variance over mixtures that one component holds.

    Parameters
    ----------
    grid : Dataset
        From `transfer.read_measures`. A benchmark that lacks a mixture, or whose scores are all
        equal, is left out.
    metric, stage : str
    orders : int
        How many times the mixtures of every benchmark are put into an order of its own.
    seed : int
        Of these orders.

    Returns
    -------
    DataArray
        The share, 0 to 1, over `scale`, with `by_chance`, its mean over the orders, `p`, one-sided,
        that an order gives as much, and `n`, the benchmarks. NaN with fewer than two benchmarks or
        three mixtures.
    """
    values = at(measure_of(grid, metric), "stage", stage).transpose(..., "mixture", "benchmark")
    found = xr.apply_ufunc(
        lambda scores: _shares(scores, orders, seed),
        values,
        input_core_dims=[["mixture", "benchmark"]],
        output_core_dims=[[], [], [], []],
        vectorize=True,
    )
    share, by_chance, p, n = found
    share = share.rename(f"shared_{metric}")
    return share.assign_coords(by_chance=by_chance, p=p, n=n)


def _shares(scores: np.ndarray, orders: int, seed: int) -> tuple[float, float, float, int]:
    """Return the share, its mean over orders, p and the number of benchmarks, from one table."""
    scores = scores[:, ~np.isnan(scores).any(axis=0)]
    centred = scores - scores.mean(axis=0)
    norm = np.linalg.norm(centred, axis=0)
    kept = norm > 1e-9 * np.abs(scores).max(axis=0, initial=1.0)
    unit = centred[:, kept] / norm[kept]
    mixtures, count = unit.shape
    if count < 2 or mixtures < 3:
        return np.nan, np.nan, np.nan, count
    draws = np.random.default_rng(seed)
    moved = draws.permuted(np.broadcast_to(unit, (orders, *unit.shape)), axis=1)
    share, *by_chance = (_first(table) for table in (unit, *moved))
    # An order that changes nothing may differ in the last bit.
    as_much = int((np.array(by_chance) >= share - 1e-9).sum())
    return share, float(np.mean(by_chance)), (1 + as_much) / (1 + orders), count


def _first(unit: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(unit @ unit.T)[-1] / unit.shape[1])
