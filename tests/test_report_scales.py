"""Sub-pages: one a scale where there are several, with names and labels of their own."""

import itertools
import shlex
import shutil

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from transfer.errors import BadInput
from transfer.report.build import build
from transfer.report.execute import Page, execute, read_text_notebook
from transfer.report.reuse import commands_box
from transfer.report.scales import EACH, PAIRS, safe, scales_of, with_sub_pages
from transfer.suite import repository

NOTEBOOKS = sorted((repository() / "notebooks").glob("*.md"))


def written(tmp_path, scales, unfinished=()):
    """Write a made-up table of four mixtures and three benchmarks at some scales."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "mixture": f"m{place}",
            "scale": scale,
            "seed": 0,
            "stage": stage,
            "benchmark": benchmark,
            "category": "c",
            "accuracy": 0.4 + 0.05 * place + 0.02 * rng.random(),
            "confidence": 0.5 + 0.03 * place + 0.02 * rng.random(),
        }
        for scale, place, stage, benchmark in itertools.product(
            scales, range(4), ("pretrain", "sft"), "xyz"
        )
        if not (scale in unfinished and stage == "sft")
    ]
    path = tmp_path / "mine.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return {"measures": str(path), "suite": None}


def sub_pages(given):
    return [page for page in with_sub_pages(NOTEBOOKS, given) if page.parent]


def test_the_notebooks_that_have_sub_pages_are_there():
    assert {*EACH, *PAIRS} <= {path.stem for path in NOTEBOOKS}


def test_one_scale_has_no_sub_pages(tmp_path):
    assert sub_pages(written(tmp_path, ["S"])) == []


def test_two_scales_have_a_page_each_and_are_no_pair(tmp_path):
    pages = sub_pages(written(tmp_path, ["S", "M"]))
    assert {page.name for page in pages} == {
        f"{name}-at-{scale}" for name in EACH for scale in ("S", "M")
    }
    assert {tuple(page.parameters["scales"]) for page in pages} == {("S",), ("M",)}


def test_three_scales_are_compared_with_their_neighbours(tmp_path):
    pages = sub_pages(written(tmp_path, ["S", "M", "L"]))
    pairs = [page for page in pages if page.parent in PAIRS]
    assert [page.parameters["scales"] for page in pairs] == [["S", "M"], ["M", "L"]]
    assert [page.name for page in pairs] == ["05-rq3-scale-at-S-M", "05-rq3-scale-at-M-L"]
    assert len(pages) == 3 * len(EACH) + 2


def test_a_scale_without_the_later_stage_has_no_page(tmp_path):
    given = written(tmp_path, ["S", "M", "L"], unfinished=["L"])
    assert scales_of(given) == ["S", "M"]


def test_scales_that_were_asked_for_are_the_only_ones(tmp_path):
    given = written(tmp_path, ["S", "M", "L"])
    assert scales_of(given | {"scales": "[L, S]"}) == ["L", "S"]
    with pytest.raises(BadInput, match="Q"):
        scales_of(given | {"scales": ["Q"]})


def test_names_of_files_are_safe_and_differ():
    names = ["S", "s", "../x", "{{x}}", "1.5B", "", '"><img src=x>']
    found = safe(names)
    assert found == ["S", "s-2", "x", "x-2", "1.5B", "x-3", "img-src-x"]
    assert safe(["x", "x", "x-2"]) == ["x", "x-2", "x-2-2"]


def test_the_commands_of_a_sub_page_choose_its_scale():
    path = next(path for path in NOTEBOOKS if path.stem == EACH[0])
    box = commands_box(read_text_notebook(path), path.stem, {"scales": ["it's", "M"]})
    (book,) = [line for line in box.splitlines() if line.startswith("transfer report")]
    (page,) = [line for line in box.splitlines() if line.startswith("papermill")]
    words = shlex.split(book)
    given = words[words.index("-p") + 1]
    assert yaml.safe_load(given.removeprefix("scales=")) == ["it's", "M"]
    assert yaml.safe_load(shlex.split(page)[-1]) == {"scales": ["it's", "M"]}


NOTEBOOK = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

(asked)=
# What is asked?

See {numref}`fig-one` and {ref}`asked-elsewhere`.

```{code-cell} ipython3
:tags: [parameters]

scales: list[str] | None = None
```
```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-one
    caption: A figure.
---
import altair as alt
from transfer import charts

charts.enable()
data = alt.Data(values=[{"x": str(scales)}])
alt.Chart(data, description="One point for the scales.").mark_point().encode(x="x:N")
```
"""
PAGE = "(asked-elsewhere)=\n# First\n\n{ref}`asked`, {numref}`fig-one`\n"


def test_a_book_with_sub_pages_has_no_warning_and_each_label_once(tmp_path):
    source = tmp_path / "q.md"
    source.write_text(NOTEBOOK, encoding="utf-8")
    book = tmp_path / "book"
    shutil.copytree(repository() / "book" / "assets", book / "assets")
    for name in ("_config.yml", "references.bib"):
        shutil.copyfile(repository() / "book" / name, book / name)
    (book / "index.md").write_text(PAGE, encoding="utf-8")
    toc = {
        "format": "jb-book",
        "root": "index",
        "parts": [{"caption": "All", "chapters": [{"file": "notebooks/q"}]}],
    }
    (book / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    pages = [
        Page(source, "q"),
        Page(source, "q-at-x", {"scales": ["{{x}} *y*"]}, "q", "Scale {{x}} *y*"),
    ]
    executed = execute(pages, {}, tmp_path / "out" / "notebooks")
    outputs = [
        cell.outputs[0].data["application/vnd.vegalite.v6+json"]["data"]["values"]
        for path in executed
        for cell in nbformat.read(path, as_version=4).cells
        if cell.get("outputs")
    ]
    assert outputs == [[{"x": "None"}], [{"x": "['{{x}} *y*']"}]]
    index = build(book, executed, tmp_path / "out", sub_pages=pages[1:])
    parent = (index.parent / "notebooks" / "q.html").read_text(encoding="utf-8")
    child = (index.parent / "notebooks" / "q-at-x.html").read_text(encoding="utf-8")
    assert 'href="q-at-x.html">Scale {{x}} *y*</a>' in parent.replace(
        '<span class="xref myst">', ""
    ).replace("</span>", "")
    assert "What is asked? At scale {{x}} *y*" in child
    assert 'id="fig-one-at-x"' in child
    assert 'id="fig-one"' in parent
    assert 'href="q.html#fig-one"' not in child
