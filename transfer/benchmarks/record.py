"""What is committed of the benchmarks: a table of the candidates, task files and item ids.

`python -m transfer.benchmarks.record data/benchmarks` writes them again, from the items in the
workspace of suite mini and from `pilot.csv`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from transfer.benchmarks.artefacts import table_row
from transfer.benchmarks.candidates import CANDIDATES
from transfer.benchmarks.freezing import Frozen, freeze
from transfer.benchmarks.harness import write_task_files
from transfer.benchmarks.items import items, items_hash, spec
from transfer.files import replacing
from transfer.workspace import Workspace


def write_candidates(folder: Path, workspace: Workspace) -> pd.DataFrame:
    """Write `candidates.csv`: a line a candidate with its baselines and the hashes of its items.

    Takes about a minute, since it fits the linear readers. Needs scikit-learn.
    """
    from rich.console import Console
    from rich.progress import track

    rows = []
    shown = Console(stderr=True)
    for name in track(CANDIDATES, description="baselines", transient=True, console=shown):
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


def main(folder: str) -> None:
    """Write the table, the task files and the ids, and print the `benchmarks:` of the suite file.

    Parameters
    ----------
    folder
        Holds `pilot.csv`, the scores by which the benchmarks are chosen.
    """
    path, workspace = Path(folder), Workspace("mini")
    table = write_candidates(path, workspace)
    frozen = freeze(table, pd.read_csv(path / "pilot.csv"))
    write_frozen(path, workspace, [one.name for one in frozen])
    print(suite_section(frozen, table), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
