"""Reliability diagrams: how often a model is right, at each level of its confidence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from transfer.errors import BadInput
from transfer.measures import whole_bins


def reliability_bins(
    confidences: np.ndarray,
    is_correct: np.ndarray,
    bins: int = 10,
    item: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return mean confidence and accuracy in bins of equal mass; equal confidences share a bin.

    Parameters
    ----------
    confidences : (answers,) array in [0, 1]
    is_correct : (answers,) array of bool
    bins : int
        At most this many; no bin is empty.
    item : (answers,) array, optional
        Which item was answered, where several models answer the same ones.

    Returns
    -------
    DataFrame
        `confidence, accuracy, low, high, n, items`, one row a bin in order of confidence: n answers
        to so many items. `low` and `high` are one binomial standard error around accuracy, of the
        items: more models that answer the same ones are no more items.
    """
    parts = whole_bins(confidences, bins)
    table = pd.DataFrame(
        {
            "confidence": [float(np.mean(confidences[part])) for part in parts],
            "accuracy": [float(np.mean(is_correct[part])) for part in parts],
            "n": [len(part) for part in parts],
            "items": [len(part if item is None else np.unique(item[part])) for part in parts],
        }
    )
    error = np.sqrt(table["accuracy"] * (1 - table["accuracy"]) / table["items"])
    table["low"] = (table["accuracy"] - error).clip(lower=0)
    table["high"] = (table["accuracy"] + error).clip(upper=1)
    return table[["confidence", "accuracy", "low", "high", "n", "items"]]


def reliability(items: Mapping[str, xr.Dataset], scale: str, bins: int = 10) -> pd.DataFrame:
    """Return a reliability table of all answers at a scale, per stage.

    Parameters
    ----------
    items : mapping
        Per-item measures by benchmark, from `transfer.itemwise`.
    scale : str

    Returns
    -------
    DataFrame
        `stage` and the columns of `reliability_bins`.

    Raises
    ------
    BadInput
        If there is no answer at the scale.
    """
    tables = []
    for stage in next(iter(items.values()))["stage"].to_numpy() if items else ():
        columns: list[np.ndarray] = []
        first = 0
        for part in items.values():
            at = part[["confidence", "accuracy"]].sel(scale=scale, stage=stage)
            at = at.transpose("seed", "mixture", "item")
            asked = np.broadcast_to(first + np.arange(at.sizes["item"]), at["accuracy"].shape)
            columns.append(
                np.stack([at["confidence"].to_numpy(), at["accuracy"].to_numpy(), asked], -1)
            )
            first += at.sizes["item"]
        answers = np.concatenate([column.reshape(-1, 3) for column in columns])
        answers = answers[~np.isnan(answers).any(axis=1)]
        if len(answers):
            table = reliability_bins(answers[:, 0], answers[:, 1], bins, answers[:, 2])
            table.insert(0, "stage", str(stage))
            tables.append(table)
    if not tables:
        raise BadInput(f"no item was answered at scale {scale}; give a scale with items tables")
    return pd.concat(tables, ignore_index=True)
