"""Figures of how benchmarks move together: correlation matrices, ordered by category."""

from __future__ import annotations

import altair as alt
import pandas as pd

from transfer.charts.estimates import layered, need, only, signed, unmeasured
from transfer.charts.palette import CATEGORY, CORRELATION, ordered

CELL = 22
SMALL = 9
"""Up to this many benchmarks the cells carry their numbers."""


def coherence_heatmap(table: pd.DataFrame, quantity: str = "r") -> alt.LayerChart | alt.Chart:
    """Return the correlation of each pair of benchmarks over mixtures (P3, P4, P5).

    Parameters
    ----------
    table : DataFrame
        `benchmark_i, benchmark_j, value`, and where there are `category_i`, `category_j`. One
        scale. Pairs without a value stay empty.
    quantity : str
        Title of the colour scale.
    """
    need(table, "benchmark_i", "benchmark_j", "value")
    if "scale" in table:
        only(table, "scale")
    order = _order(table)
    pairs = table.loc[table["benchmark_i"].astype(str) != table["benchmark_j"].astype(str)]
    return _heatmap(pairs, order, quantity, _describe(pairs, quantity))


def structure_heatmap(table: pd.DataFrame, quantity: str = "r") -> alt.LayerChart | alt.Chart:
    """Return two symmetric matrices in one square: before SFT above the diagonal, after it below.

    Parameters
    ----------
    table : DataFrame
        `stage, benchmark_i, benchmark_j, value`, and where there are `category_i`, `category_j`.
        One scale (P9).
    quantity : str
        Title of the colour scale.
    """
    need(table, "stage", "benchmark_i", "benchmark_j", "value")
    if "scale" in table:
        only(table, "scale")
    order = _order(table)
    at = {name: number for number, name in enumerate(order)}
    i, j = (table[f"benchmark_{side}"].astype(str).map(at) for side in "ij")
    above = (table["stage"] == "pretrain") & (i < j)
    below = (table["stage"] == "sft") & (i > j)
    before, after = table.loc[above], table.loc[below]
    words = "Above the diagonal before fine-tuning, below it after. "
    words += f"Before: {_describe(before, quantity)} After: {_describe(after, quantity)}"
    return _heatmap(table.loc[above | below], order, quantity, words)


def _heatmap(
    pairs: pd.DataFrame, order: list[str], quantity: str, description: str
) -> alt.LayerChart | alt.Chart:
    names = ["benchmark_i", "benchmark_j", *(["stage"] if "stage" in pairs else []), "value"]
    shown = pairs.loc[pairs["value"].notna(), names]
    if shown.empty:
        return unmeasured(description)
    axis = alt.Axis(grid=False, ticks=False, domain=False)
    base = alt.Chart(shown).encode(
        x=alt.X(
            "benchmark_j:N",
            sort=order,
            scale=alt.Scale(domain=order),
            title=None,
            axis=alt.Axis(
                grid=False, ticks=False, domain=False, labelAngle=-90, labelOverlap=False
            ),
        ),
        y=alt.Y("benchmark_i:N", sort=order, scale=alt.Scale(domain=order), title=None, axis=axis),
        tooltip=[*names[:-1], alt.Tooltip("value:Q", format=".2f")],
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "value:Q",
            scale=alt.Scale(
                domain=[-1, 0, 1], range=list(CORRELATION), clamp=True, interpolate="rgb"
            ),
            legend=alt.Legend(title=quantity, gradientLength=180, tickCount=5, format="~g"),
        )
    )
    height = max(CELL * len(order), 120)
    if len(order) > SMALL:
        return layered([cells], height, description)
    ink = alt.condition("abs(datum.value) > 0.6", alt.value("#FFFFFF"), alt.value("#1B1B1B"))
    numbers = base.mark_text().encode(text=alt.Text("value:Q", format=".2f"), color=ink)
    return layered([cells, numbers], height, description)


def _order(table: pd.DataFrame) -> list[str]:
    """Return the benchmarks, category by category where categories are known."""
    names = ordered([*table["benchmark_i"], *table["benchmark_j"]], ())
    if "category_i" not in table:
        return names
    of = dict(zip(table["benchmark_i"].astype(str), table["category_i"].astype(str), strict=True))
    if "category_j" in table:
        of |= dict(
            zip(table["benchmark_j"].astype(str), table["category_j"].astype(str), strict=True)
        )
    categories = ordered(of.values(), CATEGORY)
    return sorted(names, key=lambda name: categories.index(of[name]))


def _describe(pairs: pd.DataFrame, quantity: str) -> str:
    there = pairs.loc[pairs["value"].notna()]
    if there.empty:
        return f"{quantity}: no pair could be measured."
    by_value = there.sort_values("value")
    low, high = by_value.iloc[0], by_value.iloc[-1]
    words = f"{quantity} of {len(there)} pairs of benchmarks, "
    words += f"mean {signed(there['value'].mean())}, "
    words += f"lowest {signed(low['value'])} ({low['benchmark_i']}, {low['benchmark_j']}), "
    words += f"highest {signed(high['value'])} ({high['benchmark_i']}, {high['benchmark_j']})."
    return words
