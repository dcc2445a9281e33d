"""Estimates with their intervals: one row a thing, one lane a variant, one point an estimate.

Most figures of the book are this one. It fills the width of its container, so that it can be read
on a telephone, and its description is computed from the rows that it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from transfer.charts.palette import MARK, SPARE_COLOURS, SPARE_SHAPES, ordered, worn

LANE_HEIGHT = 15
ROW_GAP = 9


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
    lanes: Sequence[Encoding] = (),
    rules: Sequence[float] = (0.0,),
    domain: tuple[float, float] | None = None,
    percent: bool = False,
) -> alt.LayerChart:
    """Return points with intervals, one row for each of `rows`.

    Parameters
    ----------
    table : DataFrame
        Tidy: `value`, the columns named by the encodings, and where there are intervals `low` and
        `high`.
    row, rows : str, sequence of str
        The column of the rows, and its values from top to bottom. A row without a value stays.
    quantity : str
        Title of the axis: what is estimated, and over what its interval is.
    description : str
        Alternative text.
    colour, shape : Encoding, optional
        What colour and shape stand for. A legend is shown unless they repeat the row's label.
    lanes : sequence of Encoding
        What sets points of one row apart, one lane for each combination that occurs.
    rules : sequence of float
        Where a vertical line is drawn; the one at 0 is solid.
    domain : (float, float), optional
        Ends of the axis; where absent, those of the data and the rules.
    percent : bool
        Show the quantity, a share, in per cent.
    """
    need(table, row, "value", *(e.column for e in (*lanes, colour, shape) if e))
    shown = table.assign(**{row: table[row].astype(str)})
    for name in ("low", "high"):
        if name not in shown:
            shown[name] = float("nan")
    shown["lane"] = [
        " ".join(str(value) for value in values)
        for values in zip(*(shown[e.column] for e in lanes), strict=True)
    ] or ""
    lane_names = _lane_names(shown, lanes)
    columns = {row, "lane", "value", "low", "high"} | {e.column for e in (*lanes, colour, shape) if e}
    shown = shown.loc[shown["value"].notna(), [c for c in shown.columns if c in columns]]

    form = ".0%" if percent else ".2f"
    across = alt.Scale(domain=list(domain)) if domain else alt.Scale(zero=False, nice=True)
    axis = alt.Axis(format=".0%" if percent else "~g", tickCount=5)
    place = alt.Y(
        f"{row}:N",
        sort=list(rows),
        scale=alt.Scale(domain=list(rows), paddingInner=0.25),
        title=None,
        axis=alt.Axis(grid=False, ticks=False, domain=False, labelPadding=6),
    )
    offset = alt.YOffset("lane:N", sort=lane_names, scale=alt.Scale(domain=lane_names))
    paint: Any = alt.value(MARK)
    if colour:
        legend = None if colour.column == row else alt.Legend(title=colour.title or None)
        paint = alt.Color(
            f"{colour.column}:N", scale=colour.scale(shown, SPARE_COLOURS), legend=legend
        )
    tooltip = [
        *(alt.Tooltip(f"{name}:N") for name in dict.fromkeys(
            [row, *(e.column for e in (*lanes, colour, shape) if e)]
        )),
        *(alt.Tooltip(f"{name}:Q", format=form) for name in ("value", "low", "high")),
    ]
    base = alt.Chart(shown).encode(y=place, yOffset=offset, color=paint, tooltip=tooltip)
    bars = base.mark_rule(strokeWidth=2, opacity=0.65).encode(
        x=alt.X("low:Q", scale=across, title=quantity, axis=axis), x2="high:Q"
    ).transform_filter("isValid(datum.low) && isValid(datum.high)")
    points = base.mark_point(filled=True, opacity=1, size=80).encode(
        x=alt.X("value:Q", scale=across, title=quantity, axis=axis)
    )
    if shape:
        points = points.encode(
            shape=alt.Shape(
                f"{shape.column}:N",
                scale=shape.scale(shown, SPARE_SHAPES),
                legend=alt.Legend(title=shape.title or None),
            )
        )
    lines = [
        alt.Chart(pd.DataFrame({"at": [at]}))
        .mark_rule(strokeDash=[1, 0] if at == 0 else [4, 4], opacity=0.7)
        .encode(x=alt.X("at:Q", scale=across, title=quantity))
        for at in rules
    ]
    height = len(rows) * (max(len(lane_names), 1) * LANE_HEIGHT + ROW_GAP)
    return alt.layer(*lines, bars, points).properties(
        width="container", height=height, description=description
    )


def describe_estimates(table: pd.DataFrame, label: str, quantity: str, form: str = ".2f") -> str:
    """Return in words what a figure of estimates shows: range, extremes, and signs of intervals."""
    there = table.loc[table["value"].notna()]
    if there.empty:
        return f"{quantity}: nothing could be measured."
    low, high = there.loc[there["value"].idxmin()], there.loc[there["value"].idxmax()]

    def value(number: float) -> str:
        return format(number, form).replace("-", "−")

    words = f"{quantity}, {len(there)} estimates"
    words += f": lowest {value(low['value'])} ({low[label]}), highest {value(high['value'])}"
    words += f" ({high[label]})."
    if {"low", "high"} <= set(there) and there["low"].notna().any():
        above = int((there["low"] > 0).sum())
        below = int((there["high"] < 0).sum())
        both = int(there["low"].notna().sum()) - above - below
        words += f" Intervals above zero: {above}; below: {below}; holding zero: {both}."
    if absent := len(table) - len(there):
        words += f" Not measured: {absent}."
    return words


def need(table: pd.DataFrame, *columns: str) -> None:
    """Raise a ValueError that names the columns which a figure needs and a table has not."""
    if missing := [name for name in columns if name not in table]:
        there = ", ".join(map(str, table.columns))
        raise ValueError(f"the table has no column {', '.join(missing)}; it has {there}")


def several(table: pd.DataFrame, column: str) -> bool:
    """Return whether a column is there and holds more than one value."""
    return column in table and table[column].nunique() > 1


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
