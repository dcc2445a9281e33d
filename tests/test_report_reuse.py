"""What a reader takes away: commands that run, data that are the figure's, a PDF that is whole."""

import csv
import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from transfer import charts
from transfer.report import printing
from transfer.report.execute import read_text_notebook
from transfer.report.parameters import read_parameters
from transfer.report.reuse import citation_box, commands_box, figure_csv
from transfer.suite import repository

NOTEBOOKS = sorted((repository() / "notebooks").glob("*.md"))


def test_every_page_with_parameters_says_how_to_run_it():
    with_parameters = [p for p in NOTEBOOKS if read_parameters(read_text_notebook(p), p)]
    assert len(with_parameters) > 10
    for path in with_parameters:
        box = commands_box(read_text_notebook(path), path.stem)
        assert f"notebooks/{path.stem}.md" in box
        assert re.search(r"transfer report -p \w+=\S+ --out build/mine", box)
        for name in read_parameters(read_text_notebook(path), path):
            assert f"| `{name}` | `" in box, path


def test_a_page_without_parameters_has_no_box():
    notebook = read_text_notebook(NOTEBOOKS[0])
    notebook.cells = [c for c in notebook.cells if "parameters" not in c.metadata.get("tags", [])]
    assert commands_box(notebook, "plain") == ""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_page_says_how_it_is_cited(path):
    notebook = read_text_notebook(path)
    box = citation_box(notebook, path.stem)
    cited = yaml.safe_load((repository() / "CITATION.cff").read_text(encoding="utf-8"))
    assert f"@misc{{transfer-{path.stem}," in box
    assert f"version = {{{cited['version']}}}" in box
    assert f"year = {{{cited['date-released'].year}}}" in box
    title = re.search(r"title = \{(.*)\}", box).group(1)
    assert f"# {title}\n" in path.read_text(encoding="utf-8")
    assert box.count("{") == box.count("}")


def test_a_page_without_a_title_has_no_citation():
    notebook = read_text_notebook(NOTEBOOKS[0])
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert citation_box(notebook, "plain") == ""


def test_the_commands_of_a_readers_own_report_name_their_table():
    path = repository() / "notebooks" / "04-rq2-benchmarks.md"
    own = {"measures": "out/own/measures.parquet", "suite": None, "all_stages": "x"}
    box = commands_box(read_text_notebook(path), path.stem, own, Path("my scores.csv"))
    assert "transfer report --measures 'my scores.csv' -p method=spearman --out" in box
    assert "-y 'measures: out/own/measures.parquet' -y 'suite: null'" in box
    assert "all_stages" not in box.partition("| parameter")[0]


@pytest.mark.slow
def test_the_printed_commands_run(tmp_path):
    path = repository() / "notebooks" / "04-rq2-benchmarks.md"
    box = commands_box(read_text_notebook(path), path.stem)
    lines = [line for line in box.splitlines() if line.startswith(("jupytext", "papermill"))]
    assert len(lines) == 2
    folder = Path(sys.executable).parent
    for line in lines:
        command = [
            str(tmp_path / word) if word.endswith(".ipynb") else word for word in shlex.split(line)
        ]
        command[0] = str(folder / command[0])
        subprocess.run(command, check=True, cwd=repository(), capture_output=True)
    assert '"spearman"' in (tmp_path / f"{path.stem}-mine.ipynb").read_text()


def test_the_csv_of_a_figure_is_its_data():
    table = pd.DataFrame(
        {"category": ["NLI", "Science"], "value": [0.1, -0.2], "low": [0.0, -0.4], "high": 0.3}
    )
    rows = list(
        csv.DictReader(io.StringIO(figure_csv(charts.transfer_by_category(table).to_dict())))
    )
    assert [row["category"] for row in rows] == ["NLI", "Science"]
    assert [float(row["value"]) for row in rows] == [0.1, -0.2]
    assert [float(row["low"]) for row in rows] == [0.0, -0.4]
    assert figure_csv({"mark": "bar"}) == ""


@pytest.mark.browser
@pytest.mark.slow
def test_the_printed_book_has_pages_and_links(tmp_path):
    built = repository() / "build" / "book"
    if not built.exists() or not any(map(shutil.which, printing.BROWSERS)):
        pytest.skip("needs a built book and a browser")
    shutil.copytree(built, tmp_path / "book", ignore=shutil.ignore_patterns("_build"))
    pdf = printing.print_book(tmp_path)
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", content)) > 20
    assert b"/Dest" in content
