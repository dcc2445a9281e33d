"""A table that a reader can sort and filter, and that is a plain table where no script runs.

The script is `book/assets/tables.js`; it finds what this module writes by the class `sortable`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from transfer.findings import cell as number


class Sortable:
    """What a notebook's cell shows; see `sortable`."""

    def __init__(
        self,
        frame: pd.DataFrame,
        filters: Sequence[str],
        caption: str,
        keys: Mapping[str, Sequence[Any]],
        chosen: Mapping[str, Any],
    ) -> None:
        self.frame = frame
        self.filters = filters
        self.caption = caption
        self.keys = keys
        self.chosen = chosen

    def _repr_html_(self) -> str:
        columns = [str(name) for name in self.frame.columns]
        values = {str(name): self.frame[name] for name in self.frame.columns}
        keys = {name: _keys(values[name], self.keys.get(name)) for name in columns}
        head = "".join(
            f'<th scope="col"{self._marks(name)}>{html.escape(name)}</th>' for name in columns
        )
        shown = {name: [_shown(cell) for cell in values[name]] for name in columns}
        body = "".join(
            "<tr>"
            + "".join(
                f'<td data-key="{html.escape(keys[name][row], quote=True)}">'
                f"{html.escape(shown[name][row])}</td>"
                for name in columns
            )
            + "</tr>"
            for row in range(len(self.frame))
        )
        return (
            '<div class="sortable"><table class="dataframe">'
            f"<caption>{html.escape(self.caption)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _marks(self, name: str) -> str:
        """Return the attributes that tell the script how to sort and filter by a column."""
        marks = " data-numeric" if _numeric(self.frame[name], self.keys.get(name)) else ""
        if name in self.filters:
            first = html.escape(str(self.chosen.get(name, "")), quote=True)
            marks += f' data-filter="{first}"'
        return marks

    def __repr__(self) -> str:
        return self.frame.to_string(index=False, na_rep="–")


def sortable(
    frame: pd.DataFrame,
    filters: Sequence[str] = (),
    caption: str = "",
    keys: Mapping[str, Sequence[Any]] | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> Sortable:
    """Return a frame as a table with headings to sort by and fields to filter with.

    Parameters
    ----------
    frame : DataFrame
        Numbers are shown as in `transfer.findings.table`, an absent cell as a dash; the rows stand
        in this order until a reader sorts them.
    filters : sequence of str
        Columns with few values, each of which gets a list to choose one from.
    caption : str
        What the table shows.
    keys : mapping, optional
        By column, what its cells are sorted by, one a row, where that is not what they show. A
        categorical column is sorted by the order of its categories.
    chosen : mapping, optional
        By filter, the value that it has at first; all rows are shown where it is not given.

    Raises
    ------
    ValueError
        If a filter or a key is not a column, or has not one value a row.
    """
    keys = dict(keys or {})
    for name in (*filters, *keys):
        if name not in frame:
            raise ValueError(f"the table has no column {name!r}")
    for name, values in keys.items():
        if len(values) != len(frame):
            raise ValueError(f"{len(values)} keys of {name!r} for {len(frame)} rows")
    return Sortable(frame, list(filters), caption, keys, dict(chosen or {}))


def _shown(cell: Any) -> str:
    if cell is None or cell is pd.NA or (isinstance(cell, float) and pd.isna(cell)):
        return "–"
    if isinstance(cell, float):
        return number(cell)
    return str(cell)


def _numeric(values: pd.Series, keys: Sequence[Any] | None) -> bool:
    return pd.api.types.is_numeric_dtype(values if keys is None else pd.Series(list(keys)))


def _keys(values: pd.Series, keys: Sequence[Any] | None) -> list[str]:
    """Return what cells are sorted by, as text; empty where a cell is absent, which goes last."""
    if keys is None and isinstance(values.dtype, pd.CategoricalDtype):
        return [f"{code:06d}" if code >= 0 else "" for code in values.cat.codes]
    return ["" if pd.isna(key) else str(key) for key in (values if keys is None else keys)]
