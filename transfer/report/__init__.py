"""The report: the notebooks executed on a table of measures, and the book built from them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transfer.errors import BadInput
from transfer.report.failure import ReportFailed
from transfer.report.progress import Steps
from transfer.suite import repository

__all__ = ["ReportFailed", "report"]


def report(
    measures: Path | None = None,
    out: Path = Path("build"),
    parameters: Mapping[str, Any] | None = None,
    jobs: int = 2,
    pdf: bool = False,
) -> Path:
    """Execute every notebook and build the book; return the first page of the site.

    Parameters
    ----------
    measures : Path, optional
        A measures table, Parquet or CSV; the committed one of the mini suite where it is not
        given.
    out : Path
        Folder to build in. Executed notebooks go to `out/notebooks`, the site to
        `out/book/_build/html`.
    parameters : mapping, optional
        Values for parameters of the notebooks, as Python values or as typed on a command line.
    jobs : int
        How many notebooks are executed at a time.
    pdf : bool
        Also print the book as `out/report.pdf`, which needs a Chromium.

    Raises
    ------
    BadInput
        If the table is not there, a parameter is unknown or of the wrong type, or a notebook
        refuses its input.
    ReportFailed
        If a cell raises anything else, or the site has warnings.
    """
    for module in ("jupyter_book", "jupytext", "papermill"):
        if importlib.util.find_spec(module) is None:
            raise BadInput(f"{module} is not installed; run pip install 'transfer[book]'")
    from transfer.report.build import build
    from transfer.report.execute import execute

    steps = Steps()
    given = dict(parameters or {})
    if measures is not None:
        if not measures.is_file():
            raise BadInput(f"{measures}: no such table; give a .parquet or .csv file")
        given["measures"] = str(measures.resolve())
    notebooks = sorted((repository() / "notebooks").glob("*.md"))
    if not notebooks:
        raise BadInput(f"{repository() / 'notebooks'}: holds no notebook; work in a full clone")
    with steps.step("notebooks"):
        executed = execute(notebooks, given, out / "notebooks", jobs=jobs, steps=steps)
    with steps.step("site"):
        index = build(repository() / "book", executed, out, steps=steps)
    if pdf:
        from transfer.report.printing import print_book

        with steps.step("pdf"):
            steps.note(f"printed {print_book(out, steps)}")
    steps.note(f"open {index}")
    return index
