"""How a bad table is refused: one line with the file, the row, the column and the mend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from transfer.entries import STAGES
from transfer.errors import BadInput

LARGEST = 2_000_000_000
"""Bytes that a table may have, and take once it is unpacked."""

MOST_ROWS = 20_000_000


def misspelt_stage(stage: object) -> str | None:
    """Return `pretrain` or `sft` where a stage is one of them written otherwise, as `Pre-train`.

    A table may have stages of any name; these two are what protocols look for by default.
    """
    plain = re.sub(r"[\W_]", "", str(stage)).lower()
    return next((name for name in STAGES if plain == name and stage != name), None)


def at(where: str, row: int, column: str) -> str:
    """Return the place of a cell in words; `row` is counted from 0 here and shown from 1."""
    return f"{where}: row {row + 1}, column {column}"


def refuse_first(
    bad: np.ndarray, where: str, column: str, says: str, values: Sequence | np.ndarray
) -> None:
    """Raise `BadInput` for the first row that is marked bad, if any.

    Parameters
    ----------
    bad : array of bool, one a row
    where : str
        The file, as the user knows it.
    column : str
    says : str
        What is wrong and the mend; `{value}` stands for the cell.
    values : sequence
        The cells of the column.
    """
    if np.any(bad):
        row = int(np.argmax(bad))
        raise BadInput(f"{at(where, row, column)}: {says.format(value=values[row])}")


def refuse_duplicates(frame: pd.DataFrame, keys: Sequence[str], where: str) -> None:
    """Raise `BadInput` for the first row whose key an earlier row has."""
    again = frame.duplicated(list(keys)).to_numpy()
    if not again.any():
        return
    row = int(np.argmax(again))
    key = frame.iloc[row][list(keys)]
    earlier = int(np.argmax((frame[list(keys)] == key).all(axis=1).to_numpy()))
    named = ", ".join(f"{name}={key[name]}" for name in keys)
    raise BadInput(
        f"{where}: row {row + 1}, columns {', '.join(keys)}: the same key as row {earlier + 1} "
        f"({named}); keep one of the two"
    )


def read_parquet(path: Path) -> pa.Table:
    """Return a Parquet table, or refuse a file that is missing, damaged or not Parquet."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file; check the path")
    try:
        shape = pq.read_metadata(path)
        groups = (shape.row_group(number) for number in range(shape.num_row_groups))
        if sum(group.total_byte_size for group in groups) > LARGEST or shape.num_rows > MOST_ROWS:
            raise BadInput(
                f"{path}: larger than {LARGEST // 10**6} MB or {MOST_ROWS:,} rows; "
                "keep the rows you need"
            )
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        if path.suffix.lower() != ".parquet":
            raise BadInput(
                f"{path}: not a table that can be read; give a .csv, .tsv or .parquet file"
            ) from error
        raise BadInput(
            f"{path}: not a whole Parquet file (damaged or cut short); write or copy it again"
        ) from error


def require_columns(there: Sequence[str], wanted: Sequence[str], where: str) -> None:
    """Raise `BadInput` if a column is missing."""
    for column in wanted:
        if column not in there:
            raise BadInput(
                f"{where}: column {column} is missing; add it (the table has {', '.join(there)})"
            )


def require_rows(rows: int, where: str) -> None:
    """Raise `BadInput` if a table has no rows."""
    if rows == 0:
        raise BadInput(f"{where}: the table is empty; give at least one row")
