"""A plain table of accuracies, CSV, TSV or Parquet: one row a run and benchmark.

Its columns are those of a measures table, or are named otherwise and listed under `columns` in the
mapping file. Where it has no columns for mixture, scale, seed and stage, a column `run` says which
run a row is of, by the mapping's rows or pattern.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from transfer.errors import BadInput
from transfer.importers.documents import checked_name, shown
from transfer.importers.known import UNNAMED
from transfer.importers.mapping import KEYS, MappingFile
from transfer.importers.naming import Naming, RunKey
from transfer.importers.planning import Plan
from transfer.suite import Suite
from transfer.tables import MEASURES
from transfer.tables.measures import check_measures, read_raw, refuse_misspelt

SUFFIXES = (".csv", ".tsv", ".parquet")
"""How the names of files end that are read as a table, in small letters or large."""


def read_table(path: Path, mapping: MappingFile, suite: Suite | None) -> tuple[pd.DataFrame, Plan]:
    """Return the rows of a table by the names of `MEASURES`, and what had no place.

    Raises
    ------
    BadInput
        If the table cannot be read, a column of the mapping is not in it, or a name cannot be
        used.
    """
    frame = read_raw(path)
    frame.columns = [str(name) for name in frame.columns]
    for ours, theirs in mapping.columns.items():
        if theirs not in frame:
            raise BadInput(
                f"{path}: has no column {shown(theirs)}, which the mapping gives for {ours}; "
                f"it has {', '.join(frame.columns[:12])}"
            )
        if ours != theirs and ours in frame:
            frame = frame.drop(columns=ours)
    frame = frame.rename(columns={theirs: ours for ours, theirs in mapping.columns.items()})
    made = Plan(mapping, suite)
    if not set(KEYS) <= set(frame.columns) and "run" in frame:
        frame = _with_runs(frame, path, mapping, made)
    for key, value in mapping.set.items():
        if key not in frame:
            frame[key] = value
    for key, names in mapping.names.items():
        if key in frame:
            frame[key] = [names.get(str(value).strip(), value) for value in frame[key]]
    for name in ("mixture", "scale", "stage", "benchmark", "category"):
        if name in frame:
            for value in frame[name].unique().tolist():
                checked_name(value, name, str(path))
    if "benchmark" in frame and "category" not in frame:
        frame["category"] = [made.known(str(name).strip()).category for name in frame["benchmark"]]
        if unnamed := frame.loc[frame["category"] == UNNAMED, "benchmark"].unique().tolist():
            made.notes.append(
                f"no category for {', '.join(map(shown, unnamed[:5]))}: put into {UNNAMED!r}; name "
                "one under benchmarks in the mapping file"
            )
    if "stage" in frame:
        made.check_order(str(stage).strip() for stage in frame["stage"])
    refuse_misspelt(frame.columns.tolist(), str(path), [*KEYS, "benchmark", "accuracy"])
    made.check_names(
        **{
            f"{name}s": [str(value).strip() for value in frame[name].unique()]
            for name in ("benchmark", "mixture", "scale")
            if name in frame
        }
    )
    known = [name for name in MEASURES.names if name in frame]
    if others := [name for name in frame.columns if name not in (*known, "run")]:
        made.notes.append(f"{path}: columns not used: {', '.join(map(shown, others[:12]))}")
    return check_measures(frame[known], str(path)), made


def _with_runs(frame: pd.DataFrame, path: Path, mapping: MappingFile, made: Plan) -> pd.DataFrame:
    """Return the rows whose column `run` is known, with the columns of that run."""
    naming = Naming(mapping)
    found: dict[str, RunKey] = {}
    for label in dict.fromkeys(str(value).strip() for value in frame["run"]):
        run = naming.run([label]) or naming.by_pattern([label])
        if run is None:
            made.unmatched.append(
                f"{path}: run {shown(label)}: no row and no pattern says what it is"
            )
        else:
            found[label] = run
    made.unmatched += [f"mapping: run {shown(name)} has no rows" for name in naming.unused]
    labels = frame["run"].astype(str).str.strip()
    frame = frame[labels.isin(list(found))].reset_index(drop=True)
    runs = [found[str(value).strip()] for value in frame["run"]]
    for key in KEYS:
        frame[key] = [getattr(run, key) for run in runs]
    return frame
