"""Tables that are text: CSV, and TSV."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from transfer.errors import BadInput
from transfer.tables.refusal import LARGEST

SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""What stands between columns, by how a file's name ends."""

_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons"}


def read_text_table(path: Path, separator: str) -> pd.DataFrame:
    """Return the cells of a text table as text, unchecked.

    Raises
    ------
    BadInput
        If the file is missing, empty, too large, has another separator, or rows that do not fit
        its header.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path}: larger than {LARGEST // 10**6} MB; keep the rows you need")
        frame = _read(path, separator)
        _refuse_separator(frame, path, separator)
        if not isinstance(frame.index, pd.RangeIndex):
            return _without_last(frame, path, separator)
        return frame
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; check the path") from None
    except pd.errors.EmptyDataError:
        raise BadInput(f"{path}: the table is empty; give a header and at least one row") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        said = " ".join(str(error).split())
        raise BadInput(f"{path}: not readable as CSV ({said}); mend the file") from error


def _read(path: Path, separator: str, index: bool | None = None) -> pd.DataFrame:
    return pd.read_csv(
        path,
        sep=separator,
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig",
        index_col=index,
    )


def _refuse_separator(frame: pd.DataFrame, path: Path, separator: str) -> None:
    if len(frame.columns) > 1:
        return
    for sign, name in _NAMES.items():
        if sign != separator and sign in str(frame.columns[0]):
            raise BadInput(
                f"{path}: columns are separated by {name}; write the table with {_NAMES[separator]}"
            )


def _without_last(frame: pd.DataFrame, path: Path, separator: str) -> pd.DataFrame:
    """Return a table whose rows end with a separator; refuse one with more cells than names.

    Such rows are read as if their first cells were the names of rows, so that the rest is shifted.
    """
    last = frame.iloc[:, -frame.index.nlevels :]
    if not last.map(lambda cell: str(cell).strip() == "").all(axis=None):
        raise BadInput(
            f"{path}: rows have {frame.index.nlevels + len(frame.columns)} cells, the header "
            f"{len(frame.columns)}; name every column"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        return _read(path, separator, False)
