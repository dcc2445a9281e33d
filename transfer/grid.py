"""The grid of a suite: from prepared text to items, one job a run and step.

Snakemake (`workflow/Snakefile`) decides what is left to do; this module starts it, does its jobs
and copies what is finished into `data/`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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


def run_grid(name: str, runs: Sequence[Run], jobs: int) -> int:
    """Run the Snakemake workflow over some runs and return its exit code."""
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
        f"threads={jobs}",
        f"runs={','.join(run.name for run in runs)}",
    ]
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
    """Copy finished items into the repository and measure them all; return what was done."""
    from transfer.measures import measure_runs
    from transfer.tables import write_measures

    suite = load_suite(name)
    space = Workspace(suite.name)
    folder = data_folder(suite.name)
    for run in suite.runs():
        if space.items(run).exists():
            with replacing(folder / "items" / f"{run.name}.parquet") as beside:
                shutil.copyfile(space.items(run), beside)
    paths = sorted((folder / "items").glob("*.parquet"))
    if not paths:
        raise BadInput(f"suite {suite.name}: nothing is scored; run `transfer suite run {name}`")
    table = measure_runs(paths, suite)
    write_measures(folder / "measures.parquet", table)
    return f"{len(paths)} runs, {len(table)} rows in {folder / 'measures.parquet'}"


def data_folder(name: str) -> Path:
    """Return the folder of a suite's committed tables."""
    return repository() / "data" / name
