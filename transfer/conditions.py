"""Scoring a run under other conditions: with swapped contexts, and on its way.

The control condition gives every item another item's context. A benchmark on which a model does as
well then is answered without reading. The trajectory scores the checkpoints that were kept on the
way, so that one can see when a benchmark is learnt.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from transfer import scoring
from transfer.benchmarks import swapped
from transfer.errors import BadInput
from transfer.files import replacing
from transfer.measures import measure_runs
from transfer.plans import record
from transfer.scoring.requests import RequestsOf
from transfer.suite import Run, Suite
from transfer.tables.measures import TRAJECTORY
from transfer.workspace import Workspace


def score_control(suite: Suite, run: Run, workspace: Workspace) -> Path:
    """Return the items table of a run on swapped contexts, scoring it if it is not there yet."""
    items = scoring.read_benchmarks(suite, workspace)
    control = {name: swapped([dict(row) for row in rows]) for name, rows in items.items()}
    return scoring.score_folder(
        suite, run, workspace.checkpoint(run), control, workspace.control(run)
    )


def score_trajectory(suite: Suite, run: Run, workspace: Workspace) -> Path:
    """Return the measures of a run at every point of its way, its end included.

    Raises
    ------
    BadInput
        If a checkpoint that the suite file asks for was not kept, or is of another recipe.
    """
    out = workspace.trajectory(run)
    end = record(workspace.checkpoint(run))["checkpoint_sha256"]
    points = [*_snapshots(suite, run, workspace), workspace.checkpoint(run)]
    requests = RequestsOf(scoring.read_benchmarks(suite, workspace))
    tables = []
    for folder in points:
        said = record(folder)
        scored = out.with_name(f"{run.name}-step-{said['step']}.items.parquet")
        if folder == workspace.checkpoint(run):
            scored = workspace.items(run)
        scoring.score_folder(suite, run, folder, requests, scored)
        table = measure_runs([scored], suite)
        tables.append(table.assign(checkpoint_sha256=end, step=said["step"], tokens=said["tokens"]))
    table = pa.Table.from_pandas(
        pd.concat(tables, ignore_index=True), schema=TRAJECTORY, preserve_index=False
    )
    with replacing(out) as beside:
        pq.write_table(table.replace_schema_metadata(None), beside, compression="zstd")
    return out


def _snapshots(suite: Suite, run: Run, workspace: Workspace) -> list[Path]:
    """Return the checkpoints on the way, in order."""
    end = record(workspace.checkpoint(run))
    steps = suite.steps(run, end["step"])
    found = [workspace.snapshots(run) / f"step-{step}" for step in steps]
    for folder in found:
        if not (folder / "model.safetensors").exists() or record(folder)["plan"] != end["plan"]:
            raise BadInput(
                f"{folder}: no checkpoint of this run's recipe, but the suite file asks for it; "
                f"remove {workspace.checkpoint(run)} to train the run again"
            )
    return found
