"""The reference says what the code says: every function, every option, every column."""

import importlib
import inspect
import re
import subprocess
import sys

import pandas as pd
import pytest

from transfer.cli import app
from transfer.report.reference import MODULES, commands, members, write_reference
from transfer.suite import repository
from transfer.tables import ITEMS, MEASURES
from transfer.tables.columns import TABLES


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    write_reference(folder)
    return folder


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_is_there_and_says_what_it_does(written, name):
    module = importlib.import_module(name)
    page = (written / "api" / f"{name}.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == [each for each, _ in members(module)]
    for each, value in members(module):
        part = page.split(f"\n## {each}\n")[1].split("\n## ")[0]
        if inspect.isfunction(value):
            said = inspect.getdoc(value).split("\n")[0].split("`")[0]
            assert said in part
            for parameter in inspect.signature(value).parameters:
                assert parameter in part


def test_parameters_and_returns_are_named_and_no_footnote_is_left(written):
    page = (written / "api" / "transfer.uncertainty.md").read_text(encoding="utf-8")
    part = page.split("\n## bootstrap\n")[1].split("\n## ")[0]
    assert "* **over** (*sequence of" in part
    assert ":Returns: *Dataset*" in part
    assert "]_" not in page
    assert "``value``" in part


def test_every_option_of_every_command_is_there(written):
    page = (written / "commands.md").read_text(encoding="utf-8")
    found = dict(commands("transfer", app))
    assert {"transfer score", "transfer report", "transfer suite run"} <= set(found)
    assert "transfer suite step" not in found
    for path, command in found.items():
        part = page.split(f"\n## {path}\n")[1].split("\n## ")[0]
        rows = [line for line in part.splitlines() if line.startswith("| `")]
        assert len(rows) == len(inspect.signature(command).parameters)
    assert "| `--parameter, -p` | text, repeatable |" in page
    assert "| `--out` | path | `build` |" in page
    assert "| `--before` | text | the first |" in page


def test_every_column_of_a_schema_is_described():
    described = {table.file: [column.name for column in table.columns] for table in TABLES}
    assert described["measures.parquet"] == MEASURES.names
    assert described["items/<run>.parquet"] == ITEMS.names


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.file)
def test_every_column_of_a_committed_table_is_described(table, written):
    root = repository() / "data"
    paths = [path for path in (root / "mini" / table.file, root / table.file) if path.exists()]
    names = [column.name for column in table.columns]
    for path in paths:
        frame = pd.read_csv(path, nrows=3) if path.suffix == ".csv" else pd.read_parquet(path)
        assert set(frame.columns) == set(names)
    page = (written / "tables.md").read_text(encoding="utf-8")
    part = page.split(f"\n## `{table.file}`\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(.*?)` \|", part, re.MULTILINE) == names


def test_the_reference_needs_no_torch(tmp_path):
    code = (
        "import sys, pathlib; from transfer.report.reference import write_reference;"
        f"write_reference(pathlib.Path({str(tmp_path)!r}));"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repository())
