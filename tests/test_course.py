"""The course: goals at the head of every chapter, exercises with checked solutions."""

from pathlib import Path

import jupytext
import pytest
import yaml

from transfer import worked

ROOT = Path(__file__).resolve().parent.parent
CONTENTS = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))


def files(entries):
    for entry in entries:
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
