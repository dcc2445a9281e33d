"""The measures table: accuracy, confidence and calibration of every run on every benchmark.

A user may bring a table (CSV or Parquet) with only the key columns and `accuracy`.
"""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from transfer.entries import NORMALIZATIONS, Normalization
from transfer.errors import BadInput
from transfer.files import replacing
from transfer.tables.refusal import (
    at,
    misspelt_stage,
    read_parquet,
    refuse_duplicates,
    refuse_first,
    require_columns,
    require_rows,
)
from transfer.tables.text import SEPARATORS, read_text_table

MEASURES = pa.schema(
    [
        *((name, pa.string()) for name in ("suite", "mixture", "scale")),
        ("seed", pa.int32()),
        *((name, pa.string()) for name in ("stage", "benchmark", "category", "normalization")),
        ("n_items", pa.int32()),
        *(
            (name, pa.float64())
            for name in (
                *("chance", "accuracy", "confidence", "gold_probability"),
                *("nll", "brier", "ece", "aurc", "auroc"),
            )
        ),
    ]
)
"""Columns of a measures table, in order."""

CONTROL = MEASURES.append(pa.field("checkpoint_sha256", pa.string()))
"""Columns of a table of swapped contexts: and the hash of the run's weights at the end."""

TRAJECTORY = CONTROL.append(pa.field("step", pa.int32())).append(pa.field("tokens", pa.int64()))
"""Columns of a trajectory: and a point of training, in steps and tokens."""

KEYS = ("mixture", "scale", "seed", "stage", "benchmark")
"""The columns that every measures table has, besides `accuracy`."""

METRICS = MEASURES.names[MEASURES.names.index("accuracy") :]
"""The measures proper: accuracy, confidence, gold_probability, nll, brier, ece, aurc, auroc."""

CHANCE_APART = 0.05
"""How far the chance of a benchmark may differ from run to run."""

_NOTES = b"transfer"


class _Notes(BaseModel):
    """What `read_notes` returns."""

    stages: list[str] = []
    normalization: dict[str, Normalization] = {}
    mixtures: dict[str, dict[str, float | str]] = {}
    scales: dict[str, dict[str, float]] = {}


_UPPER = {"nll": np.inf, "brier": 2.0}
_WORDS = {"normalization": NORMALIZATIONS}


def write_measures(
    path: Path | str, frame: pd.DataFrame, notes: Mapping[str, Any] | None = None
) -> None:
    """Check a measures table and write it (Parquet, or text by suffix), whole or not at all.

    Parameters
    ----------
    path : Path
    frame : DataFrame
        All columns of `MEASURES`; with notes, at least the key columns and `accuracy`.
    notes : mapping, optional
        What is known of the study besides the numbers, for a study without a suite file; see
        `read_notes`. Kept in a Parquet file only.

    Raises
    ------
    BadInput
        If a column is missing or a cell is wrong; the message names row and column.
    """
    path = Path(path)
    if notes is None:
        require_columns(list(frame.columns), MEASURES.names, str(path))
    frame = check_measures(frame, str(path))
    frame = frame[[name for name in MEASURES.names if name in frame]]
    with replacing(path) as beside:
        if separator := SEPARATORS.get(path.suffix.lower()):
            frame.to_csv(beside, index=False, sep=separator)
        else:
            schema = pa.schema([MEASURES.field(name) for name in frame.columns])
            table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
            said = {_NOTES: json.dumps(dict(notes), sort_keys=True).encode()} if notes else None
            pq.write_table(table.replace_schema_metadata(said), beside, compression="zstd")


def read_notes(path: Path | str) -> dict[str, Any]:
    """Return what a measures table says of its study, where no suite file does.

    Returns
    -------
    dict
        Where known: `stages`, a list in order; `normalization`, by benchmark, the one that it is
        compared by; `mixtures`, by name, with `web` and shares; `scales`, by name, with
        `parameters`. Empty for a CSV file and for a table of a suite.
    """
    path = Path(path)
    if path.suffix.lower() in SEPARATORS:
        return {}
    said = (read_parquet(path).schema.metadata or {}).get(_NOTES)
    try:
        return _Notes.model_validate_json(said).model_dump(exclude_unset=True) if said else {}
    except ValidationError:
        raise BadInput(
            f"{path}: its `transfer` metadata is not what `transfer import` writes; write it again"
        ) from None


def read_measures_table(path: Path | str) -> pd.DataFrame:
    """Return the checked rows of a measures table, CSV or Parquet.

    Columns that are not of the schema are dropped with a warning.

    Raises
    ------
    BadInput
        If the file is missing, damaged, empty, lacks a key column or `accuracy`, repeats a key,
        or holds a wrong cell; the message names row and column.
    """
    return check_measures(read_raw(path), str(path))


def read_raw(path: Path | str) -> pd.DataFrame:
    """Return the cells of a CSV, TSV or Parquet file, unchecked; those of a text file are text.

    Raises
    ------
    BadInput
        If the file is missing, damaged, empty or too large.
    """
    path = Path(path)
    if separator := SEPARATORS.get(path.suffix.lower()):
        return read_text_table(path, separator)
    return read_parquet(path).to_pandas()


def check_measures(frame: pd.DataFrame, where: str = "measures") -> pd.DataFrame:
    """Return a measures table with its types set, or refuse it.

    Parameters
    ----------
    frame : DataFrame
        At least the key columns and `accuracy`; text cells that hold numbers are converted.
    where : str
        What the message calls the table.
    """
    refuse_misspelt(list(frame.columns), where, MEASURES.names)
    require_columns(list(frame.columns), [*KEYS, "accuracy"], where)
    frame = frame[_known_columns(list(frame.columns), where)].reset_index(drop=True)
    require_rows(len(frame), where)
    checked = {}
    for name in frame.columns:
        column = frame[name]
        if pa.types.is_string(MEASURES.field(name).type):
            checked[name] = _words(column, name, where)
        else:
            checked[name] = _numbers(column, name, where)
    frame = pd.DataFrame(checked)
    keys = [name for name in ("suite", *KEYS, "normalization") if name in frame]
    refuse_duplicates(frame, keys, where)
    for name in ("category", "chance"):
        if name in frame:
            _refuse_several(frame, name, where)
    return frame


def _refuse_several(frame: pd.DataFrame, name: str, where: str) -> None:
    """Refuse a benchmark that has another category, or chance, than in a row before."""
    said = frame[name]
    first = said.groupby(frame["benchmark"]).transform("first")
    # The chance of a benchmark is a mean over items, of which runs may have others.
    other = said != first if name == "category" else (said - first).abs() > CHANCE_APART
    says = f"{{value}}, but {name} of the same benchmark is another above; make them one"
    refuse_first(other.to_numpy(), where, name, says, said.tolist())


def refuse_misspelt(there: Sequence[str], where: str, wanted: Sequence[str]) -> None:
    """Refuse a column that looks like one of those wanted that are not there."""
    absent = [name for name in wanted if name not in there]
    for name in there:
        if name in MEASURES.names:
            continue
        plain = str(name).strip().lower()
        if close := difflib.get_close_matches(plain, absent, n=1, cutoff=0.8):
            raise BadInput(f"{where}: column {name} is not known; did you mean {close[0]}?")


def _known_columns(there: list[str], where: str) -> list[str]:
    """Return the columns of the schema; warn about the rest."""
    unknown = [name for name in there if name not in MEASURES.names]
    if unknown:
        warnings.warn(f"{where}: columns {', '.join(map(str, unknown))} are not used", stacklevel=4)
    return [name for name in MEASURES.names if name in there]


def _words(column: pd.Series, name: str, where: str) -> pd.Series:
    blank = (column.isna() | (column.astype(str).str.strip() == "")).to_numpy()
    cells = column.tolist()
    refuse_first(blank, where, name, "no value; fill it in", cells)
    # A mixture or a scale may be written as a number.
    text = column.astype(str).str.strip()
    if name in _WORDS:
        bad = (~text.isin(_WORDS[name])).to_numpy()
        mend = f"{name} {{value!r}} is not known; write {', '.join(_WORDS[name])}"
        refuse_first(bad, where, name, mend, cells)
    if name == "stage":
        meant = [misspelt_stage(stage) or "" for stage in text]
        says = f"stage {{value!r}} is not known; did you mean {next(filter(None, meant), '')}?"
        refuse_first(np.array(meant) != "", where, name, says, cells)
    return text.astype(object)


def _numbers(column: pd.Series, name: str, where: str) -> pd.Series:
    cells = column.tolist()
    if pd.api.types.is_bool_dtype(column):
        raise BadInput(f"{at(where, 0, name)}: {cells[0]!r} is not a number; write a number")
    text = column.astype(object)
    blank = text.isna().to_numpy() | (text.astype(str).str.strip() == "").to_numpy()
    blank |= text.astype(str).str.strip().str.lower().isin(["nan", "na", "null"]).to_numpy()
    numbers = pd.to_numeric(text.where(~blank, np.nan), errors="coerce").astype(float)
    values = numbers.to_numpy()
    unread = np.isnan(values) & ~blank
    refuse_first(unread, where, name, "{value!r} is not a number; write a number", cells)
    if name in ("seed", "n_items"):
        if name == "seed":
            refuse_first(blank, where, name, "no value; fill it in", cells)
        whole = blank | ((values == np.round(values)) & (values >= 0) & (values < 2**31))
        refuse_first(~whole, where, name, "{value!r} is not a whole number of 0 or more", cells)
        return numbers if blank.any() else numbers.astype("int32")
    if name == "accuracy":
        says = "NaN or no value; leave the row out if the benchmark was not scored"
        refuse_first(blank, where, name, says, cells)
    upper = _UPPER.get(name, 1.0)
    outside = ~blank & ~((values >= 0) & (values <= upper) & np.isfinite(values))
    bounds = f"[0, {upper:g}]" if np.isfinite(upper) else "[0, inf)"
    mend = " (a percentage? divide by 100)" if upper == 1 else ""
    refuse_first(outside, where, name, f"{{value}} is outside {bounds}{mend}", cells)
    return numbers


def metrics_of(frame: pd.DataFrame) -> list[str]:
    """Return the measures that a table holds, in the order of the schema."""
    return [name for name in METRICS if name in frame]
