"""Whether a run of the suite that is trained again ends with the same weights.

Each run is trained by the command that the grid uses, on one thread, in a folder of its own that
borrows text, tokenizer, instructions and parent from the workspace.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from transfer.errors import BadInput
from transfer.files import sha256
from transfer.measures import accuracy, benchmark_scores, select
from transfer.suite import Run, load_suite, repository
from transfer.tables import read_items
from transfer.workspace import Workspace

COMMITTED = repository() / "data" / "mini"


class Again(NamedTuple):
    """A run trained again, beside the one that is committed.

    `then` and `now` are processors, or GPUs; the first is empty where it was not written down.
    `same` says whether the hashes of the weights are equal. Differences are over log-likelihoods,
    in nats; `changed` counts items whose selected option is another, `accuracy` is the mean over
    benchmarks of how far accuracy moved.
    """

    run: str
    then: str
    now: str
    same: bool
    mean_nats: float
    largest_nats: float
    items: int
    changed: int
    accuracy: float


def again(names: Sequence[str]) -> Iterator[Again]:
    """Yield each run, trained and scored again."""
    runs = pd.read_csv(COMMITTED / "runs.csv", keep_default_na=False).set_index("run")
    for name in names:
        row = runs.loc[name]
        with tempfile.TemporaryDirectory() as place:
            borrow(Run.parse(name), Path(place), row["parent_sha256"])
            given = {**os.environ, "TRANSFER_HOME": place, "OMP_NUM_THREADS": "1"}
            command = f"suite step mini {name} %s --threads 1"
            for step in ("train", "score"):
                asked = [sys.executable, "-m", "transfer.cli", *(command % step).split()]
                subprocess.run(asked, check=True, env=given)
            space, table = Path(place) / "mini", Path("items") / f"{name}.parquet"
            record = json.loads((space / "runs" / name / "run.json").read_text())
            moved = compare(COMMITTED / table, space / table)
        same = record["checkpoint_sha256"] == row["checkpoint_sha256"]
        then, now = (
            said["processor"] if said["device"] == "cpu" else said["device"]
            for said in (row, record)
        )
        yield Again(name, then, now, same, *moved)


def borrow(run: Run, place: Path, parent_sha256: str) -> None:
    """Link what a run is made of into a workspace of its own.

    Raises
    ------
    BadInput
        If the workspace lacks something, or its parent is not the one that is committed.
    """
    space = Workspace("mini")
    links = [space.shards(run.mixture), space.tokenizer, space.instructions, space.benchmarks]
    if run.stage == "sft":
        weights = space.checkpoint(run.parent) / "model.safetensors"
        if not weights.exists() or sha256(weights) != parent_sha256:
            raise BadInput(
                f"{weights}: not the weights that {run.name} was fine-tuned from; ask for "
                f"{run.parent.name}, whose weights are to be had only where they were made"
            )
        links.append(weights.parent)
    for path in links:
        if not path.exists():
            raise BadInput(f"{path}: not there; make it with `transfer suite prepare mini`")
        link = place / path.relative_to(space.root.parent)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)


def compare(old: Path, new: Path) -> tuple[float, float, int, int, float]:
    """Return mean and largest difference, items, changed choices, and the move of accuracy."""
    tables = [read_items(path)[0] for path in (old, new)]
    values = [np.concatenate(list(table["loglikelihood"])) for table in tables]
    gaps = np.abs(values[0] - values[1])
    changed, moved = 0, []
    for benchmark in load_suite("mini").benchmarks:
        parts = [table[table["benchmark"] == benchmark.name] for table in tables]
        kind, gold = benchmark.normalization, parts[0]["gold"].to_numpy()
        before, after = (benchmark_scores(part, kind)[kind] for part in parts)
        changed += int((select(before) != select(after)).sum())
        moved.append(abs(accuracy(before, gold) - accuracy(after, gold)))
    return float(gaps.mean()), float(gaps.max()), len(tables[0]), changed, float(np.mean(moved))
