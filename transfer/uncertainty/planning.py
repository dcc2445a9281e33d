"""How many mixtures, seeds and items it takes, and how often intervals hold what they promise.

`python -m transfer.uncertainty.planning data/simulations/coverage.csv` makes the committed table.

Both are had by simulation with a known truth. A mixture's true scores before and after fine-tuning
are normal and correlate at rho; a measured score adds the noise of seeds and items.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from transfer.files import replacing
from transfer.protocols import cross_stage
from transfer.uncertainty.intervals import bootstrap, fisher_interval

DIMENSIONS = ("scale", "stage", "seed", "mixture", "benchmark")


def simulated(
    rho: float, mixtures: int, sets: int, reliability: float = 1.0, seed: int = 0, tail: float = 0.0
) -> xr.Dataset:
    """Return a grid whose benchmarks are independent studies with a true correlation.

    Parameters
    ----------
    rho : float
        Correlation of the mixtures' true scores at the two stages.
    mixtures, sets : int
        Mixtures of a study, and how many studies.
    reliability : float
        Share of the variance of a measured score that is not noise, in [0, 1].
    seed : int
    tail : float
        0 draws normal scores; 1 over the degrees of freedom of Student's t otherwise.
    """
    draws = np.random.default_rng(seed)
    shape = (1, 1, 1, mixtures, sets)
    before, other, *noise = draws.normal(size=(4, *shape))
    after = rho * before + np.sqrt(1 - rho**2) * other
    if tail:
        # One divisor for both stages keeps their correlation.
        freedom = 1 / tail
        spread = np.sqrt(freedom / draws.chisquare(freedom, size=shape))
        before, after = before * spread, after * spread
    share = np.sqrt([reliability, 1 - reliability])
    stages = [
        share[0] * true + share[1] * n for true, n in zip((before, after), noise, strict=True)
    ]
    return xr.Dataset(
        {"score": (DIMENSIONS, np.concatenate(stages, axis=1))},
        coords={"scale": ["simulated"], "stage": ["pretrain", "sft"]},
    )


def coverage(
    rhos: Sequence[float] = (0.0, 0.5, 0.8),
    mixtures: Sequence[int] = (9, 25),
    sets: int = 1_000,
    resamples: int = 1_000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how often each kind of interval of one r holds the true value.

    Returns
    -------
    DataFrame
        `scores` (normal, heavy-tailed), `mixtures, rho, kind` (percentile, bca, fisher),
        `coverage`, its standard error `error`, and `width`, the mean width. Heavy-tailed is
        Student's t with 5 degrees of freedom.
    """
    rows = []
    for scores, tail in (("normal", 0.0), ("heavy-tailed", 0.2)):
        for count in mixtures:
            for rho in rhos:
                grid = simulated(rho, count, sets, seed=seed, tail=tail)
                ends = {}
                for kind in ("percentile", "bca"):
                    found = bootstrap(
                        cross_stage, grid, "score", resamples=resamples, level=level, kind=kind
                    )
                    ends[kind] = (found["low"].to_numpy(), found["high"].to_numpy())
                ends["fisher"] = fisher_interval(found["value"].to_numpy(), count, level)
                for kind, (low, high) in ends.items():
                    held = float(((low <= rho) & (rho <= high)).mean())
                    rows.append(
                        {
                            "scores": scores,
                            "mixtures": count,
                            "rho": rho,
                            "kind": kind,
                            "coverage": held,
                            "error": np.sqrt(held * (1 - held) / sets),
                            "width": float(np.mean(high - low)),
                        }
                    )
    return pd.DataFrame(rows)


def reliability_with(
    signal: float,
    seed_noise: float,
    item_noise: float,
    seeds_times: float = 1,
    items_times: float = 1,
) -> float:
    """Return the reliability of a ranking with more seeds or items than now.

    Parameters
    ----------
    signal : float
        Variance of the mixtures' true scores.
    seed_noise, item_noise : float
        Variances of a mixture's score that come from seeds and from items, as things are.
    seeds_times, items_times : float
        How many times as many there would be.
    """
    noise = seed_noise / seeds_times + item_noise / items_times
    return signal / (signal + noise) if signal > 0 else 0.0


def power(
    mixtures: Sequence[int],
    reliability: float = 1.0,
    rho: float = 0.5,
    against: float = 0.0,
    sets: int = 4_000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Return how often a study would tell a true correlation from another.

    A study of one benchmark tells :math:`\rho` from `against` if the difference of Fisher's
    :math:`\operatorname{artanh} r` lies outside what `level` of studies give where there is no
    difference. Against 0 that is one study against a fixed value; against another value it is two
    studies, one with each truth, as when two scales are compared. Noise draws both towards 0.

    Returns
    -------
    DataFrame
        `mixtures, reliability, rho, against, power`.
    """
    rows = []
    for count in mixtures:
        first = _z(rho, count, sets, reliability, seed)
        if against == 0:
            null, seen = _z(0.0, count, sets, reliability, seed + 1), first
        else:
            middle = (rho + against) / 2
            null = _z(middle, count, sets, reliability, seed + 2)
            null = null - _z(middle, count, sets, reliability, seed + 3)
            seen = first - _z(against, count, sets, reliability, seed + 1)
        limit = np.quantile(np.abs(null), level)
        rows.append(
            {
                "mixtures": count,
                "reliability": reliability,
                "rho": rho,
                "against": against,
                "power": float((np.abs(seen) > limit).mean()),
            }
        )
    return pd.DataFrame(rows)


def main(path: str) -> None:
    """Write the table of coverage that the page on nine mixtures shows; takes some minutes."""
    with replacing(path) as beside:
        coverage(sets=2_000).to_csv(beside, index=False, float_format="%.5f")


def _z(rho: float, mixtures: int, sets: int, reliability: float, seed: int) -> np.ndarray:
    grid = simulated(rho, mixtures, sets, reliability, seed)
    return np.arctanh(cross_stage(grid, "score").to_numpy().ravel())


if __name__ == "__main__":
    main(*sys.argv[1:])
