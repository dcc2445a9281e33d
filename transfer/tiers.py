"""How far each benchmark can be trusted before fine-tuning, in words and as one table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from transfer import findings
from transfer.sortable import Sortable, sortable

TIERS = (
    "holds",
    "persists",
    "undecided",
    "reverses",
    "mostly noise",
    "not measured",
)
"""From the most to the least that a score before fine-tuning tells; `tier` says what each means."""

WHEN = {"pretrain": "before", "sft": "after"}


def tier(value: float, low: float, high: float, mark: object = None) -> str:
    """Return what a benchmark's cross-stage r says of it.

    `mostly noise` where the ranking at one of the stages is (`mark`, from
    `transfer.uncertainty.ceilings.marks`), whatever its r; `holds` where r is above 0.7, the
    paper's reading of a ranking that holds, and the interval above zero; `persists` where the
    interval alone is; `reverses` where it lies below zero, and `undecided` where it holds zero.
    """
    said = findings.verdict(low, high)
    if said == "not measured":
        return said
    if mark == "not measurable":
        return "mostly noise"
    return "holds" if said == "persists" and value > findings.HOLDS else said


def with_tiers(table: pd.DataFrame) -> pd.DataFrame:
    """Return a tidy table of cross-stage r with a column `tier`, whose categories are `TIERS`."""
    marks = table["mark"] if "mark" in table else [None] * len(table)
    found = [
        tier(value, low, high, mark)
        for value, low, high, mark in zip(
            table["value"], table["low"], table["high"], marks, strict=True
        )
    ]
    return table.assign(tier=pd.Categorical(found, categories=TIERS, ordered=True))


def ranked(
    r: pd.DataFrame,
    grid: xr.Dataset,
    metric: str = "accuracy",
    reliable: xr.Dataset | None = None,
) -> pd.DataFrame:
    """Return one row a benchmark, scale and stage, the best tier and highest r first.

    Parameters
    ----------
    r : DataFrame
        `scale, benchmark, value, low, high`, and where there are `category, ceiling, mark`.
    grid : Dataset
        Of which the level of the metric at each stage is taken.
    metric : str
    reliable : Dataset, optional
        From `transfer.uncertainty.ceilings.reliability`, for each stage's share of signal.

    Returns
    -------
    DataFrame
        `benchmark, category, scale, stage, tier, r, low, high, ceiling, reliability`, the metric
        (mean over mixtures and seeds) and its `chance`; what is not known is left out. r, its
        interval and its ceiling are of both stages together, the columns after them of one.
    """
    table = with_tiers(r).rename(columns={"value": "r"})
    level = grid[metric].mean(["mixture", "seed"]).rename(metric).to_dataframe().reset_index()
    keys = ["scale", "stage", "benchmark"]
    level = level[[*keys, metric, *(["chance"] if "chance" in level else [])]]
    table = table.drop(columns="chance", errors="ignore").merge(level, on=keys[::2])
    if reliable is not None:
        signal = reliable["reliability"].to_dataframe().reset_index()
        table = table.merge(signal[[*keys, "reliability"]], on=keys, how="left")
    scales = [str(name) for name in np.atleast_1d(grid["scale"].values)]
    table["scale"] = pd.Categorical(table["scale"], categories=scales, ordered=True)
    table["stage"] = pd.Categorical(
        table["stage"].map(WHEN), categories=list(WHEN.values()), ordered=True
    )
    table = table.sort_values(
        ["tier", "r", "benchmark", "scale", "stage"], ascending=[True, False, True, False, True]
    )
    columns = ["benchmark", "category", "scale", "stage", "tier", "r", "low", "high"]
    columns += ["ceiling", "reliability", metric, "chance"]
    return table.filter(list(dict.fromkeys(columns))).reset_index(drop=True)


def ranking(table: pd.DataFrame, caption: str) -> Sortable:
    """Return what `ranked` returns as a table that a reader can sort and filter.

    At first the rows of the last scale before fine-tuning are shown.
    """
    interval = [
        "–" if np.isnan(low) else f"[{findings.number(low)}, {findings.number(high)}]"
        for low, high in zip(table["low"], table["high"], strict=True)
    ]
    shown: dict[str, Any] = {}
    for name in table.columns:
        if name == "low":
            shown["95 % interval"] = interval
        elif name != "high":
            shown[name] = table[name]
    frame = pd.DataFrame(shown)
    filters = [name for name in ("category", "scale", "stage", "tier") if name in frame]
    chosen = {
        name: frame[name].cat.categories[place] for name, place in (("scale", -1), ("stage", 0))
    }
    return sortable(frame, filters, caption, {"95 % interval": list(table["low"])}, chosen)
