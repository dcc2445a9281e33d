"""Copies what a workspace has finished into `data/<suite>`, where it is committed.

Runs that are committed already and are not in the workspace stay as they are, so a grid can be
committed in parts, from several machines.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from transfer.entries import STAGES
from transfer.errors import BadInput
from transfer.files import replacing, sha256
from transfer.grid import data_folder
from transfer.measures import measure_runs
from transfer.plans import changed, recipe, record, refuse_stale
from transfer.suite import Run, Suite, load_suite
from transfer.tables import (
    compact,
    read_items,
    read_metadata,
    write_items,
    write_measures,
)
from transfer.tables.items import PUBLISHED_LEVEL
from transfer.tables.measures import CONTROL, TRAJECTORY
from transfer.workspace import Workspace

RUN_KEYS = ["mixture", "scale", "seed", "stage"]

SCORED_WITH = ("items_sha256", "chat", "dtype")
"""What committed items are not replaced over without being asked, beside the weights."""


def collect(name: str, replace: bool = False) -> str:
    """Copy what is finished into `data/<suite>` and measure it; return what was done.

    Items of every scored run (rounded, see `transfer.tables.compact`), `runs.csv` (what made each
    run, and its hash), `loss.csv`, the checkpoints of the first scale and seed, `measures.parquet`,
    `control.parquet` (measures on swapped contexts) and `trajectory.parquet`.

    The measures are those of whole seeds (see `whole`): fewer mixtures would be another study.
    The items of the others wait beside them.

    Parameters
    ----------
    name : str
        The suite.
    replace : bool
        Take the workspace's run where another run of the same name is committed.

    Raises
    ------
    BadInput
        If nothing is scored; if a run's weights or tables are not of one another or of the suite
        file; or if a run is committed from another checkpoint, or with items that were scored
        otherwise, and is not to be replaced.
    """
    suite = load_suite(name)
    space, folder = Workspace(suite.name), data_folder(suite.name)
    finished = [run for run in suite.runs() if space.items(run).exists()]
    if not finished:
        raise BadInput(f"suite {suite.name}: nothing is scored; run `transfer suite run {name}`")
    for run in finished:
        _refuse_mixed(suite, run, space)
    others = _others(finished, space, folder)
    if others and not replace:
        run_name, what = next(iter(others.items()))
        raise BadInput(
            f"{folder / 'runs.csv'}: run {run_name} is committed from another {what}; "
            "give --replace to put this one in its place"
        )
    for run in finished:
        items, metadata = read_items(space.items(run))
        target = _items(folder, run)
        if not (target.exists() and read_items(target)[1] == metadata):
            write_items(target, compact(items), metadata, PUBLISHED_LEVEL)
        if (run.scale, run.seed) == (suite.scales[0].name, suite.scales[0].seeds[0]):
            _copy_checkpoint(space.checkpoint(run), folder / "checkpoints" / run.name)
    _write_records(suite, finished, space, folder)
    _write_conditions(suite, finished, space, folder, others)
    there = [run for run in suite.runs() if _items(folder, run).exists()]
    ready = whole(suite, there)
    said = f"{len(finished)} runs of this workspace, {len(there)} in {folder}"
    if waiting := len(there) - len(ready):
        said += f"; {waiting} wait until their seed is whole"
    if ready:
        table = measure_runs([_items(folder, run) for run in ready], suite)
        write_measures(folder / "measures.parquet", table)
        said += f"; {len(table)} rows in measures.parquet"
    return said


def whole(suite: Suite, there: Iterable[Run]) -> list[Run]:
    """Return those of some runs whose seed is whole: all mixtures of its scale, at both stages."""
    runs = list(there)
    found = Counter((run.scale, run.seed) for run in runs)
    wanted = len(suite.mixtures) * len(STAGES)
    return [run for run in runs if found[run.scale, run.seed] == wanted]


def _items(folder: Path, run: Run) -> Path:
    return folder / "items" / f"{run.name}.parquet"


def _committed(folder: Path) -> dict[str, str]:
    """Return the checkpoint hash of every committed run, by its name."""
    path = folder / "runs.csv"
    if not path.exists():
        return {}
    runs = pd.read_csv(path)
    return dict(zip(runs["run"], runs["checkpoint_sha256"], strict=True))


def _refuse_mixed(suite: Suite, run: Run, space: Workspace) -> None:
    """Raise BadInput if a run is of another recipe than the suite's, or its tables of others."""
    said = record(space.checkpoint(run))
    if other := changed(said["plan"], recipe(suite, run)):
        raise BadInput(
            f"{space.checkpoint(run)}: trained with another {other[0]} than the suite file's; "
            "restore it, or remove the folder and train the run again"
        )
    for path in (space.items(run), space.control(run)):
        if path.exists():
            refuse_stale(path, said["checkpoint_sha256"], {})
    way = space.trajectory(run)
    if way.exists() and _weights_of(way) != {said["checkpoint_sha256"]}:
        raise BadInput(
            f"{way}: of other weights than {space.checkpoint(run)}; remove it and run "
            f"`transfer suite run {suite.name}` to score the run's way again"
        )


def _weights_of(way: Path) -> set[str]:
    """Return the hashes of the final weights that a trajectory names: none without the column."""
    if "checkpoint_sha256" not in pq.read_schema(way).names:
        return set()
    return set(pq.read_table(way, columns=["checkpoint_sha256"])["checkpoint_sha256"].to_pylist())


def _others(finished: Sequence[Run], space: Workspace, folder: Path) -> dict[str, str]:
    """Return the runs that are committed otherwise than they are here, and what is another."""
    committed = _committed(folder)
    found = {}
    for run in finished:
        weights = record(space.checkpoint(run))["checkpoint_sha256"]
        if committed.get(run.name, weights) != weights:
            found[run.name] = "checkpoint"
        elif (there := _items(folder, run)).exists():
            was, now = read_metadata(there), read_metadata(space.items(run))
            differ = [key for key in SCORED_WITH if was.get(key, now.get(key)) != now.get(key)]
            if differ:
                found[run.name] = differ[0]
    return found


def _write_records(suite: Suite, finished: Sequence[Run], space: Workspace, folder: Path) -> None:
    """Write `runs.csv` and `loss.csv`: the workspace's runs, and those that were there before."""
    records = [_record(space.checkpoint(run), run) for run in finished]
    curves = [
        pd.read_csv(space.checkpoint(run) / "loss.csv").assign(run=run.name, **run.model_dump())
        for run in finished
    ]
    order = {run.name: place for place, run in enumerate(suite.runs())}
    for name, fresh in (("runs.csv", pd.DataFrame(records)), ("loss.csv", pd.concat(curves))):
        path = folder / name
        if path.exists():
            before = pd.read_csv(path)
            fresh = pd.concat([before[~before["run"].isin(fresh["run"])], fresh])
        fresh = fresh.sort_values("run", key=lambda runs: runs.map(order), kind="stable")
        with replacing(path) as beside:
            fresh.to_csv(beside, index=False)


def _write_conditions(
    suite: Suite,
    finished: Sequence[Run],
    space: Workspace,
    folder: Path,
    replaced: Collection[str],
) -> None:
    """Merge measures of controls and trajectories; those of replaced runs are dropped."""
    gone = [run for run in finished if run.name in replaced]
    controls = [space.control(run) for run in finished if space.control(run).exists()]
    ways = [space.trajectory(run) for run in finished if space.trajectory(run).exists()]
    fresh = _of_weights(measure_runs(controls, suite), finished, space) if controls else None
    _merge(fresh, CONTROL, folder / "control.parquet", gone)
    fresh = pd.concat(map(pd.read_parquet, ways), ignore_index=True) if ways else None
    _merge(fresh, TRAJECTORY, folder / "trajectory.parquet", gone)


def _of_weights(rows: pd.DataFrame, runs: Sequence[Run], space: Workspace) -> pd.DataFrame:
    """Return rows with the hash of the final weights of their run."""
    weights = pd.DataFrame(
        {
            **run.model_dump(),
            "checkpoint_sha256": record(space.checkpoint(run))["checkpoint_sha256"],
        }
        for run in runs
    )
    return rows.merge(weights, on=RUN_KEYS, how="left", validate="many_to_one")


def _merge(fresh: pd.DataFrame | None, schema: pa.Schema, path: Path, gone: Sequence[Run]) -> None:
    """Write rows, and those that the file held before of other runs that are not gone."""
    if fresh is None and not (gone and path.exists()):
        return
    fresh = pd.DataFrame(columns=schema.names) if fresh is None else fresh
    if path.exists():
        before = pd.read_parquet(path)
        left = pd.DataFrame([run.model_dump() for run in gone], columns=RUN_KEYS)
        known = pd.MultiIndex.from_frame(pd.concat([fresh[RUN_KEYS], left]))
        others = ~pd.MultiIndex.from_frame(before[RUN_KEYS]).isin(known)
        fresh = (
            pd.concat([before[others], fresh], ignore_index=True) if len(fresh) else before[others]
        )
    table = pa.Table.from_pandas(fresh, schema=schema, preserve_index=False)
    with replacing(path) as beside:
        pq.write_table(table.replace_schema_metadata(None), beside, compression="zstd")


def _record(checkpoint: Path, run: Run) -> dict[str, Any]:
    """Return what made a run, flat, for one row of `runs.csv`."""
    said = record(checkpoint)
    plan = said["plan"]
    kept = ("tokens", "seconds", "threads", "device", "processor", "compiled", "checkpoint_sha256")
    made_of = ("shard_sha256", "tokenizer_sha256", "parent_sha256", "instructions_sha256")
    versions = " ".join(f"{package}=={number}" for package, number in said["versions"].items())
    return {
        "run": run.name,
        **run.model_dump(),
        **{key: said.get(key) for key in kept},
        "suite_sha256": said["suite_sha256"],
        **{key: plan.get(key) for key in made_of},
        "versions": versions,
        "created": said["created"],
    }


def _copy_checkpoint(source: Path, target: Path) -> None:
    """Copy a checkpoint unless the same weights are there."""
    there = target / "model.safetensors"
    if there.exists() and sha256(there) == sha256(source / "model.safetensors"):
        return
    with replacing(target) as beside:
        shutil.copytree(source, beside)
