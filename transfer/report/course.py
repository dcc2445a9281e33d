"""Exercises: a page below each chapter, with hidden solutions, and a notebook without them.

A source (`notebooks/exercises/<chapter>.md`) is a text notebook whose cells say by a tag what they
are: `blank` is the cell that a student fills in, `solution` (code, or words) and `check` (an
assertion that can fail) are what a student does not get. All of it is executed in a folder that
holds the two tables that students get, so that what runs here runs for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat
import pandas as pd

from transfer import findings
from transfer.entries import STAGES
from transfer.files import replacing
from transfer.report.execute import Page, read_text_notebook
from transfer.suite import load_suite, repository
from transfer.tables import read_items

SUITE = "mini"
RUN = "V1P1-S-s0-sft"
"""The run whose answers, option by option, students get."""

ANSWERED = ("article_topic", "transitive", "cloze_dialogue")
"""Its benchmarks in that table: all are compared by the sum of the log-likelihoods."""

COLUMNS = (
    *("suite", "mixture", "scale", "seed", "stage", "benchmark", "category"),
    *("n_items", "chance", "accuracy", "confidence"),
)

ENDING = "-exercises"
HIDDEN = ("solution", "check")
FILES = "files"
"""Folder of the downloads, beside the pages."""

_SHOW = {
    "code_prompt_show": "Show the solution",
    "code_prompt_hide": "Hide the solution",
}


def exercises(folder: Path) -> list[Page]:
    """Write the tables of the exercises into a folder, and return their pages.

    Parameters
    ----------
    folder : Path
        Where the exercises are executed.
    """
    sources = sorted((repository() / "notebooks" / "exercises").glob("*.md"))
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("scores.csv", scores()), ("answers.csv", answers())):
        with replacing(folder / name) as beside:
            table.to_csv(beside, index=False, lineterminator="\n")
    return [
        Page(source, f"{source.stem}{ENDING}", parent=source.stem, title="Exercises", folder=folder)
        for source in sources
    ]


def scores() -> pd.DataFrame:
    """Return the committed accuracies and confidences, a row a run and benchmark.

    Each benchmark has the normalization that the suite file names for it, and a scale's seed is
    there only if all its runs are, so that no cell is missing.
    """
    suite = load_suite(SUITE)
    table = pd.read_parquet(repository() / "data" / SUITE / "measures.parquet")
    own = {benchmark.name: benchmark.normalization for benchmark in suite.benchmarks}
    table = table[table["normalization"].astype(str) == table["benchmark"].astype(str).map(own)]
    key = ["scale", "seed"]
    count = table.drop_duplicates([*key, "mixture", "stage"]).groupby(key, observed=True).size()
    whole = count.index[count == len(STAGES) * len(suite.mixtures)]
    table = table[pd.MultiIndex.from_frame(table[key]).isin(whole)]
    return table[list(COLUMNS)].round({"chance": 6, "accuracy": 6, "confidence": 6})


def answers() -> pd.DataFrame:
    """Return one run's log-likelihoods, a row an item and a column an option."""
    from transfer.measures import padded

    items, _ = read_items(repository() / "data" / SUITE / "items" / f"{RUN}.parquet")
    items = items[items["benchmark"].isin(ANSWERED)].reset_index(drop=True)
    parts = [items[["benchmark", "item", "gold"]]]
    for name, column in (("option", "loglikelihood"), ("bytes", "n_bytes")):
        wide = pd.DataFrame(padded(items[column])).round(5)
        parts.append((wide.astype("Int64") if name == "bytes" else wide).add_prefix(f"{name}_"))
    return pd.concat(parts, axis="columns")


def student_notebook(source: Path) -> nbformat.NotebookNode:
    """Return the notebook of an exercises source without solutions and checks."""
    notebook = read_text_notebook(source)
    notebook.cells = [cell for cell in notebook.cells if not _tags(cell) & set(HIDDEN)]
    needs = "the package of this book" if _imports(notebook, "transfer") else "only pandas"
    files = " and ".join(f"`{name}`" for name in _tables(notebook))
    said = f"Fill in each `...` and run its cell. You need {needs}"
    said += f", and {files} in the folder of this notebook." if files else "."
    notebook.cells[0].source += f"\n\n{said}"
    return notebook


def make_exercises_page(notebook: nbformat.NotebookNode, page: Page) -> None:
    """Hide the solutions of an executed exercises notebook, each in one box, and link downloads.

    The box of a solution holds its code with the check, what that printed, and then the words.
    """
    names = _tables(notebook)
    links = [f"{{download}}`notebook without solutions <{FILES}/{page.parent}.ipynb>`"]
    links += [f"{{download}}`{name} <{FILES}/{name}>`" for name in names]
    cells: list[nbformat.NotebookNode] = []
    for cell in notebook.cells:
        if not _tags(cell) & set(HIDDEN):
            cells.append(cell)
        elif cell.cell_type == "markdown":
            output = nbformat.v4.new_output("display_data", {"text/markdown": cell.source})
            cells[-1].outputs.append(output)
        elif "solution" in _tags(cell):
            cell.metadata["tags"] = ["solution", "hide-cell"]
            cell.metadata["mystnb"] = dict(_SHOW)
            cells.append(cell)
        else:
            cells[-1].source += f"\n\n# The check, a cell of its own\n{cell.source}"
            cells[-1].outputs += cell.outputs
    notebook.cells = cells
    title, _, rest = cells[0].source.partition("\n")
    said = f"For {{doc}}`{page.parent}`. To do them yourself, take the {findings.names(links)}."
    cells[0].source = f"{title}\n\n{said}\n{rest}"


def link_to_exercises(notebook: nbformat.NotebookNode, page: Page) -> None:
    """Name a chapter's exercises at its end."""
    said = (
        f"## Exercises\n\nWhat this page is about, to do yourself: [exercises]({page.name}.ipynb),"
    )
    said += " with solutions to look at afterwards."
    notebook.cells.append(nbformat.v4.new_markdown_cell(said, id="exercises"))


def write_downloads(pages: Sequence[Page], folder: Path) -> None:
    """Write the notebooks without solutions, and the tables beside them, into a folder."""
    for page in pages:
        folder.mkdir(exist_ok=True)
        nbformat.write(student_notebook(page.source), folder / f"{page.parent}.ipynb")
    for table in tables_of(pages):
        (folder / table.name).write_bytes(table.read_bytes())


def tables_of(pages: Sequence[Page]) -> list[Path]:
    """Return the tables that lie in the folders in which pages are executed."""
    folders = {page.folder for page in pages if page.folder}
    return sorted(table for folder in folders for table in folder.glob("*.csv"))


def _tags(cell: nbformat.NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _imports(notebook: nbformat.NotebookNode, package: str) -> bool:
    return any(
        line.startswith((f"import {package}", f"from {package}"))
        for cell in notebook.cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
    )


def _tables(notebook: nbformat.NotebookNode) -> list[str]:
    """Return which of the tables a notebook reads."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return [name for name in ("scores.csv", "answers.csv") if f'"{name}"' in code]
