"""The scorecard as a page shows it: the verdict in sight, what it rests on beside it."""

from __future__ import annotations

import pandas as pd

from transfer.findings import number
from transfer.sortable import Sortable, sortable

REST = {
    "published_value": "paper",
    "p": "p",
    "p_within_web": "p within web source",
    "p_within_composition": "p within composition",
    "statement": "the paper says",
    "published": "numbers of the paper",
    "source": "read in",
    "note": "note",
}
"""Columns of a scorecard that follow the verdict, and their headings."""


def as_table(card: pd.DataFrame, caption: str) -> Sortable:
    """Return a scorecard as a table to sort, and to filter by claim, scale and verdict.

    Parameters
    ----------
    card : DataFrame
        From `transfer.scorecard`.
    caption : str
        What the table shows.
    """
    ours = card[["ours", "low", "high"]].itertuples(index=False)
    frame = pd.DataFrame(
        {
            "claim": pd.Categorical(card["claim"], categories=card["claim"].unique()),
            "scale": pd.Categorical(card["scale"], categories=card["scale"].unique()),
            "verdict": card["verdict"],
            "quantity": card["quantity"],
            "here": [number(*each) for each in ours],
        }
    )
    rest = card[list(REST)].rename(columns=REST).replace("", None)
    return sortable(
        frame.join(rest), ("claim", "scale", "verdict"), caption, {"here": list(card["ours"])}
    )
