"""Figures of a suite under other conditions: with swapped contexts, and on the way."""

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
    METRIC_SHAPE,
    REFERENCE,
    SCALE_SIZE,
    SPARE_COLOURS,
    SPARE_SHAPES,
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


def foresight(table: pd.DataFrame, quantity: str) -> alt.LayerChart:
    """Return a quantity at the points of training with its intervals, one line a scale and metric.

    Parameters
    ----------
    table : DataFrame
        `scale, metric, point` (its label, in order), `value, low, high`.
    quantity : str
        Title of the axis.
    """
    need(table, "scale", "metric", "point", "value", "low", "high")
    points = list(dict.fromkeys(table["point"]))
    scales, metrics = (list(dict.fromkeys(table[name])) for name in ("scale", "metric"))
    lines = [f"{metric}, {scale}" for scale in scales for metric in metrics]
    rows = table.assign(line=table["metric"] + ", " + table["scale"])
    shapes = worn(metrics, METRIC_SHAPE, SPARE_SHAPES)
    base = alt.Chart(rows).encode(
        x=alt.X("point:N", sort=points, title="point of training", axis=alt.Axis(labelAngle=-45)),
        xOffset=alt.XOffset("line:N", sort=lines),
        color=alt.Color(
            "scale:N",
            scale=alt.Scale(domain=scales, range=list(SPARE_COLOURS[: len(scales)])),
            legend=alt.Legend(title="scale"),
        ),
        tooltip=["line:N", "point:N", *(f"{name}:Q" for name in ("value", "low", "high"))],
    )
    height = alt.Y("value:Q", title=quantity, axis=alt.Axis(tickCount=5))
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=REFERENCE).encode(y="zero:Q")
    marks = base.mark_point(filled=True, size=60, opacity=1).encode(
        y=height,
        shape=alt.Shape(
            "metric:N",
            scale=alt.Scale(domain=metrics, range=shapes),
            legend=alt.Legend(title=None),
        ),
    )
    layers = [
        zero,
        base.mark_line(strokeWidth=1, opacity=0.6).encode(y=height, detail="line:N"),
        base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q", title=quantity), y2="high:Q"),
        marks,
    ]
    named = rows.assign(at=rows["point"] + " " + rows["line"])
    return layered(layers, 320, describe_estimates(named, "at", quantity))
