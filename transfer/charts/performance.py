"""Figures of how well models do and how well they know it: accuracy, chance, calibration."""

from __future__ import annotations

import altair as alt
import pandas as pd

from transfer.charts.estimates import (
    Encoding,
    describe_estimates,
    estimates,
    layered,
    need,
    several,
)
from transfer.charts.palette import (
    CATEGORY,
    REFERENCE,
    SCALE_SIZE,
    SPARE_COLOURS,
    SPARE_SHAPES,
    STAGE,
    STAGE_SHAPE,
    ordered,
    worn,
)


def accuracy_against_chance(
    table: pd.DataFrame, quantity: str = "accuracy"
) -> alt.LayerChart | alt.Chart:
    """Return accuracy per benchmark before and after fine-tuning, with chance as a tick.

    Parameters
    ----------
    table : DataFrame
        `benchmark, category, chance, value`, and where there are: `scale`, `stage`, `low`, `high`
        (say in `quantity` of what: the range over mixtures, for example), and `title`, which then
        labels the rows.
    quantity : str
        Title of the axis.
    """
    need(table, "benchmark", "category", "chance", "value")
    label = "title" if "title" in table else "benchmark"
    categories = ordered(table["category"], CATEGORY)
    place = {name: number for number, name in enumerate(categories)}
    rows = table.assign(place=table["category"].astype(str).map(place))
    rows = rows.sort_values(["place", "chance", label], kind="stable")
    order = ordered(rows[label], ())
    stage = Encoding("stage", STAGE_SHAPE, "") if several(table, "stage") else None
    scale = Encoding("scale", SCALE_SIZE, "scale") if several(table, "scale") else None
    above = table.loc[table["value"] > table["chance"]]
    words = describe_estimates(
        table.drop(columns=["low", "high"], errors="ignore"), label, quantity
    )
    words += f" Above chance: {len(above)} of {len(table)}."
    return estimates(
        table,
        label,
        order,
        quantity,
        words,
        colour=Encoding("category", CATEGORY, ""),
        shape=stage,
        size=scale,
        lanes=[e for e in (scale, stage) if e],
        rules=(),
        domain=(0, 1),
        percent=True,
        ticks="chance",
    )


def reliability_diagram(table: pd.DataFrame, what: str = "") -> alt.LayerChart | alt.Chart:
    """Return accuracy against confidence, bin by bin, with the diagonal of perfect calibration.

    Parameters
    ----------
    table : DataFrame
        `confidence, accuracy`, one row a bin, and where there are: `stage`, `n` (items of the bin),
        `low`, `high` (of accuracy).
    what : str
        Whose items these are, for the description.
    """
    need(table, "confidence", "accuracy")
    shown = table.dropna(subset=["confidence", "accuracy"])
    if "stage" not in shown:
        shown = shown.assign(stage="items")
    if "n" not in shown:
        shown = shown.assign(n=1)
    names = ordered(shown["stage"], STAGE)
    legend = alt.Legend(title=None) if len(names) > 1 or names[:1] != ["items"] else None
    over = int((shown["confidence"] > shown["accuracy"]).sum())
    words = f"Reliability diagram{f' of {what}' if what else ''}: {len(shown)} bins; in {over} of "
    words += "them confidence is above accuracy, which is overconfidence."
    axis = alt.Axis(format=".0%", tickCount=5)
    unit = alt.Scale(domain=[0, 1])
    diagonal = (
        alt.Chart(pd.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]}))
        .mark_line(strokeDash=[4, 4], strokeWidth=1, color=REFERENCE)
        .encode(x=alt.X("confidence:Q", scale=unit), y=alt.Y("accuracy:Q", scale=unit))
    )
    base = alt.Chart(shown).encode(
        x=alt.X("confidence:Q", title="confidence", scale=unit, axis=axis),
        color=alt.Color(
            "stage:N",
            scale=alt.Scale(domain=names, range=worn(names, STAGE, SPARE_COLOURS)),
            legend=legend,
        ),
        tooltip=[
            "stage:N",
            alt.Tooltip("confidence:Q", format=".1%"),
            alt.Tooltip("accuracy:Q", format=".1%"),
            "n:Q",
        ],
    )
    y = alt.Y("accuracy:Q", title="accuracy", scale=unit, axis=axis)
    layers = [diagonal, base.mark_line(strokeWidth=1.5, opacity=0.6).encode(y=y)]
    if {"low", "high"} <= set(shown):
        layers.append(base.mark_rule(opacity=0.6).encode(y=alt.Y("low:Q"), y2="high:Q"))
    layers.append(
        base.mark_point(filled=True, opacity=1, size=90).encode(
            y=y,
            shape=alt.Shape(
                "stage:N",
                scale=alt.Scale(domain=names, range=worn(names, STAGE_SHAPE, SPARE_SHAPES)),
                legend=legend,
            ),
        )
    )
    return layered(layers, 320, words)
