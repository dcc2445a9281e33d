"""The report: the notebooks executed on a table of measures, and the book built from them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transfer.errors import BadInput
from transfer.report.failure import ReportFailed
from transfer.report.own import own
from transfer.report.place import check_place
from transfer.report.progress import Steps
from transfer.suite import repository

__all__ = ["ReportFailed", "report"]


def report(
    measures: Path | None = None,
    out: Path = Path("build"),
    parameters: Mapping[str, Any] | None = None,
    jobs: int = 2,
    before: str | None = None,
    after: str | None = None,
    pdf: bool = False,
) -> Path:
    """Execute every notebook and build the book; return the first page of the site.

    Parameters
    ----------
    measures : Path, optional
        A measures table, Parquet, CSV or TSV; the committed one of the mini suite where it is not
        given.
    out : Path
        Folder to build in. Executed notebooks go to `out/notebooks`, the site to
        `out/book/_build/html`.
    parameters : mapping, optional
        Values for parameters of the notebooks, as Python values or as typed on a command line.
    jobs : int
        How many notebooks are executed at a time.
    before, after : str, optional
        The stages to compare where the table has others than `pretrain` and `sft`; its first and
        its last where not given.
    pdf : bool
        Also print the book as `out/report.pdf`, which needs a Chromium.

    Raises
    ------
    BadInput
        If the table is not there, `out` holds something else, a parameter is unknown or of the
        wrong type, or a notebook refuses its input.
    ReportFailed
        If a cell raises anything else, or the site has warnings.
    """
    for module in ("jupyter_book", "jupytext", "papermill"):
        if importlib.util.find_spec(module) is None:
            raise BadInput(
                f"{module} is not installed; run `pip install -e '.[book]'` in the clone"
            )
    from transfer.report.build import build
    from transfer.report.course import exercises
    from transfer.report.execute import execute
    from transfer.report.scales import with_sub_pages

    if measures is not None and not measures.is_file():
        raise BadInput(f"{measures}: no such table; give a .parquet, .csv or .tsv file")
    check_place(out)
    steps = Steps()
    given = dict(parameters or {})
    announcement = ""
    if measures is not None:
        mine = own(measures, out, before, after)
        given, announcement = mine.parameters | given, mine.announcement
    notebooks = sorted((repository() / "notebooks").glob("*.md"))
    if not notebooks:
        raise BadInput(f"{repository() / 'notebooks'}: holds no notebook; work in a full clone")
    if measures is not None and given["suite"] is None:
        # The page about the committed suite gives way to one about the table.
        instead = {path.name: path for path in (repository() / "notebooks" / "own").glob("*.md")}
        notebooks = [instead.get(path.name, path) for path in notebooks]
    pages = with_sub_pages(notebooks, given)
    if measures is None:
        pages += exercises(out / "exercises")
    with steps.step("notebooks"):
        executed = execute(pages, given, out / "notebooks", jobs=jobs, steps=steps)
    with steps.step("site"):
        index = build(
            repository() / "book",
            executed,
            out,
            steps=steps,
            announcement=announcement,
            sub_pages=[page for page in pages if page.parent],
            table=measures,
            given=given if measures is not None else None,
        )
    if pdf:
        from transfer.report.printing import print_book

        with steps.step("pdf"):
            steps.note(f"printed {print_book(out, steps)}")
    steps.note(f"open {index}")
    return index
