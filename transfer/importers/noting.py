"""What a plan notes of files: those that are no results, and runs whose items are not there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transfer.importers.documents import shown
from transfer.importers.finding import Found

if TYPE_CHECKING:
    from transfer.importers.planning import Cell, Plan


def note_lacking_items(made: Plan, found: Found) -> None:
    """Note the runs that have no items of a benchmark, though its samples were kept.

    They were where other runs have items of it, where other tasks of the same results have samples,
    and where a file of samples is there but empty.
    """
    with_items = {cell.benchmark for cell in made.cells if cell.has_items}
    sampled = {entry.source for entry in found.evaluations if entry.samples is not None}
    by_runs: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(cell.benchmark for cell in made.cells):
        cells = [cell for cell in made.cells if cell.benchmark == name and not cell.has_items]
        runs = [
            str(cell.run) for cell in cells if name in with_items or _was_sampled(cell, sampled)
        ]
        if runs:
            by_runs.setdefault(tuple(runs), []).append(name)
    made.notes += [
        f"{listed(runs)}: no items of {listed(names)} (samples are missing or empty); taken "
        "with accuracies alone"
        for runs, names in by_runs.items()
    ]


def note_other_files(made: Plan, found: Found) -> None:
    """Note files that are no results, in one line; and samples that no results file names."""
    samples = [path for path in found.others if _is_samples(path)]
    others = [path for path in found.others if not _is_samples(path)]
    for paths, why in ((samples, "samples without results"), (others, "not files of results")):
        if paths:
            names = listed(list(dict.fromkeys(path.name for path in paths)))
            made.notes.append(f"left out, {why} ({len(paths)}): {names}")


def listed(names: Sequence[str], last: str = ", ") -> str:
    """Return the first names in one line, as a message shows them."""
    first = [shown(name)[1:-1] for name in names[:5]]
    if len(names) > 5:
        return f"{', '.join(first)} and {len(names) - 5} more"
    return ", ".join(first[:-1]) + last + first[-1] if len(first) > 1 else "".join(first) or "none"


def _was_sampled(cell: Cell, sampled: set[Path]) -> bool:
    return any(
        entry.source in sampled if entry.samples is None else _is_empty(entry.samples)
        for entry in cell.evaluations
    )


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return True


def _is_samples(path: Path) -> bool:
    return path.suffix == ".jsonl" and (
        path.name.startswith("samples_") or path.name.endswith("predictions.jsonl")
    )
