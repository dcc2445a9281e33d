"""Sub-pages: a research question's notebook run again for each scale of a table.

The page itself is over all scales. Where there are two scales or more, each has a page below it;
the question of how scales compare has one for each pair of neighbours, where there are three or
more. A sub-page that would repeat its parent is not made.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

from transfer import findings
from transfer.report.execute import Page
from transfer.report.parameters import Parameter
from transfer.suite import repository
from transfer.tables import MissingCells, read_measures

EACH = ("03-rq1-persistence", "04-rq2-benchmarks", "06-rq4-alignment")
"""Notebooks that are run for each scale."""

PAIRS = ("05-rq3-scale",)
"""Notebooks that are run for each pair of neighbouring scales."""

_LABEL = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)


def with_sub_pages(notebooks: Sequence[Path], given: Mapping[str, Any]) -> list[Page]:
    """Return the pages of a book: every notebook, and below those of the questions one a scale.

    Parameters
    ----------
    notebooks : sequence of Path
    given : mapping
        Values for their parameters, of which `measures`, `suite` and `scales` say which scales
        there are.

    Raises
    ------
    BadInput
        If the table is bad or a scale is not in it.
    """
    pages = [Page(path, path.stem) for path in notebooks]
    if not {path.stem for path in notebooks} & {*EACH, *PAIRS}:
        return pages
    scales = scales_of(given)
    slugs = dict(zip(scales, safe(scales), strict=True))
    for path in notebooks:
        groups: list[tuple[str, ...]] = []
        if path.stem in EACH and len(scales) > 1:
            groups = [(scale,) for scale in scales]
        elif path.stem in PAIRS and len(scales) > 2:
            groups = list(itertools.pairwise(scales))
        pages += [
            Page(
                path,
                f"{path.stem}-at-{'-'.join(slugs[scale] for scale in group)}",
                {"scales": list(group)},
                parent=path.stem,
                title="Scale " + " and ".join(group),
            )
            for group in groups
        ]
    return pages


def scales_of(given: Mapping[str, Any]) -> list[str]:
    """Return the scales of the table that have a score at both stages, in its order."""
    chosen = Parameter("scales", "list[str] | None", None).check(given.get("scales"))
    measures = given.get("measures", repository() / "data" / "mini" / "measures.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingCells)
        grid = read_measures(measures, None, given.get("suite", "mini"), scales=chosen)
    there = grid["accuracy"].notnull().any(["seed", "mixture", "benchmark"]).all("stage")
    return [str(scale) for scale in grid["scale"].values[np.atleast_1d(there.values)]]


def safe(names: Sequence[str]) -> list[str]:
    """Return names that any file system takes, each another one."""
    found: list[str] = []
    for name in names:
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "x"
        taken = {other.casefold() for other in found}
        numbers = itertools.count(2)
        candidate = slug
        while candidate.casefold() in taken:
            candidate = f"{slug}-{next(numbers)}"
        found.append(candidate)
    return found


def link_down(notebook: nbformat.NotebookNode, below: Sequence[Page]) -> None:
    """Name the sub-pages of a page below its introduction."""
    links = [f"[{findings.plain(page.title)}]({page.name}.ipynb)" for page in below]
    _introduction(notebook).source += f"\n\nBy itself: {', '.join(links)}."


def make_sub_page(notebook: nbformat.NotebookNode, page: Page) -> None:
    """Give a sub-page a title of its own, and labels that its parent does not have."""
    ending = page.name.removeprefix(page.parent)
    figures = []
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figures.append(figure["name"])
            figure["name"] += ending
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        cell.source = _LABEL.sub("", cell.source)
        for name in figures:
            cell.source = re.sub(
                rf"ref}}`{re.escape(name)}`", f"ref}}`{name}{ending}`", cell.source
            )
    first = _introduction(notebook)
    scale = findings.plain(page.title[0].lower() + page.title[1:])
    title, _, rest = first.source.partition("\n")
    said = f"This is {{doc}}`{page.parent}`, computed from {scale} alone."
    first.source = f"{title} At {scale}\n\n{said}\n{rest}"


def _introduction(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the cell that holds a page's title."""
    return next(cell for cell in notebook.cells if cell.cell_type == "markdown")
