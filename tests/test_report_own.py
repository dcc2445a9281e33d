"""A report on a user's table: which stages, what is missing, and names that are markup."""

import itertools
from pathlib import Path

import markdown_it
import nbformat
import numpy as np
import pandas as pd
import pytest
from small_grid import made_items

import transfer
from transfer import findings
from transfer.errors import BadInput
from transfer.report.execute import execute, read_text_notebook
from transfer.report.own import own
from transfer.report.parameters import read_parameters
from transfer.suite import Run, repository
from transfer.tables import read_items, read_measures_table, write_items, write_measures

TAG = "<script>alert(1)</script>"


def table(mixtures, stages, benchmarks, confidence=True, category=True, scales=("1B",)):
    """Return rows of made-up accuracies that persist from stage to stage."""
    rng = np.random.default_rng(0)
    quality = {mixture: rng.normal() for mixture in mixtures}
    rows = []
    for mixture, scale, stage, benchmark in itertools.product(mixtures, scales, stages, benchmarks):
        row = {"mixture": mixture, "scale": scale, "seed": 0, "stage": stage}
        row["benchmark"] = benchmark
        for name in ("accuracy", *(["confidence"] if confidence else [])):
            row[name] = float(np.clip(0.5 + 0.1 * quality[mixture] + 0.05 * rng.normal(), 0, 1))
        if category:
            row["category"] = f"c{benchmarks.index(benchmark) % 2}"
        rows.append(row)
    return pd.DataFrame(rows)


def written(tmp_path, frame, name="mine.csv"):
    path = tmp_path / name
    frame.to_csv(path, index=False)
    return path


def test_a_table_of_two_usual_stages_is_taken_as_it_is(tmp_path):
    path = written(tmp_path, table("abc", ("pretrain", "sft"), ["x", "y"]))
    mine = own(path, tmp_path / "out")
    assert mine.parameters["measures"] == str(path)
    assert mine.parameters["suite"] is None
    assert not (tmp_path / "out").exists()


def test_other_stages_go_from_the_first_to_the_last(tmp_path):
    frame = table("abc", ("base", "mid", "dpo"), ["x"], category=False)
    path = written(tmp_path, frame)
    mine = own(path, tmp_path / "out")
    shown = read_measures_table(mine.parameters["measures"])
    assert set(shown["stage"]) == {"pretrain", "sft"}
    assert set(shown["category"]) == {"all benchmarks"}
    assert "pretrain is base and sft is dpo" in mine.announcement
    assert mine.parameters["all_stages"] == str(path)
    last = frame[frame["stage"] == "dpo"]["accuracy"].to_numpy()
    assert shown[shown["stage"] == "sft"]["accuracy"].to_numpy() == pytest.approx(last)


def test_the_order_of_stages_is_that_of_the_notes(tmp_path):
    frame = table("abc", ("mid", "base", "dpo"), ["x"])
    path = tmp_path / "mine.parquet"
    write_measures(path, frame, {"stages": ["base", "mid", "dpo"]})
    assert "pretrain is base and sft is dpo" in own(path, tmp_path / "out").announcement
    pair = own(path, tmp_path / "out", "base", "mid")
    assert "pretrain is base and sft is mid" in pair.announcement


@pytest.mark.parametrize(
    ("stages", "asked", "says"),
    [
        (("base",), (None, None), "has one stage, 'base'"),
        (("base", "dpo"), ("sft", None), "stage 'sft' is not in the table; it has base, dpo"),
        (("base", "dpo"), ("dpo", "base"), "'dpo' does not come before 'base'"),
    ],
)
def test_stages_that_cannot_be_compared_are_refused(tmp_path, stages, asked, says):
    path = written(tmp_path, table("abc", stages, ["x"]))
    with pytest.raises(BadInput, match=says):
        own(path, tmp_path / "out", *asked)


def test_one_mixture_has_no_ranking(tmp_path):
    path = written(tmp_path, table("a", ("pretrain", "sft"), ["x"]))
    with pytest.raises(BadInput, match=r"has one mixture, 'a'; .* give two or more"):
        own(path, tmp_path / "out")


def test_items_beside_the_table_are_shown_and_others_are_not(tmp_path):
    path = written(tmp_path, table("abc", ("pretrain", "sft"), ["x"]))
    assert own(path, tmp_path).parameters["items"] == ""
    (tmp_path / "items").mkdir()
    assert own(path, tmp_path).parameters["items"] == str(tmp_path / "items")
    assert own(path, tmp_path).parameters["trajectory"] == ""
    (tmp_path / "trajectory.parquet").touch()
    assert own(path, tmp_path).parameters["trajectory"] == ""


def test_items_of_stages_by_other_names_are_shown(tmp_path):
    path = written(tmp_path, table("abc", ("base", "chat"), ["x"]))
    (tmp_path / "items").mkdir()
    for stage in ("base", "chat", "draft"):
        run = Run(mixture="a", scale="1B", seed=0, stage="sft")
        said = {**run.model_dump(), "stage": stage, "suite": "mine", "step": None}
        write_items(tmp_path / "items" / f"a-{stage}.parquet", made_items(run), said)
    folder = Path(own(path, tmp_path / "out").parameters["items"])
    stages = {file.stem: read_items(file)[1]["stage"] for file in folder.iterdir()}
    assert stages == {"a-base": "pretrain", "a-chat": "sft"}
    same = read_items(folder / "a-chat.parquet")[0]
    pd.testing.assert_frame_equal(same, read_items(tmp_path / "items" / "a-chat.parquet")[0])


def test_what_a_table_lacks_is_a_note_on_the_page(tmp_path):
    frame = table("abcdef", ("pretrain", "sft"), ["x", "y"])
    path = written(tmp_path, frame.iloc[1:])
    page = repository() / "notebooks" / "09-stages.md"
    given = {"all_stages": str(path), "suite": None, "resamples": 20}
    (executed,) = execute([page], given, tmp_path / "out", jobs=1)
    outputs = [o for c in nbformat.read(executed, 4).cells for o in c.get("outputs", [])]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    notes = [o["data"].get("text/markdown", "") for o in outputs if "data" in o]
    assert any(n.startswith("```{admonition} Note") and "1 cells are missing" in n for n in notes)


def test_an_announcement_is_text(tmp_path):
    path = written(tmp_path, table("abc", (f"base{TAG}", "sft"), ["x"]))
    announcement = own(path, tmp_path / "out").announcement
    assert "<script>" not in announcement
    assert "&lt;script&gt;" in announcement


@pytest.mark.parametrize(
    "name", [TAG, "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "`x` *y* $z$", "&lt;"]
)
def test_a_name_in_a_sentence_is_shown_as_it_is(name):
    rendered = markdown_it.MarkdownIt("commonmark").render(findings.plain(name))
    assert "<img" not in rendered
    assert "<script" not in rendered
    assert "<a " not in rendered
    assert "<em>" not in rendered
    shown = rendered.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
    assert shown.replace("&amp;", "&").strip() == f"<p>{name}</p>"


def test_simple_names_are_left_alone():
    assert findings.plain("next_howto-1.5B/x, y") == "next_howto-1.5B/x, y"


def test_stage_pairs_are_every_step_and_the_whole_way(tmp_path):
    stages = ("pretrain", "mid", "sft", "dpo")
    grid = transfer.read_measures(written(tmp_path, table("abc", stages, ["x"])))
    assert transfer.stage_pairs(grid) == [
        ("pretrain", "mid"),
        ("mid", "sft"),
        ("sft", "dpo"),
        ("pretrain", "dpo"),
    ]
    two = transfer.read_measures(written(tmp_path, table("abc", ("pretrain", "sft"), ["x"])))
    assert transfer.stage_pairs(two) == [("pretrain", "sft")]


TABLES = {
    "accuracies alone": table("abcde", ("base", "chat"), ["x", "y", "z"], False, False),
    "two mixtures, one benchmark": table("ab", ("pretrain", "sft"), ["x"]),
    "four stages, two scales": table(
        "abcd", ("pretrain", "mid", "sft", "dpo"), list("uvwxyz"), scales=("10M", "1B")
    ),
    "names that are markup": table(
        [f"m{number}{TAG}" for number in range(4)] + ["{ref}`q` $x$", "[l](javascript:alert(1))"],
        (f"base{TAG}", "chat"),
        ["</script><svg onload=alert(1)>", "**b**", "d|e"],
        scales=(TAG, "{{x}}"),
    ),
}


FIXED = ("02-confidence", "02-protocols", "10-real-case", "18-scoring")
"""Pages that do not read the table."""


def pages_of_a_table():
    """Return the pages of a table without a suite, as the report takes them."""
    folder = repository() / "notebooks"
    replaced = {path.name for path in (folder / "own").glob("*.md")}
    pages = [path for path in sorted(folder.glob("*.md")) if path.name not in replaced]
    return pages + sorted((folder / "own").glob("*.md"))


def test_every_page_takes_a_table_without_a_suite():
    for path in pages_of_a_table():
        parameters = read_parameters(read_text_notebook(path), path)
        if "suite" in parameters:
            assert parameters["suite"].check(None) is None, path.name


@pytest.mark.slow
@pytest.mark.parametrize("kind", TABLES)
def test_every_page_says_what_a_table_gives(kind, tmp_path):
    mine = own(written(tmp_path, TABLES[kind]), tmp_path / "out")
    pages = [path for path in pages_of_a_table() if path.stem not in FIXED]
    executed = execute(pages, mine.parameters | {"resamples": 50}, tmp_path / "out" / "notebooks")
    for path in executed:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                assert output.output_type != "error"
                assert TAG not in str(data.get("text/html", ""))
                assert TAG not in str(data.get("text/markdown", ""))
