"""Figures of a suite under other conditions: with swapped contexts, and on the way."""

from __future__ import annotations

import altair as alt
import pandas as pd

from transfer.charts.estimates import (
    Encoding,
    describe_estimates,
    estimates,
    need,
    several,
)
from transfer.charts.palette import (
    CATEGORY,
    SCALE_SIZE,
    SPARE_COLOURS,
    STAGE_SHAPE,
    ordered,
    worn,
)


def context_use(table: pd.DataFrame) -> alt.LayerChart | alt.Chart:
    """Return how much accuracy each benchmark loses when contexts are swapped.

    Parameters
    ----------
    table : DataFrame
        `benchmark, category, value` (accuracy less accuracy on swapped contexts), and where there
        are: `stage`, `scale`, `low`, `high`.
    """
    need(table, "benchmark", "category", "value")
    quantity = "accuracy lost when the context is swapped"
    rows = table.groupby("benchmark")["value"].max().sort_values(ascending=False)
    stage = Encoding("stage", STAGE_SHAPE, "") if several(table, "stage") else None
    scale = Encoding("scale", SCALE_SIZE, "scale") if several(table, "scale") else None
    return estimates(
        table,
        "benchmark",
        list(rows.index),
        quantity,
        describe_estimates(table, "benchmark", quantity),
        colour=Encoding("category", CATEGORY, ""),
        shape=stage,
        size=scale,
        lanes=[e for e in (scale, stage) if e],
    )


def learning_curves(table: pd.DataFrame, quantity: str) -> alt.Chart:
    """Return a quantity at the points of training, one line a category, broken between stages.

    Parameters
    ----------
    table : DataFrame
        `category, stage, point` (its label, in order), `value`.
    quantity : str
        Title of the axis.
    """
    need(table, "category", "stage", "point", "value")
    points = list(dict.fromkeys(table["point"]))
    names = ordered(table["category"], CATEGORY)
    ends = table[table["point"].isin([points[0], points[-1]])]
    first, last = (
        ends[ends["point"] == point].set_index("category")["value"]
        for point in (points[0], points[-1])
    )
    words = f"{quantity} at {len(points)} points of training, from {points[0]} to {points[-1]}: "
    words += "; ".join(f"{name} {first[name]:.3f} to {last[name]:.3f}" for name in names)
    return (
        alt.Chart(table)
        .mark_line(point=alt.OverlayMarkDef(filled=True, size=50), strokeWidth=2)
        .encode(
            x=alt.X(
                "point:N",
                sort=points,
                title="share of the stage's steps",
                axis=alt.Axis(labelAngle=-45),
            ),
            y=alt.Y(
                "value:Q", title=quantity, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)
            ),
            color=alt.Color(
                "category:N",
                scale=alt.Scale(domain=names, range=worn(names, CATEGORY, SPARE_COLOURS)),
                legend=alt.Legend(title=None),
            ),
            detail="stage:N",
            tooltip=["category:N", "stage:N", "point:N", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(width="container", height=280, description=f"{words}.".replace("-", "−"))
    )
