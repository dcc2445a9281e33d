"""The items table: the log-likelihood of every option of every item, one file a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

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

ITEMS = pa.schema(
    [
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("gold", pa.int32(), nullable=False),
        pa.field("loglikelihood", pa.list_(pa.float32()), nullable=False),
        pa.field("n_tokens", pa.list_(pa.int32())),
        pa.field("n_bytes", pa.list_(pa.int32()), nullable=False),
        pa.field("unconditional", pa.list_(pa.float32())),
    ]
)
"""Columns of an items table: nats summed over an option's tokens, one list entry an option.

`n_tokens` is null where a tool that was imported from does not say it.
"""

OPTIONAL = ("n_tokens", "unconditional")

GRAIN = 2.0**-13
"""Nats to which published log-likelihoods are rounded: off by at most 0.00006."""

ID_DIGITS = 6
"""Digits of an item's hash in a published table, where they tell a benchmark's items apart."""

# Bytes of floats in columns of their own compress far better; hashes repeat nothing.
_ENCODINGS = {
    "item": "DELTA_LENGTH_BYTE_ARRAY",
    **{
        f"{name}.list.element": "BYTE_STREAM_SPLIT"
        for name in ("loglikelihood", "unconditional", "n_tokens", "n_bytes")
    },
}

LEVEL, PUBLISHED_LEVEL = 9, 11
"""Levels of compression; the second takes four times as long and a tenth off the file."""

RUN_KEYS = ("suite", "mixture", "scale", "seed", "stage")
_METADATA = b"transfer"


def write_items(
    path: Path | str, frame: pd.DataFrame, metadata: Mapping[str, Any], level: int = LEVEL
) -> None:
    """Check an items table and write it, whole or not at all.

    Parameters
    ----------
    path : Path
        A `.parquet` file; replaced if it is there.
    frame : DataFrame
        The columns of `ITEMS`; those of `OPTIONAL` may be absent, or null where not known.
    metadata : mapping
        What the run was; must hold suite, mixture, scale, seed and stage. Written as JSON.
    level : int
        Of compression; `PUBLISHED_LEVEL` for a file that is kept and sent around.

    Raises
    ------
    BadInput
        If a row or the metadata is not as described.
    """
    path = Path(path)
    table = _conform(frame, str(path))
    _check_metadata(metadata, str(path))
    packed = {_METADATA: json.dumps(dict(metadata), sort_keys=True).encode()}
    with replacing(path) as beside:
        pq.write_table(
            table.replace_schema_metadata(packed),
            beside,
            compression="brotli",
            compression_level=level,
            use_dictionary=["benchmark", "gold"],
            column_encoding=_ENCODINGS,
        )


def compact(frame: pd.DataFrame) -> pd.DataFrame:
    """Return an items table in the form that is published: less than half the bytes.

    Log-likelihoods are rounded to `GRAIN`, and the hashes that name items are cut to `ID_DIGITS`
    digits, or to as many more as tell a benchmark's items apart.
    """
    rounded: dict[str, Any] = {
        name: [np.round(np.asarray(cell, float) / GRAIN) * GRAIN for cell in frame[name]]
        for name in ("loglikelihood", "unconditional")
        if name in frame and frame[name].notna().all()
    }
    ids: Any = frame.groupby("benchmark", sort=False)["item"].transform(_shortest)
    return frame.assign(item=ids, **rounded)


def _shortest(ids: pd.Series) -> pd.Series:
    digits = ID_DIGITS
    while ids.str[:digits].nunique() < ids.nunique():
        digits += 1
    return ids.str[:digits]


def lookup(rows: pd.DataFrame, items: Iterable[str]) -> pd.DataFrame:
    """Return one benchmark's rows of an items table for some items, in their order.

    Parameters
    ----------
    rows : DataFrame
        Rows of one benchmark; their ids may be cut (see `compact`).
    items : iterable of str
        Whole ids. The result is named by them.

    Raises
    ------
    BadInput
        If an item is not there.
    """
    named = rows.set_index("item")
    lengths = sorted(set(named.index.str.len()))
    wanted = list(items)
    found = []
    for item in wanted:
        there = [item[:length] for length in lengths if item[:length] in named.index]
        if len(there) != 1:
            raise BadInput(f"item {item} is not in the table; it has {len(rows)} other items")
        found.append(there[0])
    return named.loc[found].assign(item=wanted).reset_index(drop=True)[rows.columns.to_list()]


def read_items(path: Path | str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the checked items of a run, and what the run was.

    Raises
    ------
    BadInput
        If the file is missing, damaged or not an items table; the message names row and column.
    """
    path = Path(path)
    table = read_parquet(path)
    metadata = _unpacked(table.schema, path)
    require_columns(
        table.column_names, [name for name in ITEMS.names if name not in OPTIONAL], str(path)
    )
    return _conform(table, str(path)).to_pandas(), metadata


def read_metadata(path: Path | str) -> dict[str, Any]:
    """Return what an items table says that the run was, without reading its rows.

    Raises
    ------
    BadInput
        If the file is missing, damaged or not an items table.
    """
    path = Path(path)
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); write it again") from error
    return _unpacked(schema, path)


def _unpacked(schema: pa.Schema, path: Path) -> dict[str, Any]:
    packed = (schema.metadata or {}).get(_METADATA)
    if packed is None:
        raise BadInput(
            f"{path}: has no `transfer` metadata, so it is not an items table; "
            "write it with transfer.tables.write_items"
        )
    try:
        metadata: dict[str, Any] = json.loads(packed)
    except ValueError as error:
        raise BadInput(f"{path}: its `transfer` metadata is not JSON; write it again") from error
    _check_metadata(metadata, str(path))
    return metadata


def items_files(folder: Path | str, **run: Any) -> list[Path]:
    """Return the items tables of a folder whose runs are as given, such as `scale="S"`.

    An empty list where there is no such folder; a file that is no items table is passed over.
    """
    found = []
    for path in sorted(Path(folder).glob("*.parquet")) if folder else []:
        try:
            packed = (pq.read_schema(path).metadata or {}).get(_METADATA, b"{}")
            metadata = json.loads(packed)
        except (pa.ArrowException, OSError, ValueError):
            continue
        if run.items() <= metadata.items():
            found.append(path)
    return found


def _conform(data: pd.DataFrame | pa.Table, where: str) -> pa.Table:
    """Return a table of exactly the schema, checked cell by cell."""
    names = list(data.columns) if isinstance(data, pd.DataFrame) else data.column_names
    require_columns(names, [name for name in ITEMS.names if name not in OPTIONAL], where)
    require_rows(len(data), where)
    arrays = []
    for field in ITEMS:
        if field.name not in names:
            arrays.append(pa.nulls(len(data), field.type))
            continue
        column = data[field.name]
        try:
            array = (
                pa.array(column.to_list(), field.type)
                if isinstance(column, pd.Series)
                else column.combine_chunks().cast(field.type)
            )
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise BadInput(_wrong_type(column, field, where)) from error
        if not field.nullable and array.null_count:
            bad = np.asarray(array.is_null())
            refuse_first(bad, where, field.name, "no value; fill it in", array)
        arrays.append(array)
    table = pa.Table.from_arrays(arrays, schema=ITEMS)
    _check_lists(table, where)
    refuse_duplicates(table.select(["benchmark", "item"]).to_pandas(), ["benchmark", "item"], where)
    return table


def _wrong_type(column: Any, field: pa.Field, where: str) -> str:
    """Return the message for the first cell that does not fit the field's type."""
    cells = column.to_list() if isinstance(column, pd.Series) else column.to_pylist()
    for row, cell in enumerate(cells):
        try:
            pa.array([cell], field.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return f"{at(where, row, field.name)}: {cell!r} is not {field.type}; mend its type"
    return f"{where}: column {field.name}: is {column.type}, not {field.type}; mend its type"


def _check_lists(table: pa.Table, where: str) -> None:
    column = {name: table[name].combine_chunks() for name in table.column_names}
    options = _lengths(column["loglikelihood"])
    refuse_first(
        options < 2, where, "loglikelihood", "{value} options; an item needs two or more", options
    )
    for name in ("n_tokens", "n_bytes", "unconditional"):
        lengths = _lengths(column[name])
        ragged = (lengths != options) & ~np.asarray(column[name].is_null())
        says = "{value} entries, but loglikelihood has another number; give one an option"
        refuse_first(ragged, where, name, says, lengths)
    for name in ("loglikelihood", "unconditional"):
        # A rounding error above zero is not a mistake; a positive log-likelihood is.
        wrong = _any_entry(column[name], lambda values: ~(np.isfinite(values) & (values < 1e-3)))
        says = "holds a value that is not a log-likelihood (finite, at most 0); score it again"
        refuse_first(wrong, where, name, says, wrong)
    for name in ("n_tokens", "n_bytes"):
        wrong = _any_entry(column[name], lambda values: ~(values >= 1))
        refuse_first(wrong, where, name, "holds a length below 1; count it again", wrong)
    gold = np.asarray(column["gold"])
    says = "gold {value} is out of range; options are counted from 0"
    refuse_first((gold < 0) | (gold >= options), where, "gold", says, gold)


def _lengths(lists: pa.ListArray) -> np.ndarray:
    return np.asarray(lists.value_lengths().fill_null(0))


def _any_entry(lists: pa.ListArray, wrong: Any) -> np.ndarray:
    """Return, per row, whether an entry of its list is wrong; a null entry is wrong too."""
    rows = np.repeat(np.arange(len(lists)), _lengths(lists))
    entries = lists.flatten().to_numpy(zero_copy_only=False).astype(float)
    return np.bincount(rows, weights=wrong(entries), minlength=len(lists)) > 0


def _check_metadata(metadata: Mapping[str, Any], where: str) -> None:
    for key in RUN_KEYS:
        if key not in metadata:
            raise BadInput(f"{where}: metadata key {key} is missing; add it")
    if meant := misspelt_stage(metadata["stage"]):
        raise BadInput(f"{where}: metadata stage is {metadata['stage']!r}; write {meant}")
    if isinstance(metadata["seed"], bool) or not isinstance(metadata["seed"], int):
        raise BadInput(f"{where}: metadata seed is {metadata['seed']!r}; write a whole number")
