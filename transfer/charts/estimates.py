"""Estimates with their intervals: one row a thing, one lane a variant, one point an estimate.

Most figures of the book are this one. It fills the width of its container, so that it can be read
on a telephone, and its description is computed from the rows that it shows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from transfer.charts.palette import (
    MARK,
    REFERENCE,
    SPARE_COLOURS,
    SPARE_SHAPES,
    SPARE_SIZES,
    ordered,
    worn,
)

LANE_HEIGHT, LOW_LANE_HEIGHT = 15, 11
ROW_GAP = 9
SMALL_PRINT, LINE_HEIGHT = 10, 12
"""Pixels of a label's letters, and of each of its lines, where labels have several."""
TITLE_WIDTH = 36
"""Characters of an axis title that fit on one line of a narrow page."""


@dataclass(frozen=True)
class Encoding:
    """A column and what its values wear."""

    column: str
    known: Mapping[str, Any]
    title: str

    def names(self, table: pd.DataFrame) -> list[str]:
        """Return the values that occur, in the palette's order."""
        return ordered(table[self.column], self.known)

    def scale(self, table: pd.DataFrame, spare: Sequence[Any]) -> alt.Scale:
        """Return the Altair scale of these values."""
        names = self.names(table)
        return alt.Scale(domain=names, range=worn(names, self.known, spare))


def estimates(
    table: pd.DataFrame,
    row: str,
    rows: Sequence[str],
    quantity: str,
    description: str,
    colour: Encoding | None = None,
    shape: Encoding | None = None,
    size: Encoding | None = None,
    lanes: Sequence[Encoding] = (),
    rules: Sequence[float] = (0.0,),
    domain: tuple[float, float] | None = None,
    percent: bool = False,
    ticks: str | None = None,
) -> alt.LayerChart | alt.Chart:
    """Return points with intervals, one row for each of `rows`.

    Parameters
    ----------
    table : DataFrame
        Tidy: `value`, the columns named by the encodings, and where there are intervals `low` and
        `high`.
    row, rows : str, sequence of str
        The column of the rows, and its values from top to bottom. A row without a value stays. A
        label may hold line breaks.
    quantity : str
        Title of the axis: what is estimated, and over what its interval is.
    description : str
        Alternative text.
    colour, shape, size : Encoding, optional
        What colour, shape and size stand for. A legend is shown unless they repeat the row's label.
    lanes : sequence of Encoding
        What sets points of one row apart, one lane for each combination that occurs.
    rules : sequence of float
        Where a vertical line is drawn; the one at 0 is solid.
    domain : (float, float), optional
        Ends of the axis; where absent, those of the data and the rules.
    percent : bool
        Show the quantity, a share, in per cent.
    ticks : str, optional
        A column of reference values, one a row, each drawn as a grey tick across its lanes.
    """
    need(table, row, "value", *(e.column for e in (*lanes, colour, shape, size) if e))
    shown = table.assign(**{row: table[row].astype(str)})
    for name in ("low", "high"):
        if name not in shown:
            shown[name] = float("nan")
    shown["lane"] = ""
    for encoding in lanes:
        shown["lane"] = (shown["lane"] + " " + shown[encoding.column].astype(str)).str.strip()
    lane_names = _lane_names(shown, lanes)
    columns = {row, "lane", "value", "low", "high"} | {
        e.column for e in (*lanes, colour, shape, size) if e
    }
    shown = shown.loc[shown["value"].notna(), [c for c in shown.columns if c in columns]]
    if shown.empty:
        return unmeasured(description)

    title = textwrap.wrap(quantity, TITLE_WIDTH)
    form = ".0%" if percent else ".2f"
    across = alt.Scale(domain=list(domain)) if domain else alt.Scale(zero=False, nice=True)
    axis = alt.Axis(format=".0%" if percent else "~g", tickCount=5)
    lines_of_label = max(str(name).count("\n") + 1 for name in rows)
    print_of_labels: dict[str, Any] = {}
    if lines_of_label > 1:
        print_of_labels = {
            "labelExpr": "split(datum.label, '\\n')",
            "labelLineHeight": LINE_HEIGHT,
            "labelFontSize": SMALL_PRINT,
        }
    place = alt.Y(
        f"{row}:N",
        sort=list(rows),
        scale=alt.Scale(domain=list(rows), paddingInner=0.25),
        title=None,
        axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=6, **print_of_labels),
    )
    offset = alt.YOffset("lane:N", sort=lane_names, scale=alt.Scale(domain=lane_names))
    paint: Any = alt.value(MARK)
    if colour:
        legend = None if colour.column == row else alt.Legend(title=colour.title or None)
        paint = alt.Color(
            f"{colour.column}:N", scale=colour.scale(shown, SPARE_COLOURS), legend=legend
        )
    tooltip = [
        *(
            alt.Tooltip(f"{name}:N")
            for name in dict.fromkeys(
                [row, *(e.column for e in (*lanes, colour, shape, size) if e)]
            )
        ),
        *(alt.Tooltip(f"{name}:Q", format=form) for name in ("value", "low", "high")),
    ]
    base = alt.Chart(shown).encode(y=place, yOffset=offset, color=paint, tooltip=tooltip)
    bars = (
        base.mark_rule(strokeWidth=2, opacity=0.65, clip=True)
        .encode(x=alt.X("low:Q", scale=across, title=title, axis=axis), x2="high:Q")
        .transform_filter("isValid(datum.low) && isValid(datum.high)")
    )
    points = base.mark_point(filled=True, opacity=1, size=80).encode(
        x=alt.X("value:Q", scale=across, title=title, axis=axis)
    )
    if shape:
        points = points.encode(
            shape=alt.Shape(
                f"{shape.column}:N",
                scale=shape.scale(shown, SPARE_SHAPES),
                legend=alt.Legend(title=shape.title or None),
            )
        )
    if size:
        points = points.encode(
            size=alt.Size(
                f"{size.column}:O",
                scale=size.scale(shown, SPARE_SIZES),
                legend=alt.Legend(title=size.title or None),
            )
        )
    lines = [
        alt.Chart(pd.DataFrame({"at": [at]}))
        .mark_rule(strokeDash=[1, 0] if at == 0 else [4, 4], opacity=0.7)
        .encode(x=alt.X("at:Q", scale=across, title=title))
        for at in rules
    ]
    lane_height = LANE_HEIGHT if len(lane_names) <= 3 else LOW_LANE_HEIGHT
    if ticks:
        reference = table[[row, ticks]].dropna().drop_duplicates()
        lines.append(
            alt.Chart(reference.assign(**{row: reference[row].astype(str)}))
            .mark_tick(thickness=3, size=len(lane_names) * lane_height + 4, color=REFERENCE)
            .encode(
                x=alt.X(f"{ticks}:Q", scale=across, title=title),
                y=place,
                tooltip=[f"{row}:N", alt.Tooltip(f"{ticks}:Q", format=form)],
            )
        )
    row_height = len(lane_names) * lane_height
    if lines_of_label > 1:
        row_height = max(row_height, lines_of_label * LINE_HEIGHT)
    height = len(rows) * (row_height + ROW_GAP)
    return layered([*lines, bars, points], height, description)


def layered(
    layers: Sequence[alt.Chart | alt.LayerChart], height: int, description: str
) -> alt.LayerChart:
    """Return layers as one figure that fills its container."""
    return alt.LayerChart(
        layer=list(layers), width="container", height=height, description=description
    )


def describe_estimates(
    table: pd.DataFrame, label: str, quantity: str, form: str = ".2f", against: float = 0.0
) -> str:
    """Return in words what a figure of estimates shows.

    That is its range, its extremes, and on which side of a value (`against`) the intervals lie.
    """
    there = table.loc[table["value"].notna()]
    if there.empty:
        return f"{quantity}: nothing could be measured."
    by_value = there.sort_values("value")
    low, high = by_value.iloc[0], by_value.iloc[-1]
    words = f"{quantity}, {len(there)} estimates"
    words += f": lowest {signed(low['value'], form)} ({low[label]}), "
    words += f"highest {signed(high['value'], form)} ({high[label]})."
    if {"low", "high"} <= set(there) and there["low"].notna().any():
        above = int((there["low"] > against).sum())
        below = int((there["high"] < against).sum())
        both = int(there["low"].notna().sum()) - above - below
        rule = "zero" if against == 0 else f"{against:g}"
        words += f" Intervals above {rule}: {above}; below: {below}; holding {rule}: {both}."
    if absent := len(table) - len(there):
        words += f" Not measured: {absent}."
    return words


def unmeasured(description: str) -> alt.Chart:
    """Return a figure that says that there is nothing to draw, for a table without a value."""
    said = pd.DataFrame({"said": [description]})
    text = alt.Chart(said).mark_text(fontSize=12, limit=340).encode(text="said:N")
    return text.properties(width="container", height=60, description=description)


def signed(number: float, form: str = ".2f") -> str:
    """Return a number with a true minus sign."""
    return format(number, form).replace("-", "−")


def need(table: pd.DataFrame, *columns: str) -> None:
    """Raise a ValueError that names the columns which a figure needs and a table has not."""
    if missing := [name for name in columns if name not in table]:
        there = ", ".join(map(str, table.columns))
        raise ValueError(f"the table has no column {', '.join(missing)}; it has {there}")


def several(table: pd.DataFrame, column: str) -> bool:
    """Return whether a column is there and holds more than one value."""
    return column in table and len(table[column].unique()) > 1


def only(table: pd.DataFrame, column: str) -> str:
    """Return the one value of a column, or raise a ValueError where there are several."""
    names = list(dict.fromkeys(table[column]))
    if len(names) != 1:
        raise ValueError(
            f"the figure shows one {column}, the table holds {', '.join(map(str, names))}; "
            "choose one"
        )
    return str(names[0])


def _lane_names(table: pd.DataFrame, lanes: Sequence[Encoding]) -> list[str]:
    names = [""]
    for encoding in lanes:
        names = [f"{left} {right}".strip() for left in names for right in encoding.names(table)]
    there = set(table["lane"])
    return [name for name in names if name in there]
