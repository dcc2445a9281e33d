"""Notebooks run once, with checked parameters, and say where they failed; charts become HTML."""

import json
import re

import nbformat
import pytest

from transfer.errors import BadInput
from transfer.report import ReportFailed, report
from transfer.report.build import build, write_scripts
from transfer.report.execute import _started, execute, read_text_notebook
from transfer.report.pages import ChartMime, chart_html
from transfer.report.parameters import Parameter, choose, read_parameters

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A page

"""
PARAMETERS = """```{code-cell} ipython3
:tags: [parameters]

metric: str = "accuracy"
scales: list[str] | None = None
resamples: int = 10
method: str = "pearson"
```

"""


def cell(source):
    return f"```{{code-cell}} ipython3\n{source}\n```\n\n"


@pytest.fixture
def notebook(tmp_path):
    def write(name, *cells, parameters=PARAMETERS):
        path = tmp_path / name
        path.write_text(HEADER + parameters + "".join(cells), encoding="utf-8")
        return path

    return write


def parameters_of(path):
    return read_parameters(read_text_notebook(path), path)


def test_parameters_are_read_with_their_types(notebook):
    found = parameters_of(notebook("a.md"))
    assert list(found) == ["metric", "scales", "resamples", "method"]
    assert found["scales"] == Parameter("scales", "list[str] | None", None)


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        ("str", "0.5", "0.5"),
        ("int", "7", 7),
        ("int", 7, 7),
        ("float", "0.5", 0.5),
        ("bool", "true", True),
        ("list[str] | None", "[S, M]", ["S", "M"]),
        ("list[str] | None", "null", None),
        ("list[int]", [0, 1], [0, 1]),
    ],
)
def test_values_are_taken_as_typed(annotation, given, expected):
    assert Parameter("x", annotation, None).check(given) == expected


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        ("int", "many"),
        ("int", 0.5),
        ("int", True),
        ("str", 3),
        ("list[str]", "S"),
        ("list[int]", "[S]"),
        ("list[str]", "[S, "),
    ],
)
def test_values_of_another_type_are_refused_by_name(annotation, given):
    with pytest.raises(
        BadInput, match=r"^parameter x: .* is not .*; give a value such as"
    ) as error:
        Parameter("x", annotation, "default").check(given)
    assert "\n" not in str(error.value)


def test_an_unknown_type_is_named():
    with pytest.raises(BadInput, match="parameter x: its notebook gives it the type Path"):
        Parameter("x", "Path", None).check("a")


def test_each_notebook_takes_the_parameters_it_has(notebook):
    one = notebook("one.md")
    two = notebook("two.md", parameters="")
    known = {path: parameters_of(path) for path in (one, two)}
    assert choose({"metric": "brier"}, known) == {one: {"metric": "brier"}, two: {}}


def test_an_unknown_parameter_is_refused_before_anything_runs(notebook, tmp_path):
    with pytest.raises(BadInput, match="parameter metrik: no notebook has it; they have method, m"):
        execute([notebook("a.md", cell("1 / 0"))], {"metrik": "x"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("x = open('a')", "must have a literal"), ("print(1)", "may hold assignments only")],
)
def test_a_parameter_cell_holds_literals(notebook, content, message):
    cells = f"```{{code-cell}} ipython3\n:tags: [parameters]\n\n{content}\n```\n"
    with pytest.raises(BadInput, match=message):
        parameters_of(notebook("a.md", parameters=cells))


def test_cell_ids_depend_on_the_text_alone(notebook):
    path = notebook("a.md", cell("1"), cell("2"))
    assert read_text_notebook(path) == read_text_notebook(path)
    ids = [each["id"] for each in read_text_notebook(path).cells]
    assert len(set(ids)) == len(ids)


def test_notebooks_run_once_and_leave_no_trace_of_when_and_where(notebook, tmp_path):
    out = tmp_path / "out"
    paths = [
        notebook("one.md", cell("import os\nprint(metric, scales, os.environ['OMP_NUM_THREADS'])")),
        notebook("two.md", cell("print('two')"), parameters=""),
    ]
    given = {"metric": "brier", "scales": "[S]"}
    executed = execute(paths, given, out)
    first = [path.read_bytes() for path in executed]
    outputs = [each for each in nbformat.read(executed[0], 4).cells if each.get("outputs")]
    assert outputs[-1].outputs[0].text == "brier ['S'] 1\n"
    assert not re.search(rb"papermill|20\d\d-\d\d-\d\d|" + str(tmp_path).encode(), b"".join(first))

    times = [path.stat().st_mtime_ns for path in executed]
    execute(paths, given, out)
    assert [path.stat().st_mtime_ns for path in executed] == times, "nothing changed"

    paths[1].write_text(paths[1].read_text().replace("'two'", "'2'"), encoding="utf-8")
    execute(paths, given, out)
    assert executed[0].stat().st_mtime_ns == times[0], "the other one did not change"
    assert b"2\\n" in executed[1].read_bytes()

    times = [path.stat().st_mtime_ns for path in executed]
    paths[0].touch()
    execute(paths, given, out)
    again = [path.stat().st_mtime_ns > time for path, time in zip(executed, times, strict=True)]
    assert again == [True, False], "the touched one only"


def test_a_page_is_made_again_when_a_table_in_a_folder_that_it_was_given_changes(
    notebook, tmp_path
):
    items = tmp_path / "items"
    items.mkdir()
    table = items / "one.parquet"
    table.write_bytes(b"old")
    path = notebook("one.md", cell("print(open(f'{metric}/one.parquet').read())"))
    (executed,) = execute([path], {"metric": str(items)}, tmp_path / "out")
    time = executed.stat().st_mtime_ns
    execute([path], {"metric": str(items)}, tmp_path / "out")
    assert executed.stat().st_mtime_ns == time, "nothing changed"
    table.write_bytes(b"fresh")
    execute([path], {"metric": str(items)}, tmp_path / "out")
    assert b"fresh\\n" in executed.read_bytes()


@pytest.mark.parametrize("name", ["CITATION.cff", "requirements.lock"])
def test_the_site_is_built_again_when_what_every_page_shows_changes(name, tmp_path, monkeypatch):
    book, root, out = tmp_path / "source", tmp_path / "root", tmp_path / "out"
    for folder in (book, root, out):
        folder.mkdir()
    (root / name).write_text("old", encoding="utf-8")
    built = []

    def jupyter_book(sources, log, steps):
        built.append(sources)
        index = sources / "_build" / "html" / "index.html"
        index.parent.mkdir(parents=True)
        index.touch()

    monkeypatch.setattr("transfer.report.build.repository", lambda: root)
    monkeypatch.setattr("transfer.report.build.write_reference", lambda folder: None)
    monkeypatch.setattr("transfer.report.build.write_scripts", lambda assets, cache: None)
    monkeypatch.setattr("transfer.report.build.run_jupyter_book", jupyter_book)
    build(book, [], out)
    build(book, [], out)
    assert len(built) == 1, "nothing changed"
    (root / name).write_text("new", encoding="utf-8")
    build(book, [], out)
    assert len(built) == 2


def test_a_failing_cell_is_kept_and_named(notebook, tmp_path):
    paths = [notebook("one.md", cell("print('before')"), cell("1 / 0"))]
    with pytest.raises(ReportFailed, match=r"one\.md: ZeroDivisionError.*one\.ipynb") as error:
        execute(paths, {}, tmp_path)
    kept = tmp_path / "one.ipynb"
    assert str(kept) in str(error.value)
    outputs = [o for c in nbformat.read(kept, 4).cells for o in c.get("outputs", [])]
    assert [o.output_type for o in outputs if o.output_type == "error"]
    assert not (tmp_path / "one.key.json").exists(), "a failed notebook runs again next time"


def test_a_kernel_that_does_not_start_is_started_again():
    said = "Kernel died before replying to kernel_info"
    tried = []

    def started(failures, error):
        def run():
            tried.append(1)
            if len(tried) <= failures:
                raise error

        tried.clear()
        _started(run, "a.md")

    started(2, RuntimeError(said))
    assert len(tried) == 3
    with pytest.raises(ReportFailed, match=r"a.md: its kernel did not start in 3 tries"):
        started(3, RuntimeError(said))
    with pytest.raises(RuntimeError, match="something else"):
        started(1, RuntimeError("something else"))
    assert len(tried) == 1


def test_a_cell_that_refuses_its_input_is_a_user_error(notebook, tmp_path):
    raising = "from transfer.errors import BadInput\nraise BadInput('scale Q: give S or M')"
    with pytest.raises(BadInput, match=r"^one\.md: scale Q: give S or M$"):
        execute([notebook("one.md", cell(raising))], {}, tmp_path)


def test_a_chart_without_words_fails_its_notebook(notebook, tmp_path):
    source = "import altair as alt\nfrom transfer import charts\ncharts.enable()\n"
    source += "alt.Chart({'values': [{'x': 1}]}).mark_point().encode(x='x:Q')"
    with pytest.raises(ReportFailed, match="no description"):
        execute([notebook("one.md", cell(source))], {}, tmp_path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"none\.csv: no such table"):
        report(measures=tmp_path / "none.csv", out=tmp_path / "out")


SPEC = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.4.1.json",
    "description": 'Three <points> & a "quote" </script>',
    "width": "container",
    "data": {"values": [{"x": 1}, {"x": 2}]},
    "mark": "point",
    "encoding": {"x": {"field": "x", "type": "quantitative"}},
}


def test_chart_html_is_closed_and_escaped():
    text = chart_html(SPEC)
    assert text.count("</script>") == 1
    assert 'alt="Three &lt;points&gt; &amp; a &quot;quote&quot; &lt;/script&gt;"' in text
    content = re.search(r'<script type="application/json">(.*?)</script>', text).group(1)
    assert json.loads(content) == SPEC


def test_other_outputs_are_left_to_the_book():
    class Png:
        mime_type = "image/png"
        content = "AAAA"

    assert ChartMime.handle_mime(None, Png, False) is None


def test_scripts_of_the_site_are_whole_and_classic(tmp_path):
    assets = tmp_path / "assets"
    assets.mkdir()
    write_scripts(assets, tmp_path / "cache")
    assert {path.name for path in assets.iterdir()} == {"mathjax.js", "vega.js", "chart-themes.js"}
    vega = (assets / "vega.js").read_text(encoding="utf-8")
    assert vega.startswith("(function () {")
    assert vega.rstrip().endswith("})();")
    assert not re.search(r"^(import|export)\s", vega, re.MULTILINE)
    themes = (assets / "chart-themes.js").read_text(encoding="utf-8")
    assert set(json.loads(themes.split(" = ", 1)[1].rstrip(";\n"))) == {"light", "dark"}
