"""What a reader takes away from a page: its commands with new parameters, and its figures' data."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml

from transfer.report.parameters import Parameter, read_parameters
from transfer.suite import repository

EXAMPLES = {"method": "spearman", "metric": "confidence", "normalization": "token"}
"""What the printed commands change, first that a page has, on its own default."""


def commands_box(
    notebook: nbformat.NotebookNode,
    name: str,
    own: Mapping[str, Any] | None = None,
    table: Path | None = None,
) -> str:
    """Return a box, as MyST text, with the lines that run a page or the book with new parameters.

    Parameters
    ----------
    notebook : NotebookNode
        Of which the cell tagged `parameters` is read.
    name : str
        The notebook's file name without its ending.
    own : mapping, optional
        Parameters with which this page was made, where they are not the book's.
    table : Path, optional
        The measures table of a report on a reader's own results.

    Returns
    -------
    str
        Empty where the page has no parameters.
    """
    parameters = read_parameters(notebook, Path(f"{name}.md"))
    if not parameters:
        return ""
    changed, value = _example(parameters)
    given = {key: _flow(chosen) for key, chosen in (own or {}).items() if key in parameters}
    # What follows from a reader's own table is not asked for again.
    asked = given if table is None else {}
    book = f"--measures {shlex.quote(str(table))} " if table else ""
    book += "".join(f"-p {shlex.quote(f'{key}={chosen}')} " for key, chosen in asked.items())
    page = "".join(f" -y {shlex.quote(f'{key}: {chosen}')}" for key, chosen in given.items())
    rows = [
        f"| `{p.name}` | `{p.annotation.replace('|', 'or')}` | `{p.default!r}` |"
        for p in parameters.values()
    ]
    return "\n".join(
        [
            "````{admonition} Run this page with your parameters",
            ":class: tip dropdown commands",
            "The whole book, with a value for every page that has the parameter:",
            "```sh",
            f"transfer report {book}-p {changed}={value} --out build/mine",
            "```",
            "This page alone, from the root of the repository:",
            "```sh",
            f"jupytext --to ipynb --output {name}.ipynb notebooks/{name}.md",
            f"papermill {name}.ipynb {name}-mine.ipynb -p {changed} {value}{page}",
            "```",
            "| parameter | type | default |",
            "|---|---|---|",
            *rows,
            "````",
        ]
    )


def citation_box(notebook: nbformat.NotebookNode, name: str) -> str:
    """Return a box, as MyST text, with what to write where a page is cited.

    Parameters
    ----------
    notebook : NotebookNode
        Of which the title is read.
    name : str
        The page's file name without its ending.

    Returns
    -------
    str
        Empty where the page has no title, or there is no `CITATION.cff`.
    """
    path = repository() / "CITATION.cff"
    title = re.search(
        r"^# (.+)$", "\n".join(cell.source for cell in _prose(notebook)), re.MULTILINE
    )
    if title is None or not path.exists():
        return ""
    cited = yaml.safe_load(path.read_text(encoding="utf-8"))
    authors = " and ".join(f"{{{author['name']}}}" for author in cited["authors"])
    fields = {
        "title": title[1],
        "howpublished": f"In: {cited['title']}",
        "author": authors,
        "year": str(cited["date-released"])[:4],
        "version": str(cited["version"]),
        "note": f"Page {name}",
    }
    lines = [f"  {key} = {{{value}}}" for key, value in fields.items()]
    return "\n".join(
        [
            "````{admonition} Cite this page",
            ":class: tip dropdown commands",
            "```bibtex",
            f"@misc{{transfer-{name},",
            ",\n".join(lines),
            "}",
            "```",
            "With another table or other parameters, say which. The protocols are from a paper; "
            "cite it too.",
            "````",
        ]
    )


def _prose(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def figure_csv(spec: Mapping[str, Any]) -> str:
    """Return the data that a chart shows as CSV: its largest table; empty where it holds none."""
    tables = [rows for rows in spec.get("datasets", {}).values() if rows]
    if not tables:
        return ""
    rows = max(tables, key=lambda rows: len(rows) * len(rows[0]))
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {
            name: json.dumps(cell) if isinstance(cell, list | dict) else cell
            for name, cell in row.items()
        }
        for row in rows
    )
    return out.getvalue()


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _example(parameters: Mapping[str, Parameter]) -> tuple[str, str]:
    """Return the name and the value that the printed commands change."""
    for name, value in EXAMPLES.items():
        if name in parameters:
            return name, value
    first = next(iter(parameters.values()))
    return first.name, shlex.quote(str(first.default))
