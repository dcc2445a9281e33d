"""A user's table, made ready for the pages: two stages, categories, and its items beside it.

The pages speak of `pretrain` and `sft`. A table with stages of other names, or with more than two,
is shown from one of its stages to another, by default from the first to the last; the line at the
top of every page says which. The page of stages shows every step.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from transfer.entries import STAGES
from transfer.errors import BadInput
from transfer.files import replacing
from transfer.tables import (
    items_files,
    read_items,
    read_measures_table,
    read_notes,
    write_items,
    write_measures,
)
from transfer.tables.dataset import stages_of

UNSORTED = "all benchmarks"
"""Category of every benchmark where the table has none."""


@dataclass(frozen=True)
class Own:
    """What the pages need to know of a user's table.

    Attributes
    ----------
    parameters : dict
        For the notebooks.
    announcement : str
        HTML for the top of every page.
    """

    parameters: dict[str, Any]
    announcement: str


def own(measures: Path, out: Path, before: str | None = None, after: str | None = None) -> Own:
    """Return a user's table made ready, writing it to `out/own` where it had to be changed.

    Parameters
    ----------
    measures : Path
        A measures table, Parquet or CSV.
    out : Path
    before, after : str, optional
        The stages to compare; the first and the last where not given.

    Raises
    ------
    BadInput
        If the table is bad, or does not have the two stages.
    """
    frame = read_measures_table(measures)
    notes = read_notes(measures)
    stages = stages_of(frame, notes)
    if len(stages) < 2:
        raise BadInput(
            f"{measures}: has one stage, {stages[0]!r}; a report compares two, such as before and "
            "after fine-tuning"
        )
    if frame["mixture"].nunique() < 2:
        raise BadInput(
            f"{measures}: column mixture: has one mixture, {frame['mixture'].iloc[0]!r}; a report "
            "compares how mixtures rank, give two or more"
        )
    first, last = before or stages[0], after or stages[-1]
    for stage in (first, last):
        if stage not in stages:
            raise BadInput(f"stage {stage!r} is not in the table; it has {', '.join(stages)}")
    if stages.index(first) >= stages.index(last):
        raise BadInput(f"stage {first!r} does not come before {last!r} in {', '.join(stages)}")
    names = dict(zip((first, last), STAGES, strict=True))
    table = measures.resolve()
    if (first, last) != STAGES or len(stages) > 2 or "category" not in frame:
        frame = frame[frame["stage"].isin(names)].assign(
            stage=lambda rows: rows["stage"].map(names)
        )
        if "category" not in frame:
            frame["category"] = UNSORTED
        table = (out / "own" / "measures.parquet").resolve()
        write_measures(table, frame, notes | {"stages": list(STAGES)})
    items = measures.resolve().parent / "items"
    trajectory = items.with_name("trajectory.parquet")
    suite = _suite(frame)
    if items.is_dir() and (first, last) != STAGES:
        items = _renamed(items, names, (out / "own" / "items").resolve())
    return Own(
        {
            "measures": str(table),
            "all_stages": str(measures.resolve()),
            "items": str(items) if items.is_dir() else "",
            # Points on the way are of runs that a suite describes.
            "trajectory": str(trajectory) if suite and trajectory.is_file() else "",
            "suite": suite,
        },
        _announcement(measures, frame, first, last),
    )


def _renamed(items: Path, stages: Mapping[str, str], folder: Path) -> Path:
    """Write the items tables of some stages, under the names that the pages give the stages."""
    with replacing(folder) as beside:
        beside.mkdir()
        for path in items_files(items):
            table, said = read_items(path)
            if said["stage"] in stages:
                write_items(beside / path.name, table, said | {"stage": stages[said["stage"]]})
    return folder


def _suite(frame: pd.DataFrame) -> str | None:
    """Return the suite whose file describes a table, if there is one."""
    from transfer.suite import known_suite

    names = list(dict.fromkeys(frame["suite"])) if "suite" in frame else []
    return names[0] if len(names) == 1 and known_suite(names[0]) else None


def _announcement(measures: Path, frame: pd.DataFrame, first: str, last: str) -> str:
    counts = {name: frame[name].nunique() for name in ("mixture", "scale", "seed", "benchmark")}
    words = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items())
    text = f"Made from {measures.name}: {words}."
    if (first, last) != STAGES:
        text += f" On these pages, pretrain is {first} and sft is {last}."
    return html.escape(text)
