"""What the rows of the scorecard measure.

A quantity is an array over `resample` and `scale`; an estimate of it takes a row's scale and
returns value, low and high.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from transfer.claims.estimates import (
    Estimates,
    NotTestable,
    Triple,
    category_coherence,
    code_share,
    coherence_with_rest,
    confidence_structure,
    filter_on_accuracy,
    filter_on_alignment,
    mean_alignment,
    persistence_of_alignment,
)
from transfer.protocols import cross_stage

Quantity = Callable[[Estimates], xr.DataArray]


def at_scale(quantity: Quantity) -> Callable[[Estimates, str], Triple]:
    """Return an estimate of a quantity at the row's scale."""

    def estimate(e: Estimates, scale: str) -> Triple:
        return e.triple(e.at(quantity(e), scale=scale))

    return estimate


def change(quantity: Quantity) -> Callable[[Estimates, str], Triple]:
    """Return an estimate of the largest scale's value less the smallest's."""

    def estimate(e: Estimates, scale: str) -> Triple:
        values = quantity(e)
        return e.triple(e.at(values, scale=e.scales[-1]) - e.at(values, scale=e.scales[0]))

    return estimate


def published_change(small: np.ndarray, large: np.ndarray) -> float:
    """Return the mean at the large scale less the mean at the small one."""
    return float(large.mean() - small.mean())


def not_comparable(*values: np.ndarray) -> float:
    """Return NaN: the published numbers are of single benchmarks, ours is a share of them."""
    return float("nan")


def rank_persistence(metric: str, *categories: str) -> Quantity:
    """Return the mean of P1 or P2 over benchmarks, of some categories or of all."""
    return lambda e: e.mean_over(e.of(cross_stage, metric), categories)


def mean_coherence(metric: str, stage: str, *categories: str) -> Quantity:
    """Return the mean coherence within some categories at one stage (P6 of P3 or P4)."""

    def quantity(e: Estimates) -> xr.DataArray:
        values = e.of(category_coherence, metric, stage, stage, e.paired)
        return sum(e.at(values, category=name) for name in categories) / len(categories)  # type: ignore[return-value]

    return quantity


def alignment_of(category: str) -> Quantity:
    """Return alignment in a category, averaged over mixtures and both stages."""
    return lambda e: e.at(e.of(mean_alignment), category=category).mean("stage")


def alignment_persistence_of(*categories: str) -> Quantity:
    """Return alignment persistence (P8), averaged over some categories."""

    def quantity(e: Estimates) -> xr.DataArray:
        values = e.of(persistence_of_alignment)
        return sum(e.at(values, category=name) for name in categories) / len(categories)  # type: ignore[return-value]

    return quantity


def filter_effect(protocol: Callable) -> Quantity:
    """Return what the educational filter changes in NLI before SFT."""
    return lambda e: e.at(e.of(protocol), category="NLI", stage="pretrain")


def lowest_coherence(category: str) -> Callable[[Estimates, str], Triple]:
    """Return an estimate of the lowest coherence of a benchmark with its category."""

    def estimate(e: Estimates, scale: str) -> Triple:
        values = e.at(e.of(coherence_with_rest, "accuracy"), scale=scale)
        inside = np.flatnonzero(values["category"].to_numpy() == category)
        return e.lowest(values.isel(benchmark=inside))

    return estimate


def negative_share(e: Estimates, scale: str) -> Triple:
    """Return the share of benchmarks whose accuracy ranking reverses through SFT."""
    return e.share(e.at(e.of(cross_stage, "accuracy"), scale=scale), -1, of_r=True)


def flip_share(e: Estimates, scale: str) -> Triple:
    """Return the share of benchmarks whose r_acc has opposite signs at the two end scales."""
    values = e.of(cross_stage, "accuracy")
    small, large = (e.at(values, scale=e.scales[place]) for place in (0, -1))
    # Opposite signs make the product negative.
    return e.share(small * large, -1)


def code_helps(e: Estimates, scale: str) -> Triple:
    """Return the share of benchmarks outside Commonsense that gain with the share of code."""
    values = e.at(e.of(code_share), scale=scale, stage="pretrain")
    inside = set(e.members("Commonsense"))
    others = [place for place, name in enumerate(e.benchmarks) if name not in inside]
    if not others:
        raise NotTestable("no benchmark outside Commonsense")
    return e.share(values.isel(benchmark=others), 1, of_r=True)


def code_on_commonsense(e: Estimates) -> xr.DataArray:
    """Return the mean r of code share with accuracy over Commonsense benchmarks."""
    return e.mean_over(e.at(e.of(code_share), stage="pretrain"), ["Commonsense"])


def trade(e: Estimates) -> xr.DataArray:
    """Return the product of the filter's effects on accuracy and on alignment."""
    return filter_effect(filter_on_accuracy)(e) * filter_effect(filter_on_alignment)(e)


def opposite_effects(e: Estimates, scale: str) -> Triple:
    """Return the product of the filter's effects on accuracy at the two end scales."""
    values = filter_effect(filter_on_accuracy)(e)
    return e.triple(e.at(values, scale=e.scales[0]) * e.at(values, scale=e.scales[-1]))


def confidence_less_accuracy(e: Estimates) -> xr.DataArray:
    """Return how much more confidence persists than accuracy."""
    # Benchmark by benchmark, so that both means are over the same ones.
    return e.mean_over(e.of(cross_stage, "confidence") - e.of(cross_stage, "accuracy"), ())


def structure_of_confidence(e: Estimates) -> xr.DataArray:
    """Return how far the confidence structure of benchmarks persists through SFT (P9)."""
    return e.of(confidence_structure)
