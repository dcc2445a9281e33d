"""Sentences that compare scales, stages and points of training.

Like those of `transfer.findings`, they say what a tidy table says and no more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from transfer.findings import names, number, plain, records

ONE_IN_TWENTY = 0.05
"""The p of an exchange test below which a change is called one."""


def scales_compared(scales: list[str], difference: pd.DataFrame | None, metric: str) -> str:
    """Return what the table says about scale (RQ3), or that it cannot say anything yet."""
    if len(scales) < 2 or difference is None:
        return (
            f"**This question cannot be answered yet.** The table holds one scale "
            f"({names(map(plain, scales))}); how transfer shifts with scale needs two. "
            "What follows shows where that scale stands; the comparison appears by itself as soon "
            "as the table holds a second scale."
        )
    said = []
    for row in records(difference):
        shown = number(row["value"], row["low"], row["high"])
        p = row.get("p", np.nan)
        beside = "" if np.isnan(p) else f", p = {p:.3f}"
        said.append(
            f"From {plain(row['smaller'])} to {plain(row['larger'])} the mean r of {metric} "
            f"{_change(row)}: {shown}{beside}."
        )
    return " ".join(said)


def between_runs_compared(difference: pd.DataFrame) -> str:
    """Return how r from one run to another differs between neighbouring scales.

    Parameters
    ----------
    difference : DataFrame
        `metric, smaller, larger, value, low, high`, from `transfer.protocols.between_runs`.
    """
    said = []
    for row in records(difference):
        of = f"From {plain(row['smaller'])} to {plain(row['larger'])} the mean r of {row['metric']}"
        if np.isnan(row["value"]):
            said.append(f"{of} between runs cannot be compared: one of them has one seed.")
            continue
        shown = number(row["value"], row["low"], row["high"])
        said.append(f"{of} between runs {_change(row)}: {shown}.")
    return " ".join(said)


def mixtures_apart(levels: pd.DataFrame, metric: str) -> str:
    """Return how far the mixtures lie apart, and where the widest gap between neighbours is.

    Parameters
    ----------
    levels : DataFrame
        `scale, stage, mixture, value`: the mean of the metric over benchmarks and seeds.
    metric : str
    """
    said = []
    for (scale, stage), rows in levels.dropna().groupby(["scale", "stage"], sort=False):
        rows = rows.sort_values("value")
        if len(rows) < 2:
            continue
        places, values = rows["mixture"].map(plain).tolist(), rows["value"].to_numpy()
        at = int(np.diff(values).argmax())
        said.append(
            f"- At scale {plain(scale)}, {plain(stage)}: mean {metric} from {values[0]:.3f} "
            f"({places[0]}) to **{values[-1]:.3f}** ({places[-1]}); the widest gap is "
            f"{values[at + 1] - values[at]:.3f}, between {places[at]} and {places[at + 1]}."
        )
    return "\n".join(said)


def steps(table: pd.DataFrame, count: int) -> str:
    """Return how far rankings persist over each step between stages.

    Parameters
    ----------
    table : DataFrame
        `metric, scale, step, value, low, high`.
    count : int
        How many steps there are.
    """
    said = []
    for (metric, scale), rows in table.groupby(["metric", "scale"], sort=False):
        parts = [
            f"{number(row['value'], row['low'], row['high'])} from {plain(row['step'])}"
            for row in records(rows)
        ]
        said.append(f"At scale {plain(scale)} the mean r of {metric} is {names(parts)}.")
    if count == 1:
        said.append("The table has two stages, so this is the step of the other pages.")
    return " ".join(said)


def foresight(table: pd.DataFrame, gain: pd.DataFrame, end: str) -> str:
    """Return how early in pretraining a score tells what it tells at the end.

    Parameters
    ----------
    table : DataFrame
        `metric, scale, point, value, low, high`: the mean r of each point, in order, with the end
        of SFT.
    gain : DataFrame
        `metric, scale, value, low, high`: that at the end of pretraining less that at its first
        point.
    end : str
        The last point of pretraining.
    """
    said = []
    for (metric, scale), rows in table.groupby(["metric", "scale"], sort=False):
        pretraining = rows.iloc[: rows["point"].tolist().index(end) + 1]
        first, last = records(pretraining.iloc[[0, -1]])
        above = (pretraining["low"] > 0).tolist()
        there = [plain(p) for p, told in zip(pretraining["point"], above, strict=True) if told]
        change = records(gain[(gain["metric"] == metric) & (gain["scale"] == scale)])[0]
        shown = [number(row["value"], row["low"], row["high"]) for row in (first, last, change)]
        said.append(
            f"At scale {plain(scale)} the mean r of {metric} with the end of fine-tuning is "
            f"{shown[0]} at {plain(first['point'])} and **{shown[1]}** at {plain(end)}. From one "
            f"to the other it {_change(change)}: {shown[2]}. {_above_zero(above, there)}"
        )
    return "\n\n".join(said)


def _change(row: dict[str, Any]) -> str:
    """Return the change that interval and test agree on, where there is a test."""
    if row.get("p", 0.0) >= ONE_IN_TWENTY:
        return "may rise or fall"
    return "rises" if row["low"] > 0 else "falls" if row["high"] < 0 else "may rise or fall"


def _above_zero(above: list[bool], there: list[str]) -> str:
    if not there:
        return "Its interval holds zero at every point of pretraining."
    if all(above[above.index(True) :]):
        return f"Its interval lies above zero from {there[0]} on."
    return f"Its interval lies above zero at {names(there)}."
