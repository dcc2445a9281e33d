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
from transfer.suite import Run, repository
from transfer.tables import read_items
from transfer.workspace import Workspace

COMMITTED = repository() / "data" / "mini"


class Again(NamedTuple):
    """A run trained again, beside the one that is committed.

    `then` and `now` are processors; the first is empty where it was not written down. `same` says
    whether the hashes of the weights are equal. Differences are over log-likelihoods, in nats;
    `changed` counts items whose selected option is another, `accuracy` is the mean over benchmarks
    of how far accuracy moved.
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
            for step in ("train", "score"):
                command = [
                    sys.executable,
                    "-m",
                    "transfer.cli",
                    "suite",
                    "step",
                    "mini",
                    name,
                    step,
                ]
                given = {**os.environ, "TRANSFER_HOME": place, "OMP_NUM_THREADS": "1"}
                subprocess.run([*command, "--threads", "1"], check=True, env=given)
            root = Path(place) / "mini"
            record = json.loads((root / "runs" / name / "run.json").read_text())
            moved = compare(
                COMMITTED / "items" / f"{name}.parquet", root / "items" / f"{name}.parquet"
            )
        same = record["checkpoint_sha256"] == row["checkpoint_sha256"]
        yield Again(name, row["processor"], record["processor"], same, *moved)


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
    chosen = [table["loglikelihood"].map(np.argmax).to_numpy() for table in tables]
    right = pd.DataFrame(
        {
            "benchmark": tables[0]["benchmark"],
            **{side: chosen[side] == tables[0]["gold"] for side in (0, 1)},
        }
    )
    accuracy = right.groupby("benchmark")[[0, 1]].mean()
    return (
        float(gaps.mean()),
        float(gaps.max()),
        len(right),
        int((chosen[0] != chosen[1]).sum()),
        float((accuracy[0] - accuracy[1]).abs().mean()),
    )
