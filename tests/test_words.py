"""The words of the report: spelt right, and without numbers that the data could give."""

import re
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
EXERCISES = sorted((ROOT / "notebooks" / "exercises").glob("*.md"))
PAGES = sorted((ROOT / "book").rglob("*.md"))
TEXTS = [*NOTEBOOKS, *EXERCISES, *PAGES, *ROOT.glob("*.md"), *(ROOT / "data").glob("*/README.md")]

MEASURED = re.compile(r"(?<![\w.])[−-]?\d+\.\d+(?![\w.])|\d+(?:\.\d+)? ?%")
"""A decimal number or a percentage: what a measurement looks like in prose."""

GIVEN = {"0.7", "0.5", "0.3", "95 %"}
"""Thresholds and levels that are chosen, not measured."""

NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\$[^$]*\$|\{[a-z:]+\}`[^`]*`|\([^)]*\)=", re.DOTALL)


def test_words_are_spelt_right():
    command = [sys.executable, "-m", "codespell_lib", "--builtin", "clear,rare"]
    command += ["--ignore-words-list", "ans,caf,crate,ment", str(ROOT / "transfer")]
    command += map(str, TEXTS)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def measured(prose: str) -> list[str]:
    return [one for one in MEASURED.findall(NOT_PROSE.sub(" ", prose)) if one not in GIVEN]


def test_the_check_sees_a_typed_number():
    assert measured("The mean r is 0.49, above 0.7 in 30 % of cases") == ["0.49", "30 %"]
    assert measured("`0.49` and $r = 0.49$ at version 1.2.3 in 95 % intervals") == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_number_is_typed_into_the_prose_of_a_notebook(path):
    cells = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "markdown"]
    assert not [number for cell in cells for number in measured(cell)]
