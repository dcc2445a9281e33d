"""The grid of a suite: from prepared text to items, one job a run and step.

Snakemake (`workflow/Snakefile`) decides what is left to do; this module starts it, does its jobs
and copies what is finished into `data/`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from transfer.errors import BadInput
from transfer.files import replacing
from transfer.suite import Run, load_suite, repository, suite_path
from transfer.workspace import Workspace


def prepare(name: str) -> None:
    """Make everything that training needs; finished steps are skipped."""
    from transfer import benchmarks, corpus, instructions

    suite = load_suite(name)
    space = Workspace(suite.name)
    corpus.build_documents(suite, space)
    benchmarks.build(suite, space)
    corpus.filter_web(suite, space)
    corpus.decontaminate(suite, space)
    corpus.train_tokenizer(suite, space)
    corpus.write_shards(suite, space)
    instructions.build_instructions(suite, space)
    corpus.write_report(suite, space, data_folder(suite.name) / "corpus.json")


def run_grid(name: str, runs: Sequence[Run], jobs: int, dry_run: bool = False) -> int:
    """Run the Snakemake workflow over some runs and return its exit code.

    Parameters
    ----------
    name : str
        The suite.
    runs : sequence of Run
        What is wanted; a fine-tuning run brings its pretraining run along.
    jobs : int
        Cores; every job takes one, so this many runs are trained at a time.
    dry_run : bool
        Only list what is left to do.
    """
    suite = load_suite(name)
    space = Workspace(suite.name)
    if not space.instructions.exists():
        raise BadInput(f"suite {suite.name}: not prepared; run `transfer suite prepare {name}`")
    (space.root / "logs").mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(repository() / "workflow" / "Snakefile")),
        *("--directory", str(space.root / "snakemake")),
        *("--cores", str(jobs), "--keep-going", "--rerun-incomplete"),
        *("--rerun-triggers", "mtime"),
        "--config",
        f"suite={suite_path(name).resolve()}",
        f"runs={','.join(run.name for run in runs)}",
    ]
    if dry_run:
        command.append("--dry-run")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(command, check=False, env={**os.environ, "PATH": path}).returncode


def do_step(name: str, run: Run, step: str, threads: int) -> None:
    """Train one run, or score it."""
    import torch

    from transfer.scoring import score_run
    from transfer.training import pretrain, sft

    torch.set_num_threads(threads)
    suite = load_suite(name)
    space = Workspace(suite.name)
    if step == "train":
        (pretrain if run.stage == "pretrain" else sft)(suite, run, space)
    elif step == "score":
        score_run(suite, run, space)
    else:
        raise BadInput(f"step {step!r}: give train or score")


def collect(name: str) -> str:
    """Copy what is finished into `data/<suite>` and measure it; return what was done.

    Items of every scored run, `runs.csv` (what made each run, and its hash), `loss.csv`, the
    checkpoints of the first scale and seed, and `measures.parquet`.
    """
    from transfer.measures import measure_runs
    from transfer.tables import write_measures

    suite = load_suite(name)
    space = Workspace(suite.name)
    folder = data_folder(suite.name)
    finished = [run for run in suite.runs() if space.items(run).exists()]
    if not finished:
        raise BadInput(f"suite {suite.name}: nothing is scored; run `transfer suite run {name}`")
    smallest = suite.scales[0]
    records, curves = [], []
    for run in finished:
        _copy(space.items(run), folder / "items" / f"{run.name}.parquet")
        records.append(_record(space.checkpoint(run), run))
        curve = pd.read_csv(space.checkpoint(run) / "loss.csv")
        curves.append(curve.assign(run=run.name, **run.model_dump()))
        if (run.scale, run.seed) == (smallest.name, smallest.seeds[0]):
            _copy(space.checkpoint(run), folder / "checkpoints" / run.name)
    _write_csv(pd.DataFrame(records), folder / "runs.csv")
    _write_csv(pd.concat(curves, ignore_index=True), folder / "loss.csv")
    table = measure_runs(sorted((folder / "items").glob("*.parquet")), suite)
    write_measures(folder / "measures.parquet", table)
    return f"{len(finished)} runs, {len(table)} rows in {folder / 'measures.parquet'}"


def _record(checkpoint: Path, run: Run) -> dict[str, Any]:
    """Return what made a run, flat, for one row of `runs.csv`."""
    said = json.loads((checkpoint / "run.json").read_text(encoding="utf-8"))
    plan = said["plan"]
    kept = ("tokens", "seconds", "threads", "device", "checkpoint_sha256", "suite_sha256")
    made_of = ("shard_sha256", "tokenizer_sha256", "parent_sha256", "instructions_sha256")
    versions = " ".join(f"{package}=={number}" for package, number in said["versions"].items())
    return {
        "run": run.name,
        **run.model_dump(),
        **{key: said[key] for key in kept},
        **{key: plan.get(key) for key in made_of},
        "versions": versions,
        "created": said["created"],
    }


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as beside:
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, beside)


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as beside:
        table.to_csv(beside, index=False)


def data_folder(name: str) -> Path:
    """Return the folder of a suite's committed tables."""
    return repository() / "data" / name
