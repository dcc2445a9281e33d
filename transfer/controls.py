"""What swapped contexts cost: whether a benchmark is answered by reading."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from transfer.errors import BadInput

KEYS = ["mixture", "scale", "seed", "stage", "benchmark", "normalization"]


def context_use(
    measures: pd.DataFrame, control: pd.DataFrame, normalizations: Mapping[str, str]
) -> pd.DataFrame:
    r"""Return how much accuracy benchmarks lose when every item gets another item's context.

    Parameters
    ----------
    measures, control : DataFrame
        Measures tables of the same runs, with own and with swapped contexts.
    normalizations : mapping
        The normalization of each benchmark.

    Returns
    -------
    DataFrame
        `scale, stage, benchmark, category, value, low, high, error`, one row a scale, stage and
        benchmark. `value` is accuracy less accuracy on swapped contexts, the mean over models;
        `low` and `high` are its range over them. `error` is its standard error over items,

        .. math:: \sqrt{\frac{a (1 - a) + s (1 - s)}{n}}

        for the mean accuracies a and s. All models answer the same n items, so averaging over
        models does not lower it.

    Raises
    ------
    BadInput
        If no run is in both tables.
    """
    rows = measures[measures["benchmark"].map(normalizations) == measures["normalization"]]
    both = rows.merge(control[[*KEYS, "accuracy"]], on=KEYS, suffixes=("", "_swapped"))
    if both.empty:
        raise BadInput("no run is in the measures and in the control table; score both")
    both["value"] = both["accuracy"] - both["accuracy_swapped"]
    groups = both.groupby(["scale", "stage", "benchmark", "category"], sort=False)
    lost = groups["value"].agg(value="mean", low="min", high="max")
    mean = groups[["accuracy", "accuracy_swapped", "n_items"]].mean()
    own, swapped = mean["accuracy"], mean["accuracy_swapped"]
    variance = (own * (1 - own) + swapped * (1 - swapped)) / mean["n_items"]
    return lost.assign(error=np.sqrt(variance)).reset_index()


def unread(lost: pd.DataFrame, errors: float = 2.0) -> pd.DataFrame:
    """Return the rows of `context_use` whose loss is within some standard errors of none."""
    return lost[lost["value"] < errors * lost["error"]]
