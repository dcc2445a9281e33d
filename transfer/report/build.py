"""Builds the site from the book's sources and the executed notebooks.

Everything that a page loads lies in the site itself. The two third-party scripts come out of
installed packages at build time, so none is committed: MathJax from sphinx-mathjax-offline, Vega
from vl-convert.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import nbformat
import yaml

from transfer.charts import palette, renderer
from transfer.files import replacing, sha256
from transfer.report.course import (
    FILES,
    link_to_exercises,
    make_exercises_page,
    tables_of,
    write_downloads,
)
from transfer.report.execute import Page
from transfer.report.failure import ReportFailed
from transfer.report.place import RECORD, clear
from transfer.report.progress import Steps
from transfer.report.reference import write_reference
from transfer.report.reuse import citation_box, commands_box
from transfer.report.scales import link_down, make_sub_page
from transfer.suite import repository

MATHJAX = "sphinx-mathjax-offline/static/mathjax/tex-svg-full.js"
"""One classic script with every TeX extension and SVG output: it loads no fonts and no parts."""

FIRST = "00-index"
"""The notebook that is the book's first page."""

COLOUR = re.compile("\x1b\\[[0-9;]*m")
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def build(
    book: Path,
    notebooks: Sequence[Path],
    out: Path,
    steps: Steps | None = None,
    announcement: str = "",
    sub_pages: Sequence[Page] = (),
    table: Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> Path:
    """Build the site and return its first page.

    Parameters
    ----------
    book : Path
        The folder with `_config.yml`, `_toc.yml`, pages and assets.
    notebooks : sequence of Path
        Executed notebooks; they become the pages `notebooks/<name>`, and `FIRST` the first page.
    out : Path
        Folder to build in: sources are gathered in `out/book`, the site lies in
        `out/book/_build/html`. It is left alone where no source changed since.
    announcement : str
        HTML at the top of every page.
    sub_pages : sequence of Page
        Which of the notebooks stand below another, and their titles.
    table, given
        The measures table of a report on a reader's own results, and the parameters that follow
        from it, for the commands that pages end with.

    Raises
    ------
    BadInput
        If `out/book` is there and no earlier report wrote it.
    ReportFailed
        If there is any warning.
    """
    steps = steps or Steps()
    gathered = out / "book"
    index = gathered / "_build" / "html" / "index.html"
    record = out / RECORD
    below = [(page.parent, page.name, page.title) for page in sub_pages]
    tables = [sha256(path) for path in tables_of(sub_pages)]
    key = _key(book, notebooks) + json.dumps([announcement, below, tables, str(table)])
    if index.exists() and record.exists() and record.read_text(encoding="utf-8") == key:
        steps.note("site: unchanged")
        return index
    # From nothing each time: Sphinx forgets the warnings of pages that it keeps.
    clear(out)
    record.unlink(missing_ok=True)
    shutil.copytree(book, gathered, ignore=shutil.ignore_patterns("_build"), dirs_exist_ok=True)
    (gathered / "notebooks").mkdir(exist_ok=True)
    for notebook in notebooks:
        place = "index.ipynb" if notebook.stem == FIRST else f"notebooks/{notebook.name}"
        _add_page(notebook, gathered / place, sub_pages, table, given or {})
    write_reference(gathered / "reference")
    write_downloads([page for page in sub_pages if page.folder], gathered / "notebooks" / FILES)
    if sub_pages:
        _add_sections(gathered / "_toc.yml", sub_pages)
    if announcement:
        config = yaml.safe_load((gathered / "_config.yml").read_text(encoding="utf-8"))
        # Jupyter Book's own option for it gives way to any options of the theme.
        config["sphinx"]["config"]["html_theme_options"]["announcement"] = announcement
        text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False)
        (gathered / "_config.yml").write_text(text, encoding="utf-8")
    write_scripts(gathered / "assets", out / "scripts")
    run_jupyter_book(gathered, out / "book.log", steps)
    record.write_text(key, encoding="utf-8")
    return index


def _add_page(
    executed: Path,
    place: Path,
    sub_pages: Sequence[Page],
    table: Path | None,
    given: Mapping[str, Any],
) -> None:
    """Write an executed notebook as a page of the book; its commands and citation end it."""
    notebook = nbformat.read(executed, as_version=4)
    page = next((one for one in sub_pages if one.name == executed.stem), None)
    name, own = (page.parent, page.parameters) if page else (executed.stem, {})
    if box := commands_box(notebook, name, {**given, **own}, table):
        notebook.cells.append(nbformat.v4.new_markdown_cell(box, id="commands"))
    if not (page and page.folder) and (box := citation_box(notebook, executed.stem)):
        notebook.cells.append(nbformat.v4.new_markdown_cell(box, id="citation"))
    if page:
        (make_exercises_page if page.folder else make_sub_page)(notebook, page)
    below = [one for one in sub_pages if one.parent == executed.stem]
    if scales := [one for one in below if not one.folder]:
        link_down(notebook, scales)
    for exercises in [one for one in below if one.folder]:
        link_to_exercises(notebook, exercises)
    nbformat.write(notebook, place)


def _add_sections(toc: Path, sub_pages: Sequence[Page]) -> None:
    """Put sub-pages below their pages in the book's table of contents."""
    contents = yaml.safe_load(toc.read_text(encoding="utf-8"))
    for part in contents["parts"]:
        for chapter in part["chapters"]:
            own = [page for page in sub_pages if f"notebooks/{page.parent}" == chapter.get("file")]
            if own:
                chapter["sections"] = chapter.get("sections", []) + [
                    {"file": f"notebooks/{page.name}", "title": page.title} for page in own
                ]
    text = yaml.safe_dump(contents, allow_unicode=True, sort_keys=False)
    toc.write_text(text, encoding="utf-8")


def write_scripts(assets: Path, cache: Path) -> None:
    """Write MathJax, Vega and the chart themes into the folder of the site's assets."""
    shutil.copyfile(
        Path(str(distribution("sphinx-mathjax-offline").locate_file(MATHJAX))),
        assets / "mathjax.js",
    )
    shutil.copyfile(_vega(cache), assets / "vega.js")
    themes = json.dumps(palette.THEMES, sort_keys=True)
    (assets / "chart-themes.js").write_text(
        f"window.transferChartThemes = {themes};\n", encoding="utf-8"
    )


def _vega(cache: Path) -> Path:
    """Return the bundle of Vega, Vega-Lite and Vega-Embed as one classic script."""
    import vl_convert

    path = cache / f"vega-{version('vl-convert-python')}-{renderer.grammar_version()}.js"
    if not path.exists():
        bundle = vl_convert.javascript_bundle(
            "window.vegaEmbed = vegaEmbed;", vl_version=renderer.grammar_version()
        )
        with replacing(path) as beside:
            beside.write_text(f"(function () {{\n{bundle}\n}})();\n", encoding="utf-8")
    return path


def run_jupyter_book(sources: Path, log: Path, steps: Steps, builder: str = "html") -> None:
    """Build gathered sources with one of Sphinx's builders; raise if there is any warning."""
    # Without the working directory on the path (-P): what lies there must not hide the package.
    command = [sys.executable, "-P", "-c", JUPYTER_BOOK, "build", str(sources)]
    command += ["-W", "-n", "--keep-going"]
    if builder != "html":
        command += ["--builder", "custom", "--custom-builder", builder]
    with steps.waiting("building the site"), log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
    if done.returncode == 0:
        return
    lines = COLOUR.sub("", log.read_text(encoding="utf-8")).splitlines()
    said = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-20:]
    raise ReportFailed("\n".join(["the site has warnings:", *said, f"(all of it is in {log})"]))


def _key(book: Path, notebooks: Sequence[Path]) -> str:
    """Return the hash of everything that the site is made from."""
    package = Path(__file__).parent.parent
    files = [path for path in book.rglob("*") if path.is_file() and "_build" not in path.parts]
    # The reference is written from the docstrings of the whole package.
    files += [*notebooks, *package.rglob("*.py")]
    # Every page ends with how it is cited, and is set by the pinned Sphinx and theme.
    root = repository()
    files += [p for p in (root / "CITATION.cff", root / "requirements.lock") if p.exists()]
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{path.name} {sha256(path)}\n".encode())
    return total.hexdigest()
