"""The figure of the scorecard: each claim's quantity here, with its interval, and in the paper."""

from __future__ import annotations

import textwrap

import altair as alt
import pandas as pd

from transfer.charts.estimates import Encoding, estimates, need, several
from transfer.charts.palette import VERDICT, VERDICT_SHAPE, ordered

LABEL_WIDTH = 44
"""Characters of a label that fit on one line beside the marks."""


def scorecard_chart(
    table: pd.DataFrame, quantity: str = "r or difference of r"
) -> alt.LayerChart | alt.Chart:
    """Return one row a claim: the value here with its interval and verdict, and the paper's value.

    Parameters
    ----------
    table : DataFrame
        `id, verdict, value`, and where there are: `low`, `high`, `paper` (the published value of
        the same quantity), and `scale` and `quantity`, which are put beside the id.
    quantity : str
        Title of the axis.
    """
    need(table, "id", "verdict", "value")
    table = table.assign(row=table["id"].astype(str))
    for column in ("scale", "quantity"):
        if several(table, column):
            table["row"] = table["row"] + " " + table[column].astype(str)
    # A threshold stays whole: textwrap breaks at plain spaces alone.
    whole = table["row"].str.replace(r" ([<>]) ", "\xa0\\1\xa0", regex=True)
    table["row"] = ["\n".join(textwrap.wrap(name, LABEL_WIDTH)) for name in whole]
    rows = ordered(table["row"], ())
    counts = table["verdict"].value_counts()
    words = f"{len(table)} quantities of {table['id'].nunique()} claims: " + ", ".join(
        f"{counts[name]} {name}" for name in ordered(counts.index, VERDICT)
    )
    if has_paper := "paper" in table and bool(table["paper"].notna().any()):
        words += ". The tick is the value that the paper reports"
    return estimates(
        table,
        "row",
        rows,
        quantity,
        f"{words}.",
        colour=Encoding("verdict", VERDICT, ""),
        shape=Encoding("verdict", VERDICT_SHAPE, ""),
        ticks="paper" if has_paper else None,
    )
