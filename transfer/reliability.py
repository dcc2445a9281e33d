"""Reliability diagrams: how often a model is right, at each level of its confidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from transfer.errors import BadInput
from transfer.measures import benchmark_scores, correct, item_confidence
from transfer.suite import Suite
from transfer.tables import read_items


def reliability_bins(
    confidences: np.ndarray, is_correct: np.ndarray, bins: int = 10
) -> pd.DataFrame:
    """Return mean confidence and accuracy in bins of equal mass.

    Parameters
    ----------
    confidences : (items,) array in [0, 1]
    is_correct : (items,) array of bool
    bins : int
        At most this many; no bin is empty.

    Returns
    -------
    DataFrame
        `confidence, accuracy, low, high, n`, one row a bin in order of confidence. `low` and `high`
        are one binomial standard error around accuracy.
    """
    order = np.argsort(confidences, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    table = pd.DataFrame(
        {
            "confidence": [float(np.mean(confidences[part])) for part in parts],
            "accuracy": [float(np.mean(is_correct[part])) for part in parts],
            "n": [len(part) for part in parts],
        }
    )
    error = np.sqrt(table["accuracy"] * (1 - table["accuracy"]) / table["n"])
    table["low"] = (table["accuracy"] - error).clip(lower=0)
    table["high"] = (table["accuracy"] + error).clip(upper=1)
    return table[["confidence", "accuracy", "low", "high", "n"]]


def reliability(
    paths: Iterable[Path], normalizations: Suite | Mapping[str, str], bins: int = 10
) -> pd.DataFrame:
    """Return a reliability table of all items of some runs, per scale and stage.

    Parameters
    ----------
    paths : iterable of Path
        Items tables, one a run.
    normalizations : Suite or mapping
        The normalization of each benchmark by name. Items of other benchmarks, and items that were
        not scored so, are left out.

    Returns
    -------
    DataFrame
        `scale, stage` and the columns of `reliability_bins`.

    Raises
    ------
    BadInput
        If no items are left.
    """
    if isinstance(normalizations, Suite):
        normalizations = {entry.name: entry.normalization for entry in normalizations.benchmarks}
    found: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = {}
    for path in paths:
        items, metadata = read_items(path)
        for name, part in items.groupby("benchmark", sort=False):
            if name not in normalizations:
                continue
            wanted = normalizations[str(name)]
            scores = benchmark_scores(part)
            if wanted not in scores:
                continue
            pair = (
                item_confidence(scores[wanted]),
                correct(scores[wanted], part["gold"].to_numpy()),
            )
            found.setdefault((metadata["scale"], metadata["stage"]), []).append(pair)
    tables = []
    for (scale, stage), pairs in found.items():
        confidences, right = (np.concatenate(column) for column in zip(*pairs, strict=True))
        table = reliability_bins(confidences, right, bins)
        table.insert(0, "scale", scale)
        table.insert(1, "stage", stage)
        tables.append(table)
    if not tables:
        raise BadInput("no items were scored as asked; give another normalization")
    return pd.concat(tables, ignore_index=True)
