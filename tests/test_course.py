"""The course: goals at the head of every chapter, exercises with checked solutions."""

import re
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import jupytext
import nbformat
import pandas as pd
import pytest
import yaml

from transfer import worked
from transfer.report.course import (
    answers,
    exercises,
    make_exercises_page,
    scores,
    student_notebook,
)

ROOT = Path(__file__).resolve().parent.parent
CONTENTS = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))


def files(entries):
    for entry in entries:
        # The reference is written when the book is built, and taken in by its pattern.
        if "file" in entry:
            yield entry["file"]
        yield from files(entry.get("sections", []))


PAGES = [page for part in CONTENTS["parts"] for page in files(part["chapters"])]
CHAPTERS = [
    ROOT / f"{page}.md"
    for page in PAGES
    if page.startswith("notebooks/") and (ROOT / f"{page}.md").exists()
]


def test_there_are_chapters():
    assert len(CHAPTERS) >= 15


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_begins_with_goals_and_prerequisites(path):
    head = next(cell for cell in jupytext.read(path).cells if cell.cell_type == "markdown")
    box = head.source.partition("```{admonition} Goals\n:class: goals\n")[2]
    can, _, need = box.partition("\n```")[0].partition("\n\n")
    assert can.startswith("**After it you can** ")
    assert need.startswith("**Before it you need** ")
    assert 40 < len(can) < 250
    assert 5 < len(need.removeprefix("**Before it you need** ")) < 200


def test_the_worked_study_is_the_same_as_tables_and_as_a_grid():
    grid = worked.grid()
    for metric in ("accuracy", "confidence"):
        for stage in ("pretrain", "sft"):
            cells = grid[metric].sel(stage=stage, scale="S", seed=0)
            table = worked.scores(metric, stage)
            for mixture in table.index:
                for benchmark in table:
                    cell = cells.sel(mixture=mixture, benchmark=benchmark)
                    assert float(cell) == table.loc[mixture, benchmark]


EXERCISES = sorted((ROOT / "notebooks" / "exercises").glob("*.md"))
FIRST_FOUR = [path.stem for path in CHAPTERS[:4]]
BLOCKED = """
import sys

NAMES = {"transfer", "torch", "xarray", "scipy", "pyarrow", "altair", "IPython", "matplotlib"}


class Only:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)


sys.meta_path.insert(0, Only())
"""


def each(paths):
    return pytest.mark.parametrize("source", paths, ids=lambda path: path.stem)


def cells(source, *tags, kind="code"):
    """Return the cells of one kind that have one of some tags, or no tag of the course."""
    found = [cell for cell in jupytext.read(source).cells if cell.cell_type == kind]
    known = {"blank", "solution", "check"}
    return [cell for cell in found if (known & set(cell.metadata.get("tags", []))) & set(tags)]


def in_order(source, *left_out):
    """Return the code of a source cell by cell, each with its tags, without some."""
    for cell in jupytext.read(source).cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "code" and not tags & set(left_out):
            yield cell.source, tags


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Return the folder in which the exercises are executed."""
    folder = tmp_path_factory.mktemp("exercises")
    exercises(folder)
    return folder


def test_every_chapter_has_exercises():
    assert {path.stem for path in EXERCISES} == {path.stem for path in CHAPTERS}


@each(EXERCISES)
def test_every_exercise_is_graded_and_has_a_blank_a_solution_words_and_a_check(source):
    text = source.read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert 2 <= len(parts) <= 3
    for number, part in enumerate(parts, 1):
        assert re.match(rf"{number}\. .*\n\n\*(Warm-up|Core|Stretch)\.\* ", part)
        tags = re.findall(r":tags: \[(\w+)\]|^\+\+\+ .*\"(solution)\"", part, re.MULTILINE)
        assert [one or other for one, other in tags] == ["blank", "solution", "solution", "check"]
        assert "..." in part.partition(":tags: [blank]")[2].partition("```")[0]
        assert "assert " in part.partition(":tags: [check]")[2]


@each(EXERCISES)
def test_a_student_gets_no_solution(source):
    notebook = student_notebook(source)
    text = "\n".join(cell.source for cell in notebook.cells)
    kept = {line.strip() for line in text.splitlines()}
    hidden = cells(source, "solution", "check") + cells(source, "solution", kind="markdown")
    for cell in hidden:
        # A blank may name a function, and both may need the same import.
        lines = {line.strip() for line in cell.source.splitlines() if len(line.strip()) > 15}
        lines = {line for line in lines if not line.startswith(("def ", "from ", "import "))}
        assert lines
        assert not lines & kept
    assert not re.search(r"\{[a-z:]+\}`|assert ", text), "plain Markdown, and nothing to pass"
    assert all(not cell.get("outputs") for cell in notebook.cells)


@each(EXERCISES)
def test_a_check_fails_where_its_blank_is_left(source, tables, monkeypatch):
    monkeypatch.chdir(tables)
    space = {}
    checks = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for code, tags in in_order(source, "solution"):
            if "check" not in tags:
                exec(code, space)
                continue
            checks += 1
            with pytest.raises(Exception):  # noqa: B017, PT011
                exec(code, space)
    assert checks


@each([path for path in EXERCISES if path.stem in FIRST_FOUR])
@pytest.mark.parametrize("left_out", [("solution", "check"), ()], ids=["student", "solved"])
def test_pandas_is_enough_for_the_first_four_chapters(source, left_out, tables, tmp_path):
    script = tmp_path / "notebook.py"
    code = [BLOCKED, *(code for code, _ in in_order(source, *left_out))]
    script.write_text("\n\n".join(code), encoding="utf-8")
    command = [sys.executable, "-I", str(script)]
    done = subprocess.run(command, cwd=tables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_block_blocks(tmp_path):
    script = tmp_path / "blocked.py"
    for name in ("transfer", "xarray"):
        script.write_text(f"{BLOCKED}\nimport {name}\n", encoding="utf-8")
        command = [sys.executable, "-I", str(script)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert f"blocked: {name}" in done.stderr


def test_scores_are_whole_and_are_those_of_the_measures_table():
    table = scores()
    keys = ["mixture", "scale", "seed", "stage", "benchmark"]
    assert not table.duplicated(keys).any()
    sizes = table.groupby(["scale", "seed"]).size()
    assert set(sizes) == {9 * 2 * table["benchmark"].nunique()}
    measures = pd.read_parquet(ROOT / "data" / "mini" / "measures.parquet")
    both = table.merge(measures, on=keys, suffixes=("", "_there"))
    near = (both["accuracy"] - both["accuracy_there"]).abs() < 1e-6
    near &= (both["confidence"] - both["confidence_there"]).abs() < 1e-6
    assert both[near].drop_duplicates(keys).shape[0] == len(table)


def test_answers_have_an_option_and_a_length_for_each_log_likelihood():
    table = answers()
    options, lengths = (table.filter(like=name).notna().to_numpy() for name in ("option", "bytes"))
    assert (options == lengths).all()
    assert set(options.sum(axis=1)) == {3, 4}
    assert (table["gold"] < options.sum(axis=1)).all()


def test_a_page_hides_each_solution_in_one_box(tables):
    page = exercises(tables)[0]
    notebook = jupytext.read(page.source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="printed")]
    count = len(cells(page.source, "solution"))
    words = [cell.source for cell in cells(page.source, "solution", kind="markdown")]
    make_exercises_page(notebook, page)
    boxes = [cell for cell in notebook.cells if "hide-cell" in cell.metadata.get("tags", [])]
    assert len(boxes) == count
    assert [box.outputs[1].data["text/markdown"] for box in boxes] == words
    assert all("# The check, a cell of its own\n" in box.source for box in boxes)
    assert not any(words[0] == cell.source for cell in notebook.cells)
    assert f"<files/{page.parent}.ipynb>" in notebook.cells[0].source


TEACHING = (ROOT / "book" / "howto" / "teaching.md").read_text(encoding="utf-8")
PLAN = re.compile(r"^\| minutes .*\n\|---.*\n((?:\|.*\n)+)", re.MULTILINE)
PLANS = [
    [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()]
    for rows in PLAN.findall(TEACHING)
]


@pytest.mark.parametrize("plan", PLANS, ids=range(len(PLANS)))
def test_a_plan_fills_ninety_minutes_and_names_exercises_that_are_there(plan):
    minutes = [tuple(map(int, row[0].split("–"))) for row in plan]
    assert minutes[0][0] == 0
    assert minutes[-1][1] == 90
    assert all(first[1] == second[0] for first, second in pairwise(minutes))
    named = 0
    for row in plan:
        link = re.search(r"</notebooks/([\w-]+)>", row[1])
        for number in re.findall(r"[Ee]xercise (\d)", row[2]) if link else []:
            source = ROOT / "notebooks" / "exercises" / f"{link.group(1)}.md"
            assert f"\n## {number}. " in source.read_text(encoding="utf-8")
            named += 1
    assert named >= 3


def test_there_are_a_plan_of_one_session_and_one_of_three():
    assert len(PLANS) == 1 + 3
