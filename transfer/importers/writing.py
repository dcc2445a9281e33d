"""Writes a plan: an items table for every run whose items are there, and the measures table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from transfer.errors import BadInput
from transfer.files import replacing
from transfer.importers.naming import RunKey
from transfer.importers.planning import Cell, Plan
from transfer.measures import measure
from transfer.tables import MEASURES, write_items, write_measures
from transfer.tables.items import ITEMS

LONGEST_NAME = 150
"""Characters of a file's name before it is cut and told apart by a hash."""


def write(
    plan: Plan, out: Path, suite: str, force: bool = False, progress: Callable | None = None
) -> pd.DataFrame:
    """Write `out/measures.parquet` and `out/items/<run>.parquet`; return the measures.

    Parameters
    ----------
    plan : Plan
    out : Path
        A folder, made if it is not there.
    suite : str
        What the tables call the study.
    force : bool
        Replace an import that is there.
    progress : callable, optional
        Wraps the list of runs.

    Raises
    ------
    BadInput
        If the plan has nothing to write, items cannot be read, or `out` holds an import.
    """
    if not plan.cells:
        raise BadInput("nothing to import: no result has a run and an accuracy")
    _refuse_old(out, force)
    with replacing(out / "items") as beside:
        beside.mkdir()
        tables = []
        for run in (progress or list)(plan.runs):
            cells = [cell for cell in plan.cells if cell.run == run]
            tables.append(_write_run(run, cells, plan, beside, suite))
        frame = arranged(pd.concat(tables, ignore_index=True), plan.stages)
        write_measures(out / "measures.parquet", frame, notes(plan, frame))
    if not any((out / "items").iterdir()):
        (out / "items").rmdir()
    return frame


def write_table(
    frame: pd.DataFrame, plan: Plan, out: Path, suite: str, force: bool = False
) -> None:
    """Write the rows of a plain table as `out/measures.parquet`."""
    _refuse_old(out, force)
    frame = frame.assign(suite=suite) if "suite" not in frame else frame
    stages = plan.ordered(frame["stage"])
    write_measures(out / "measures.parquet", arranged(frame, stages), notes(plan, frame, stages))


def arranged(frame: pd.DataFrame, stages: Sequence[str]) -> pd.DataFrame:
    """Return the rows by stage, without the columns that no row has a value in."""
    place = {stage: number for number, stage in enumerate(stages)}
    order = frame["stage"].astype(str).str.strip().map(place).argsort(kind="stable")
    frame = frame.iloc[order.to_numpy()].reset_index(drop=True)
    return frame[[name for name in frame.columns if frame[name].notna().any()]]


def notes(plan: Plan, frame: pd.DataFrame, stages: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what a measures table says of the study; see `transfer.tables.read_notes`."""
    said: dict[str, Any] = {"stages": list(stages or plan.stages)}
    if "normalization" in frame:
        there = frame.groupby("benchmark", sort=False)["normalization"].agg(list)
        said["normalization"] = {}
        for name, kinds in there.items():
            usual = plan.known(str(name)).normalization
            said["normalization"][str(name)] = usual if usual in kinds else kinds[0]
    for section in ("mixtures", "scales"):
        entries = getattr(plan.mapping, section)
        if entries:
            said[section] = {
                name: entry.model_dump(exclude_none=True) for name, entry in entries.items()
            }
    return said


def file_name(run: RunKey) -> str:
    """Return the name of a run's items file: one part of a path, and another for every run."""
    name = quote(str(run), safe=" +=@,")
    # Mixture A-B at scale C and mixture A at scale B-C are written alike.
    joined = "-" in run.scale or "-" in run.stage
    if joined or len(name) > LONGEST_NAME or name.startswith("."):
        told = sha256("\0".join(map(str, run)).encode()).hexdigest()[:12]
        name = f"{name[:LONGEST_NAME].lstrip('.')}-{told}"
    return f"{name}.parquet"


def _refuse_old(out: Path, force: bool) -> None:
    """Refuse a folder that holds tables, or anything besides them in the place of items."""
    items = list((out / "items").iterdir()) if (out / "items").is_dir() else []
    if (items or (out / "measures.parquet").exists()) and not force:
        raise BadInput(f"{out}: holds tables already; give another --out, or --force")
    if others := [path for path in items if path.suffix != ".parquet"]:
        raise BadInput(f"{others[0]}: is no table; give another --out")


def _write_run(
    run: RunKey, cells: Iterable[Cell], plan: Plan, folder: Path, suite: str
) -> pd.DataFrame:
    """Write the items of a run and return its rows of the measures table."""
    key = {"suite": suite, **run._asdict()}
    tables, rows = [], []
    for cell in cells:
        items = _items(cell, plan) if cell.has_items else None
        said = dict(cell.accuracies)
        about: dict[str, Any] = {
            "benchmark": cell.benchmark,
            "category": plan.known(cell.benchmark).category,
        }
        named = plan.mapping.benchmarks.get(cell.benchmark)
        if items is not None:
            tables.append(items)
            measured = measure(items)
            said = {k: v for k, v in said.items() if k not in set(measured["normalization"])}
            rows.append(measured.assign(**key, **about))
            about["n_items"], about["chance"] = len(items), measured["chance"].iloc[0]
        else:
            about["n_items"] = cell.n_items
            about["chance"] = named.chance if named else None
        # A measure that only the tool's own file gives, such as one by another length.
        extra = [{"normalization": kind, "accuracy": value} for kind, value in said.items()]
        if extra:
            rows.append(pd.DataFrame(extra).assign(**key, **about))
    if tables:
        metadata = {
            **key,
            "step": None,
            "categories": {cell.benchmark: plan.known(cell.benchmark).category for cell in cells},
            "imported_from": sorted({e.source.name for c in cells for e in c.evaluations}),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        frame = pd.concat(tables, ignore_index=True)
        write_items(folder / file_name(run), frame, metadata)
    table = pd.concat([rows_.astype(object) for rows_ in rows], ignore_index=True)
    return table.reindex(columns=MEASURES.names)


def _items(cell: Cell, plan: Plan) -> pd.DataFrame | None:
    """Return the items of a cell; None, with a note, where they are not those of its accuracy.

    Its file of samples may hold others than the items that were evaluated.

    The accuracy of a group is that of all its items together; where the tool says another one, it
    gave each task the same weight, and items do not tell what it would make of other measures.
    """
    parts = []
    for entry in cell.evaluations:
        items = entry.items()
        if entry.n_items is not None and len(items) != entry.n_items:
            differ = f"has {len(items)} items, {entry.source.name} says {entry.n_items}"
            if not cell.accuracies:
                raise BadInput(f"{entry.samples}: {differ}; copy both files again")
            plan.notes.append(f"{entry.samples}: {differ}; taken without items")
            return None
        if len(cell.evaluations) > 1 or cell.whole is not None:
            items["item"] = entry.task + "/" + items["item"]
        parts.append(items)
    frame = pd.concat(parts, ignore_index=True)
    for name in ("n_tokens", "unconditional"):
        if frame[name].isna().any():
            frame[name] = None
    if cell.whole is not None and "sum" in cell.accuracies:
        here = float((frame["loglikelihood"].map(np.argmax) == frame["gold"]).mean())
        if abs(here - cell.accuracies["sum"]) > 1e-6:
            plan.notes.append(
                f"{cell.benchmark} of {cell.run}: its accuracy is a mean over its tasks, not "
                "over their items; taken without items"
            )
            return None
    frame.insert(0, "benchmark", cell.benchmark)
    return frame[ITEMS.names]
