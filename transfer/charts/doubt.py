"""Figures of how sure the book is: coverage of intervals, power, and every other specification."""

from __future__ import annotations

import altair as alt
import pandas as pd

from transfer.charts.estimates import Encoding, estimates, layered, need, signed
from transfer.charts.palette import MARK, SPARE_COLOURS, VERDICT, ordered, worn

KIND = {"percentile": "#5E7FD0", "bca": "#A36A3B", "fisher": "#6A8F3C"}
KIND_SHAPE = {"percentile": "triangle-left", "bca": "arrow", "fisher": "wedge"}
ROW = 24


def coverage_chart(table: pd.DataFrame, level: float = 0.95) -> alt.LayerChart | alt.Chart:
    """Return how often intervals hold the true r, one row a case, one lane a kind of interval.

    Parameters
    ----------
    table : DataFrame
        From `transfer.uncertainty.planning.coverage`.
    level : float
        What the intervals promise.
    """
    need(table, "scores", "mixtures", "rho", "kind", "coverage", "error")
    case = [f"{row.mixtures} mixtures, r = {row.rho:g}, {row.scores}" for row in table.itertuples()]
    shown = table.assign(
        case=case,
        value=table["coverage"],
        low=table["coverage"] - 1.96 * table["error"],
        high=(table["coverage"] + 1.96 * table["error"]).clip(upper=1),
    )
    worst = shown.sort_values("value").iloc[0]
    words = f"Coverage of {level:.0%} intervals in {len(table)} simulated cases. "
    words += f"Lowest {worst['value']:.1%}: {worst['kind']}, {worst['case']}."
    return estimates(
        shown,
        "case",
        ordered(shown["case"], ()),
        "share of intervals that hold the true r",
        words,
        colour=Encoding("kind", KIND, "interval"),
        shape=Encoding("kind", KIND_SHAPE, "interval"),
        lanes=[Encoding("kind", KIND, "interval")],
        rules=(level,),
        domain=(0.8, 1.0),
        percent=True,
    )


def power_curves(table: pd.DataFrame, label: str = "study") -> alt.LayerChart:
    """Return power against the number of mixtures, one line a kind of study.

    Parameters
    ----------
    table : DataFrame
        `mixtures, power`, and the column `label`.
    """
    need(table, label, "mixtures", "power")
    names = ordered(table[label], ())
    at_few = table[table["mixtures"] == table["mixtures"].min()]
    words = f"Power against the number of mixtures, {table['mixtures'].min()} to "
    words += f"{table['mixtures'].max()}. With the fewest: " + "; ".join(
        f"{row[label]} {row['power']:.0%}" for row in at_few.to_dict("records")
    )
    across = alt.X(
        "mixtures:Q",
        title="mixtures",
        scale=alt.Scale(type="log"),
        axis=alt.Axis(values=sorted(table["mixtures"].unique().tolist())),
    )
    up = alt.Y(
        "power:Q",
        title="share of studies that tell",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", tickCount=5),
    )
    colour = alt.Color(
        f"{label}:N",
        scale=alt.Scale(domain=names, range=worn(names, {}, SPARE_COLOURS)),
        legend=alt.Legend(title=None, columns=1, labelLimit=340),
    )
    base = alt.Chart(table[[label, "mixtures", "power"]]).encode(
        x=across,
        y=up,
        color=colour,
        tooltip=[f"{label}:N", "mixtures:Q", alt.Tooltip("power:Q", format=".0%")],
    )
    aim = (
        alt.Chart(pd.DataFrame({"power": [0.8]}))
        .mark_rule(strokeDash=[4, 4], opacity=0.7)
        .encode(y=up)
    )
    lines = [aim, base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=50, opacity=1)]
    return layered(lines, 300, f"{words}.")


def specification_chart(curve: pd.DataFrame, quantity: str = "value") -> alt.LayerChart:
    """Return every specification as a tick, one row a claim's quantity; the book's own is a dot.

    Parameters
    ----------
    curve : DataFrame
        From `transfer.claims.specification_curve`, with `row` (the label) and `own` (bool).
    """
    need(curve, "row", "value", "side", "own")
    shown = curve.loc[curve["value"].notna(), ["row", "value", "side", "own"]]
    rows = ordered(shown["row"], ())
    agree = shown["side"].eq("agrees").groupby(shown["row"], sort=False).mean()
    words = f"{len(shown)} values of {len(rows)} quantities. Share on the claim's side: "
    words += "; ".join(f"{name} {agree[name]:.0%}" for name in rows)
    names = ordered(shown["side"], VERDICT)
    place = alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(grid=True, ticks=False))
    across = alt.X("value:Q", title=quantity, axis=alt.Axis(tickCount=5, format="~g"))
    tooltip = ["row:N", "side:N", alt.Tooltip("value:Q", format=".2f")]
    ticks = (
        alt.Chart(shown)
        .mark_tick(thickness=1.5, size=ROW * 0.7, opacity=0.7)
        .encode(
            x=across,
            y=place,
            tooltip=tooltip,
            color=alt.Color(
                "side:N",
                scale=alt.Scale(domain=names, range=worn(names, VERDICT, SPARE_COLOURS)),
                legend=alt.Legend(title="on the claim's side"),
            ),
        )
    )
    own = (
        alt.Chart(shown[shown["own"]])
        .mark_point(filled=True, size=70, opacity=1, color=MARK)
        .encode(x=across, y=place, tooltip=tooltip)
    )
    zero = alt.Chart(pd.DataFrame({"value": [0.0]})).mark_rule(opacity=0.7).encode(x=across)
    low, high = signed(shown["value"].min()), signed(shown["value"].max())
    return layered([zero, ticks, own], ROW * len(rows), f"{words}. Values from {low} to {high}.")
