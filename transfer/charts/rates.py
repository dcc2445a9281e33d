"""The figure of scoring's speed: each workload's ratio, held against what was asked for."""

from __future__ import annotations

import altair as alt
import pandas as pd

from transfer.charts.estimates import Encoding, estimates, need
from transfer.charts.palette import ordered


def speed_chart(table: pd.DataFrame) -> alt.LayerChart | alt.Chart:
    """Return how far each ratio of speeds is from its bar, one row a workload, one lane a model.

    Parameters
    ----------
    table : DataFrame
        `workload, model, ratio, lowest, highest, bar`: the ratio of items a second, its ends over
        the pairs of runs, and what was asked for.
    """
    need(table, "workload", "model", "ratio", "lowest", "highest", "bar")
    shown = table.dropna(subset=["ratio"])
    shown = shown.assign(
        value=shown["ratio"] / shown["bar"],
        low=shown["lowest"] / shown["bar"],
        high=shown["highest"] / shown["bar"],
    )
    reached = int((shown["value"] >= 1).sum())
    words = "; ".join(
        f"{row['workload']}, {row['model']}: {row['ratio']:.1f} of {row['bar']:g}"
        for row in shown.to_dict("records")
    )
    model = Encoding("model", {}, "parameters")
    return estimates(
        shown,
        "workload",
        ordered(shown["workload"], ()),
        "ratio to hf, over its bar",
        f"Speed over that of hf, and its bar; {reached} of {len(shown)} reach it. {words}.",
        colour=model,
        shape=model,
        lanes=[model],
        rules=(1.0,),
    )
