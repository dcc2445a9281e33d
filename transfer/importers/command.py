"""What `transfer import` does, and what it shows: what becomes what, and what has no place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from transfer.errors import BadInput
from transfer.importers.documents import shown
from transfer.importers.finding import find
from transfer.importers.mapping import MappingFile, merged, read_mapping
from transfer.importers.planning import Plan, plan
from transfer.importers.table import SUFFIXES, read_table
from transfer.importers.writing import write, write_table
from transfer.suite import Suite, load_suite, suite_path

MOST_ROWS = 40
"""Rows of what is shown before the rest is counted only."""


class Switches(NamedTuple):
    """Choices of an import."""

    subtasks: bool = False
    latest: bool = False
    partial: bool = False
    dry_run: bool = False
    force: bool = False


def run(
    sources: Sequence[Path],
    out: Path | None,
    mapping: Path | None,
    suite: str | None,
    given: Mapping[str, Any],
    switches: Switches,
    console: Console,
) -> None:
    """Import results, or show what an import would write.

    Parameters
    ----------
    sources : sequence of Path
        Folders and files of results, or one table.
    out : Path, optional
        Needed unless it is a dry run.
    mapping : Path, optional
    suite : str, optional
        Name of the study, or a suite's name or file.
    given : mapping
        `pattern` and `set`, which stand above those of the mapping file.
    switches : Switches
    console : Console
        Where everything is shown.

    Raises
    ------
    BadInput
        If something cannot be read, or has no place and the rest alone was not asked for.
    """
    if out is None and not switches.dry_run:
        raise BadInput("give --out FOLDER, or --dry-run to only look")
    file = merged(read_mapping(mapping) if mapping else MappingFile(), **given)
    known = _suite(suite)
    name = known.name if known else (suite or file.suite or "own")
    tables = [source for source in sources if _is_table(source)]
    if tables:
        if len(sources) > 1:
            raise BadInput(f"{tables[0]}: give one table by itself, or folders of results")
        frame, made = read_table(tables[0], file, known)
        show_table(frame, made, console)
        finish: Callable[..., object] = partial(write_table, frame)
        what = f"{len(frame)} rows of a table"
    else:
        found = find(sources)
        if not found.evaluations and not found.broken:
            raise BadInput(
                f"{sources[0]}: no results of lm-evaluation-harness or OLMES in it; check the path"
                + ("" if sources[0].is_dir() else f", or give a table ({', '.join(SUFFIXES)})")
            )
        made = plan(found, file, known, switches.subtasks, switches.latest)
        show_plan(made, console)
        finish = partial(write, progress=_bar)
        what = f"{len(made.runs)} runs, {len({cell.benchmark for cell in made.cells})} benchmarks"
    if switches.dry_run or out is None:
        return
    if made.unmatched and not switches.partial:
        raise BadInput(
            f"{len(made.unmatched)} results have no place (listed above); mend the mapping, or "
            "give --partial to import the rest"
        )
    said = len(made.notes)
    finish(plan=made, out=out, suite=name, force=switches.force)
    for line in dict.fromkeys(made.notes[said:]):
        console.print(f"  {_printable(line)}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"wrote {out}: {what}", markup=False, highlight=False, soft_wrap=True)


def show_plan(made: Plan, console: Console) -> None:
    """Show every run with its benchmarks, and everything that has no place."""
    shape = Table(title="what becomes what", title_justify="left")
    for column in ("results", "mixture", "scale", "seed", "stage", "benchmarks", "with items"):
        shape.add_column(column, overflow="fold")
    for run in made.runs[:MOST_ROWS]:
        cells = [cell for cell in made.cells if cell.run == run]
        source = cells[0].evaluations[0].labels[0]
        names = [cell.benchmark for cell in cells]
        some = ", ".join(shown(name)[1:-1] for name in names[:6])
        some += f" and {len(names) - 6} more" if len(names) > 6 else ""
        values = [source, run.mixture, run.scale, run.seed, run.stage]
        with_items = f"{sum(cell.has_items for cell in cells)} of {len(cells)}"
        shape.add_row(*(_plain(value) for value in values), _plain(some), with_items)
    console.print(shape)
    if len(made.runs) > MOST_ROWS:
        console.print(f"and {len(made.runs) - MOST_ROWS} more runs")
    _show_rest(made, console)


def show_table(frame: pd.DataFrame, made: Plan, console: Console) -> None:
    """Show what a table holds, and everything that has no place."""
    shape = Table(title="what is in the table", title_justify="left")
    shape.add_column("column")
    shape.add_column("values", overflow="fold")
    for name in ("mixture", "scale", "seed", "stage", "benchmark", "category"):
        if name in frame:
            values = list(dict.fromkeys(str(value).strip() for value in frame[name]))
            more = f" and {len(values) - 12} more" if len(values) > 12 else ""
            shape.add_row(name, _plain(", ".join(values[:12]) + more))
    console.print(shape)
    _show_rest(made, console)


def _is_table(source: Path) -> bool:
    return source.suffix.lower() in SUFFIXES and source.is_file()


def _show_rest(made: Plan, console: Console) -> None:
    for title, lines in (("without a place", made.unmatched), ("notes", made.notes)):
        if lines:
            console.print(f"{title} ({len(lines)}):")
        for line in lines[:MOST_ROWS]:
            console.print(f"  {_printable(line)}", markup=False, highlight=False, soft_wrap=True)
        if len(lines) > MOST_ROWS:
            console.print(f"  and {len(lines) - MOST_ROWS} more")


def _plain(value: Any) -> Text:
    """Return a value that rich does not take for markup, nor a terminal for an order."""
    return Text(_printable(str(value)))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _suite(name: str | None) -> Suite | None:
    """Return the suite of a name or file; None where the name is only a name."""
    if name is None:
        return None
    path = suite_path(name)
    return load_suite(name) if path.is_file() or path == Path(name) else None


def _bar(runs: Sequence[Any]) -> Iterable[Any]:
    return track(runs, description="importing", transient=True, disable=len(runs) < 5)
