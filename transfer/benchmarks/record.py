"""What is committed of the benchmarks: a table of the candidates, task files and item ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from transfer.benchmarks.artefacts import table_row
from transfer.benchmarks.candidates import CANDIDATES
from transfer.benchmarks.freezing import Frozen
from transfer.benchmarks.harness import write_task_files
from transfer.benchmarks.items import items, items_hash, spec
from transfer.errors import BadInput
from transfer.files import replacing
from transfer.workspace import Workspace


def write_candidates(folder: Path, workspace: Workspace) -> pd.DataFrame:
    """Write `candidates.csv`: a line a candidate with its baselines and the hashes of its items.

    Takes about a minute, since it fits the linear readers. Needs scikit-learn.
    """
    from rich.progress import track

    rows = []
    for name in track(CANDIDATES, description="baselines", transient=True):
        test, train = (
            items(name, split, workspace.suite, workspace) for split in ("test", "train")
        )
        row = table_row(CANDIDATES[name], test, train)
        rows.append(row | {"test_sha256": items_hash(test), "train_sha256": items_hash(train)})
    table = pd.DataFrame(rows)
    with replacing(folder / "candidates.csv") as beside:
        table.to_csv(beside, index=False)
    return table


def write_frozen(folder: Path, workspace: Workspace, names: Sequence[str]) -> None:
    """Write the task files and the item ids of the frozen benchmarks, and remove all others."""
    write_task_files(folder, names)
    ids = folder / "ids"
    ids.mkdir(parents=True, exist_ok=True)
    for path in ids.glob("*.txt"):
        if path.stem not in names:
            path.unlink()
    for name in names:
        rows = items(name, "test", workspace.suite, workspace)
        with replacing(ids / f"{name}.txt") as beside:
            beside.write_text("".join(f"{row['id']}\n" for row in rows), encoding="utf-8")


def verify(folder: Path, workspace: Workspace, names: Sequence[str]) -> None:
    """Check that the items built on this machine are the ones that were committed.

    Raises
    ------
    BadInput
        If the hash of a benchmark's items is not the one in `candidates.csv`.
    """
    table = pd.read_csv(folder / "candidates.csv", index_col="name")
    for name in names:
        for split in ("test", "train"):
            found = items_hash(items(name, split, workspace.suite, workspace))
            if found != table.loc[name, f"{split}_sha256"]:
                raise BadInput(
                    f"benchmark {name!r}: the {split} items built here differ from the committed "
                    "ones; delete the workspace's extracted, documents and benchmarks folders "
                    "and build again"
                )


def suite_section(frozen: Sequence[Frozen], table: pd.DataFrame) -> str:
    """Return the `benchmarks:` section of a suite file for the frozen benchmarks."""
    numbers = {
        (name, column): float(value)
        for column in ("options", "chance")
        for name, value in zip(table["name"], table[column], strict=True)
    }
    lines = ["benchmarks:"]
    for one in frozen:
        candidate = spec(one.name)
        entry: dict[str, Any] = {
            "name": one.name,
            "title": candidate.title,
            "category": candidate.category,
            "options": int(numbers[one.name, "options"]),
            "chance": numbers[one.name, "chance"],
            "normalization": candidate.normalization,
            "prompt": candidate.prompt,
            "sources": list(candidate.sources),
            "licence": candidate.licence,
            "in_sft": candidate.in_sft,
            "noise_control": one.noise_control,
        }
        lines.append(f"  - {json.dumps(entry, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
