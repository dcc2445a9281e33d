"""Times resampling and permutation beside what a user would pick, in one run.

`make bench` runs it; or `python tests/benchmarks/bench_uncertainty.py`. The references are scipy's
own vectorised `bootstrap`, called once a pair, and a loop over `permutation_test`. Both are timed
on some pairs, and their time for all pairs is had by multiplying.
"""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy import stats

import transfer
from transfer.uncertainty import bootstrap, permutation

RESAMPLES = 10_000
PROTOCOLS: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "P1, P2": (transfer.cross_stage, ()),
    "P3": (transfer.coherence, ("pretrain", "pretrain")),
    "P4": (transfer.coherence, ("sft", "sft")),
    "P5": (transfer.coherence, ("pretrain", "sft")),
}


def made_up(
    mixtures: int = 9, benchmarks: int = 20, scales: tuple[str, ...] = ("S", "M", "L")
) -> xr.Dataset:
    """Return a grid whose stages go together."""
    rng = np.random.default_rng(0)
    dims = ("scale", "stage", "seed", "mixture", "benchmark")
    shape = (len(scales), 1, 1, mixtures, benchmarks)
    variables = {}
    for name in ("accuracy", "confidence"):
        signal = rng.normal(size=shape)
        noise = rng.normal(size=(len(scales), 2, 1, mixtures, benchmarks))
        variables[name] = (dims, 0.5 + 0.05 * (signal + noise))
    return xr.Dataset(
        variables,
        coords={
            "scale": list(scales),
            "stage": ["pretrain", "sft"],
            "mixture": [f"m{place}" for place in range(mixtures)],
            "benchmark": [f"b{place}" for place in range(benchmarks)],
        },
    )


def all_protocols(grid: xr.Dataset, resamples: int, kind: str) -> int:
    """Resample P1 to P5 for both metrics; return how many correlations have an interval."""
    found = 0
    for metric in ("accuracy", "confidence"):
        for protocol, stages in PROTOCOLS.values():
            result = bootstrap(protocol, grid, metric, *stages, resamples=resamples, kind=kind)
            found += result["low"].size
    return found


def r(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """Return Pearson's r along an axis, as a user would write it for scipy."""
    a = a - a.mean(axis=axis, keepdims=True)
    b = b - b.mean(axis=axis, keepdims=True)
    return (a * b).sum(axis) / np.sqrt((a**2).sum(axis) * (b**2).sum(axis))


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def scipy_r(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """Return Pearson's r along an axis, as scipy has it."""
    return stats.pearsonr(a, b, axis=axis).statistic


def scipy_bootstrap(grid: xr.Dataset, statistic: Callable, pairs: int, resamples: int) -> float:
    """Return scipy's seconds for one pair's BCa interval."""
    x, y = (grid["accuracy"].to_numpy()[0, stage, 0].T for stage in (0, 1))

    def work() -> None:
        for place in range(pairs):
            stats.bootstrap(
                (x[place], y[place]),
                statistic,
                paired=True,
                vectorized=True,
                n_resamples=resamples,
                method="BCa",
                rng=np.random.default_rng(0),
            )

    return seconds(work) / pairs


def scipy_permutation(grid: xr.Dataset, pairs: int) -> float:
    """Return scipy's seconds for one pair's exact test, statistic by statistic."""
    x, y = (grid["accuracy"].to_numpy()[0, stage, 0].T for stage in (0, 1))

    def work() -> None:
        for place in range(pairs):
            stats.permutation_test(
                (y[place],),
                lambda b, place=place: np.corrcoef(x[place], b)[0, 1],
                permutation_type="pairings",
                vectorized=False,
                n_resamples=np.inf,
            )

    return seconds(work) / pairs


def scipy_permutation_vectorized(grid: xr.Dataset, pairs: int) -> float:
    """Return scipy's seconds for one pair's exact test, all orders in one call."""
    x, y = (grid["accuracy"].to_numpy()[0, stage, 0].T for stage in (0, 1))

    def work() -> None:
        for place in range(pairs):
            stats.permutation_test(
                (y[place],),
                lambda b, axis, place=place: r(x[place], b, axis),
                permutation_type="pairings",
                vectorized=True,
                n_resamples=np.inf,
            )

    return seconds(work) / pairs


def peak() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def line(what: str, took: float, more: str = "") -> None:
    """Print one row of the table."""
    print(f"{what:<62}{took:>9.2f} s  {more}", flush=True)


def main() -> None:
    """Print the table."""
    print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}")
    grid = made_up()
    all_protocols(grid, 100, "bca")
    pairs = all_protocols(grid, 10, "percentile")
    for kind in ("percentile", "bca"):
        took = seconds(lambda kind=kind: all_protocols(grid, RESAMPLES, kind))
        line(
            f"P1-P5, 20 benchmarks, 3 scales, 2 metrics, {RESAMPLES} x, {kind}",
            took,
            f"{pairs} correlations, peak {peak():.0f} MB",
        )
    for name, statistic in (("r by hand", r), ("pearsonr", scipy_r)):
        each = scipy_bootstrap(grid, statistic, 20, RESAMPLES)
        line(
            f"scipy.stats.bootstrap (vectorised, BCa, {name}), once a pair",
            each * pairs,
            f"{1000 * each:.1f} ms a pair; ratio {each * pairs / took:.0f}",
        )
    one = made_up(scales=("S",))
    exact = seconds(lambda: permutation(transfer.cross_stage, one, "accuracy"))
    line("all 362,880 orders, 20 benchmarks, 1 scale", exact)
    whole = scipy_permutation_vectorized(one, 3) * 20
    line(
        "scipy.stats.permutation_test, vectorised, once a benchmark",
        whole,
        f"ratio {whole / exact:.0f}",
    )
    loop = scipy_permutation(one, 1) * 20
    line(
        "scipy.stats.permutation_test, not vectorised, once a benchmark",
        loop,
        f"ratio {loop / exact:.0f}",
    )
    print("how it grows (BCa, both metrics, P1-P5)")
    for mixtures in (9, 25, 100):
        grid = made_up(mixtures=mixtures)
        line(
            f"  {mixtures} mixtures, 20 benchmarks, 2000 resamples",
            seconds(lambda grid=grid: all_protocols(grid, 2000, "bca")),
            f"peak {peak():.0f} MB",
        )
    for benchmarks in (10, 40):
        grid = made_up(benchmarks=benchmarks)
        line(
            f"  9 mixtures, {benchmarks} benchmarks, 2000 resamples",
            seconds(lambda grid=grid: all_protocols(grid, 2000, "bca")),
            f"peak {peak():.0f} MB",
        )
    grid = made_up()
    for resamples in (1_000, 5_000, 20_000):
        line(
            f"  9 mixtures, 20 benchmarks, {resamples} resamples",
            seconds(lambda n=resamples, grid=grid: all_protocols(grid, n, "bca")),
            f"peak {peak():.0f} MB",
        )


if __name__ == "__main__":
    main()
