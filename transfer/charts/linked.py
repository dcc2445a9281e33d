"""A figure of two linked parts: choose a benchmark above, see its mixtures below."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from transfer.charts.estimates import need, several, signed, unmeasured
from transfer.charts.palette import ordered
from transfer.charts.persistence import BY_SCALE, paired_points, reliability_ranking

WIDTH = 400
"""Pixels of a part where nothing else is asked for; the book sets its own."""


def linked_mixtures(
    table: pd.DataFrame,
    scores: pd.DataFrame,
    quantity: str = "r across stages",
    metric: str = "accuracy",
    percent: bool = True,
) -> alt.VConcatChart | alt.LayerChart | alt.Chart:
    """Return every benchmark's r, and the mixtures of the chosen one before and after fine-tuning.

    A benchmark is chosen by a click on its point, or in the lists below the figure. The highest r
    of the last scale is chosen first.

    Parameters
    ----------
    table : DataFrame
        As `reliability_ranking` takes it.
    scores : DataFrame
        `mixture, benchmark, stage, value`, and where there are: `scale`, `web`.
    quantity, metric : str
        Titles: of the upper axis, and of what the mixtures are scored by.
    percent : bool
        Show the scores, shares, in per cent.
    """
    need(table, "benchmark", "category", "value")
    need(scores, "mixture", "benchmark", "stage", "value")
    upper = reliability_ranking(table, quantity)
    there = table[table["value"].notna()]
    if not isinstance(upper, alt.LayerChart) or there.empty:
        return upper
    label = "title" if "title" in table else "benchmark"
    keys = [label, *(["scale"] if several(table, "scale") else [])]
    below = _wide(scores, table, keys)
    if below.empty:
        return unmeasured(f"{metric}: no mixture has a score at both stages.")
    last = there
    if "scale" in keys:
        last = there[there["scale"] == BY_SCALE.names(there)[-1]]
    first = last.sort_values("value", na_position="first").iloc[-1]
    # Altair's types know one list only.
    lists: Any = {
        name: alt.binding_select(options=ordered(there[name], ()), name=f"{_called(name)} ")
        for name in keys
    }
    chosen = alt.selection_point(
        name="chosen",
        fields=keys,
        value=[{name: str(first[name]) for name in keys}],
        bind=lists,
        on="click",
        clear=False,
        toggle=False,
        empty=False,
    )
    points = upper.layer[-1].add_params(chosen)
    size = alt.condition(chosen, alt.value(260), alt.value(80))
    upper.layer[-1] = points.encode(size=size)
    words = upper.description
    upper.description = alt.Undefined
    return alt.vconcat(
        upper.properties(width=WIDTH),
        _mixtures(below, _said(there, keys), chosen, metric, percent),
        description=f"{words} Below it, {_describe(below, first, keys, metric)}",
        spacing=28,
    ).resolve_scale(color="independent", shape="independent")


def _called(name: str) -> str:
    return "benchmark" if name == "title" else name


def _wide(scores: pd.DataFrame, table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return one row a mixture, benchmark and scale, with its score at both stages."""
    extra = ["web"] if "web" in scores else []
    index = ["mixture", "benchmark", *[name for name in keys if name == "scale"], *extra]
    wide = scores.pivot_table("value", index, "stage", observed=True)
    wide = wide.reindex(columns=["pretrain", "sft"]).dropna().reset_index()
    if "title" in keys:
        titles = table[["benchmark", *keys]].drop_duplicates()
        on = [name for name in ("benchmark", "scale") if name in titles and name in wide]
        wide = wide.merge(titles, on=on)
    wide[keys] = wide[keys].astype(str)
    return wide[[*keys, "mixture", *extra, "pretrain", "sft"]].rename_axis(columns=None)


def _said(there: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the heading of the lower part for each choice."""
    rows = []
    for row in there.to_dict("records"):
        words = f"{', '.join(str(row[name]) for name in keys)}: r = {signed(row['value'])}"
        if "low" in row and not pd.isna(row["low"]):
            words += f" [{signed(row['low'])}, {signed(row['high'])}]"
        rows.append({name: str(row[name]) for name in keys} | {"said": words})
    return pd.DataFrame(rows)


def _mixtures(
    below: pd.DataFrame, said: pd.DataFrame, chosen: alt.Parameter, metric: str, percent: bool
) -> alt.LayerChart:
    heading = (
        alt.Chart(said)
        .transform_filter(chosen)
        # To the left there is room beside the axis, whatever the width.
        .mark_text(align="right", baseline="bottom", fontSize=12)
        .encode(text="said:N", x=alt.value("width"), y=alt.value(-4))
    )
    layers = [*paired_points(below, metric, percent, chosen), heading]
    return alt.LayerChart(layer=layers, height=260, width=WIDTH)


def _describe(below: pd.DataFrame, first: pd.Series, keys: list[str], metric: str) -> str:
    """Return what the lower part shows at first."""
    shown = below
    for name in keys:
        shown = shown[shown[name] == str(first[name])]
    before = shown.sort_values("pretrain", ascending=False)["mixture"].tolist()
    after = shown.sort_values("sft", ascending=False)["mixture"].tolist()
    words = f"{metric} of the {len(shown)} mixtures before and after fine-tuning on "
    words += f"{', '.join(str(first[name]) for name in keys)}"
    if after:
        words += f": the best before, {before[0]}, is number {after.index(before[0]) + 1} after; "
        words += f"the best after is {after[0]}"
    return f"{words}. Another benchmark can be chosen."
