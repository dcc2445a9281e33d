"""Figures of what persists from stage to stage (RQ1, RQ2) and of what mixtures change (P10)."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from transfer.charts.estimates import (
    Encoding,
    describe_estimates,
    estimates,
    need,
    only,
    several,
)
from transfer.charts.palette import (
    CATEGORY,
    METRIC_SHAPE,
    SCALE_SHAPE,
    SCALE_SIZE,
    SPARE_COLOURS,
    SPARE_SHAPES,
    STAGE_SHAPE,
    WEB,
    WEB_SHAPE,
    ordered,
    worn,
)
from transfer.findings import BREAKS, HOLDS

BY_CATEGORY = Encoding("category", CATEGORY, "")
BY_SCALE = Encoding("scale", SCALE_SHAPE, "scale")
SIZED_BY_SCALE = Encoding("scale", SCALE_SIZE, "scale")
BY_STAGE = Encoding("stage", STAGE_SHAPE, "")
BY_METRIC = Encoding("metric", METRIC_SHAPE, "")


def transfer_by_category(
    table: pd.DataFrame, quantity: str = "mean r across stages"
) -> alt.LayerChart | alt.Chart:
    """Return the mean cross-stage correlation of each category (P6).

    Parameters
    ----------
    table : DataFrame
        `category, value`, and where there are: `metric` (accuracy, confidence), `scale`, `low`,
        `high`.
    quantity : str
        Title of the axis; say what the interval is over.
    """
    need(table, "category", "value")
    metric = BY_METRIC if several(table, "metric") else None
    scale = SIZED_BY_SCALE if several(table, "scale") else None
    return estimates(
        table,
        "category",
        ordered(table["category"], CATEGORY),
        quantity,
        describe_estimates(_labelled(table, "category", "metric", "scale"), "label", quantity),
        colour=BY_CATEGORY,
        shape=metric,
        size=scale,
        lanes=[e for e in (scale, metric) if e],
        domain=(-1, 1),
    )


def reliability_ranking(
    table: pd.DataFrame,
    quantity: str = "r across stages",
    rules: tuple[float, ...] = (0.0, BREAKS, HOLDS),
    domain: tuple[float, float] | None = (-1, 1),
) -> alt.LayerChart | alt.Chart:
    """Return one estimate a benchmark, the highest on top.

    Parameters
    ----------
    table : DataFrame
        `benchmark, category, value`, and where there are: `scale`, `low`, `high`, and `title`,
        which then labels the rows. With several scales, the last one orders the rows.
    quantity : str
        Title of the axis; say what the interval is over.
    rules : tuple of float
        Thresholds to mark; the description counts the intervals on each side of the first.
    domain : (float, float), optional
        Ends of the axis; None lets the data set them.
    """
    need(table, "benchmark", "category", "value")
    label = "title" if "title" in table else "benchmark"
    last = table
    if several(table, "scale"):
        last = table.loc[table["scale"] == BY_SCALE.names(table)[-1]]
    order = last.sort_values("value", ascending=False, na_position="last")[label]
    lanes = [BY_SCALE] if several(table, "scale") else []
    return estimates(
        table,
        label,
        ordered([*order, *table[label]], ()),
        quantity,
        describe_estimates(
            _labelled(table, label, "scale"), "label", quantity, against=rules[0] if rules else 0
        ),
        colour=BY_CATEGORY,
        shape=lanes[0] if lanes else None,
        lanes=lanes,
        rules=rules,
        domain=domain,
    )


def alignment_chart(
    table: pd.DataFrame, quantity: str = "alignment r"
) -> alt.LayerChart | alt.Chart:
    """Return how confidence goes with accuracy, per category and stage (P7, P8).

    Parameters
    ----------
    table : DataFrame
        `category, value`, and where there are: `stage`, `scale`, `low`, `high`.
    quantity : str
        Title of the axis; say what the interval is over.
    """
    need(table, "category", "value")
    stage = BY_STAGE if several(table, "stage") else None
    scale = SIZED_BY_SCALE if several(table, "scale") else None
    return estimates(
        table,
        "category",
        ordered(table["category"], CATEGORY),
        quantity,
        describe_estimates(_labelled(table, "category", "stage", "scale"), "label", quantity),
        colour=BY_CATEGORY,
        shape=stage,
        size=scale,
        lanes=[e for e in (scale, stage) if e],
        domain=(-1, 1),
    )


def factor_effects_chart(
    table: pd.DataFrame, quantity: str = "difference from V1"
) -> alt.LayerChart | alt.Chart:
    """Return what each web filter changes, per category (P10), with one row a category.

    Parameters
    ----------
    table : DataFrame
        `contrast` (such as V2-V1), `category, value`, and where there are: `stage`, `low`, `high`.
        One scale.
    quantity : str
        Title of the axis: of what the difference is, and what the interval is over.
    """
    need(table, "contrast", "category", "value")
    if "scale" in table:
        only(table, "scale")
    table = table.assign(web=table["contrast"].astype(str).str.split("-").str[0])
    lanes = [Encoding("web", WEB, "web source")]
    lanes += [BY_STAGE] if several(table, "stage") else []
    return estimates(
        table,
        "category",
        ordered(table["category"], CATEGORY),
        quantity,
        describe_estimates(
            _labelled(table, "category", "contrast", "stage"), "label", quantity, ".3f"
        ),
        colour=lanes[0],
        shape=lanes[-1] if len(lanes) > 1 else Encoding("web", WEB_SHAPE, "web source"),
        lanes=lanes,
    )


def main_effects_chart(
    table: pd.DataFrame, quantity: str = "difference from all mixtures"
) -> alt.LayerChart | alt.Chart:
    """Return how far each level of a factor lies from all mixtures, per category (P10).

    Parameters
    ----------
    table : DataFrame
        `level, category, value`, and where there are: `low`, `high`. One scale and one stage.
    quantity : str
        Title of the axis; say what the interval is over.
    """
    need(table, "level", "category", "value")
    for column in ("scale", "stage"):
        if column in table:
            only(table, column)
    return estimates(
        table,
        "level",
        ordered(table["level"], ()),
        quantity,
        describe_estimates(_labelled(table, "level", "category"), "label", quantity, ".3f"),
        colour=BY_CATEGORY,
        lanes=[BY_CATEGORY],
    )


def paired_points(
    wide: pd.DataFrame, quantity: str, percent: bool = True, chosen: alt.Parameter | None = None
) -> list[alt.Chart]:
    """Return the layers of a figure of mixtures before and after: points, and their names.

    Parameters
    ----------
    wide : DataFrame
        `mixture, pretrain, sft`, and where there is: `web`.
    quantity : str
        What the scores are.
    percent : bool
        Show them, shares, in per cent.
    chosen : Parameter, optional
        A selection that says which rows are shown.
    """
    form = ".0%" if percent else "~g"
    axes: dict[str, dict[str, Any]] = {
        stage: {
            "title": f"{quantity} {when} fine-tuning",
            "scale": alt.Scale(zero=False, padding=20),
            "axis": alt.Axis(format=form, tickCount=5),
        }
        for stage, when in (("pretrain", "before"), ("sft", "after"))
    }
    base = alt.Chart(wide)
    if chosen is not None:
        base = base.transform_filter(chosen)
    base = base.encode(
        x=alt.X("pretrain:Q", **axes["pretrain"]),
        y=alt.Y("sft:Q", **axes["sft"]),
        tooltip=["mixture:N", *(alt.Tooltip(f"{s}:Q", format=".3f") for s in axes)],
    )
    points = base.mark_point(filled=True, opacity=1, size=120)
    if "web" in wide:
        names = ordered(wide["web"], WEB)
        legend = alt.Legend(title="web source")
        points = points.encode(
            color=alt.Color(
                "web:N",
                scale=alt.Scale(domain=names, range=worn(names, WEB, SPARE_COLOURS)),
                legend=legend,
            ),
            shape=alt.Shape(
                "web:N",
                scale=alt.Scale(domain=names, range=worn(names, WEB_SHAPE, SPARE_SHAPES)),
                legend=legend,
            ),
        )
    return [points, base.mark_text(align="left", dx=9, dy=-7).encode(text="mixture:N")]


def _labelled(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the table with a column `label`, made of the columns that are there and vary."""
    used = [columns[0], *(name for name in columns[1:] if several(table, name))]
    label = table[used].astype(str).agg(" ".join, axis=1)
    return table.assign(label=label)
