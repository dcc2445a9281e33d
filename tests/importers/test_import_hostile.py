"""Broken and hostile files: refused with one line, or taken as the text that they are.

The fuzz runs take a result that the harness wrote, break it somewhere and import it. Whatever
comes: a table that reads back, or `BadInput` in one line; never another exception, and never a
file outside the folder that was asked for.
"""

import copy
import json
import os
import random
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made_results import COMMITTED

from transfer.errors import BadInput
from transfer.importers import MappingFile, documents, find, plan, read_mapping, write
from transfer.importers.documents import checked_name, read_json, read_records
from transfer.importers.naming import RunKey
from transfer.importers.table import read_table
from transfer.importers.writing import file_name
from transfer.tables import read_items, read_measures_table, refusal

MAPPING = MappingFile.model_validate(
    {
        "pattern": r"(?P<mixture>V\dP\d)-(?P<scale>[SML])-s(?P<seed>\d)-(?P<stage>pretrain|sft)",
        "benchmarks": {"transitive_free": {"metric": "exact_match,none"}},
    }
)
RUN = COMMITTED / "checkpoints__V1P0-S-s0-pretrain"


def one_line(error):
    text = str(error)
    assert "\n" not in text
    assert text.isprintable()
    return text


def imported(folder, out):
    """Import a folder; return the measures, or the line it was refused with."""
    try:
        made = plan(find([folder]), MAPPING)
        for line in (*made.unmatched, *made.notes):
            assert "\n" not in line
        if made.unmatched:
            return made.unmatched[0]
        write(made, out, "mine", force=True)
    except BadInput as error:
        return one_line(error)
    for path in out.glob("items/*.parquet"):
        read_items(path)
    return read_measures_table(out / "measures.parquet")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"results": {"a": {"acc', "is cut short"),
        (b"", "is cut short"),
        (b"{'a': 1}", "is not JSON"),
        ('{"a": "é"}'.encode("utf-16"), "is not UTF-8"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"[" * 200_000, "is nested too deeply|is cut short"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"\x80\x04\x95\x00cposix\nsystem\n", "is not UTF-8"),
    ],
)
def test_a_broken_document_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "results_1.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=says) as error:
        read_json(path)
    one_line(error.value)
    made = plan(find([tmp_path]), MAPPING)
    assert len(made.unmatched) == 1, "it is listed, not dropped"


def test_a_line_cut_short_is_named(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_bytes(b'{"doc_id": 0}\n{"doc_id": 1')
    with pytest.raises(BadInput, match="line 2: is cut short"):
        list(read_records(path))
    path.write_bytes(b'{"doc_id": 0}\n[1]\n')
    with pytest.raises(BadInput, match="entry 2 is not a JSON object"):
        list(read_records(path))


def test_a_file_larger_than_what_is_read_is_refused_at_once(tmp_path):
    for name, read in (("results_1.json", read_json), ("s.jsonl", lambda p: list(read_records(p)))):
        path = tmp_path / name
        with path.open("wb") as stream:
            stream.truncate(2_100_000_000)
        with pytest.raises(BadInput, match=r"2,100 MB is more than the .* MB that are read"):
            read(path)
    path = tmp_path / "table.csv"
    with path.open("wb") as stream:
        stream.truncate(2_100_000_000)
    with pytest.raises(BadInput, match="larger than 2000 MB"):
        read_table(path, MAPPING, None)


def test_a_line_longer_than_what_is_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LINE_MB", 0.001)
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({"a": "x" * 2000}))
    with pytest.raises(BadInput, match="line 1 is longer than"):
        list(read_records(path))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "results_1.json")
    made = plan(find([tmp_path]), MAPPING)
    assert "no such file" in made.unmatched[0]


def test_a_parquet_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"benchmark": ["x" * 50] * 50_000}).to_parquet(path)
    for name in ("LARGEST", "MOST_ROWS"):
        with monkeypatch.context() as patch:
            patch.setattr(refusal, name, 100)
            with pytest.raises(BadInput, match="larger than"):
                read_table(path, MAPPING, None)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadInput, match="not a whole Parquet file"):
        read_table(path, MAPPING, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 70.0, "0.5", True, None, {}])
def test_an_accuracy_that_is_no_share_is_not_taken(tmp_path, value):
    folder = tmp_path / RUN.name
    folder.mkdir()
    content = json.loads(next(RUN.glob("results_*.json")).read_text())
    content["results"] = {"agreement": {"acc,none": value}}
    (folder / "results_1.json").write_text(json.dumps(content))
    made = plan(find([tmp_path]), MAPPING)
    assert made.cells == []
    assert len(made.unmatched) == 1


@pytest.mark.parametrize("value", ["nan", "-inf", "inf", "5.0", "__import__('os')", None, []])
def test_a_log_likelihood_that_is_none_is_refused(tmp_path, value):
    folder = tmp_path / RUN.name
    shutil.copytree(RUN, folder)
    path = next(folder.glob("samples_agreement_2*"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[3]["filtered_resps"][0][0] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "entry 4" in imported(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out" / "measures.parquet").exists()


TRICKS = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "a/../../b",
    "c:\\windows",
    "x" * 190,
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "名前",
    "a b",
    "%2e%2e%2f",
    "~root",
    "$HOME",
]


@pytest.mark.parametrize("name", TRICKS)
def test_names_are_text_and_no_way_to_another_folder(tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    content = json.loads(next(RUN.glob("results_*.json")).read_text())
    content["results"] = {name: {"acc,none": 0.5, "sample_len": 8}}
    content["n-samples"] = {}
    (folder / "results_2026-01-01T00-00-00.json").write_text(json.dumps(content))
    row = {"run": "in", "mixture": name, "scale": name, "seed": 0, "stage": name}
    mapping = MappingFile.model_validate({"runs": [row]})
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    write(plan(find([folder]), mapping), tmp_path / "out", name)
    table = read_measures_table(tmp_path / "out" / "measures.parquet")
    assert table.loc[0, ["mixture", "scale", "stage", "benchmark", "suite"]].tolist() == [name] * 5
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert made == {tmp_path / "out" / "measures.parquet"}


names = st.text(min_size=1, max_size=60)


@given(names, names, names)
def test_the_file_of_a_run_is_one_part_of_a_path(mixture, scale, stage):
    name = file_name(RunKey(mixture, scale, 0, stage))
    assert Path(name).name == name
    assert "\0" not in name
    assert len(name.encode()) < 200
    assert not name.startswith(".")


parts = st.tuples(*[st.text("as-0", min_size=1, max_size=4)] * 3)


@given(parts, parts)
@example(("A-B", "C", "sft"), ("A", "B-C", "sft"))
@example(("A", "S", "s0-sft"), ("A-S-s0", "s", "sft"))
def test_two_runs_have_two_files(one, other):
    first, second = (RunKey(mixture, scale, 0, stage) for mixture, scale, stage in (one, other))
    assert (file_name(first) == file_name(second)) == (first == second)


@given(st.text(max_size=300))
def test_a_name_is_printable_or_refused(text):
    try:
        name = checked_name(text, "mixture", "here")
    except BadInput as error:
        one_line(error)
    else:
        name.encode("utf-8")
        assert name == text.strip()
        assert not any(ord(character) < 32 for character in name)


def test_samples_of_a_task_named_like_a_path_are_not_looked_for(tmp_path):
    folder = tmp_path / "V1P0-S-s0-sft"
    folder.mkdir()
    (tmp_path / "samples_x.jsonl").write_text('{"secret": 1}')
    content = {"results": {"/../../samples_x": {"acc,none": 0.5}}, "config": {}}
    (folder / "results_2026-01-01T00-00-00.json").write_text(json.dumps(content))
    assert find([folder]).evaluations[0].samples is None


def test_groups_that_hold_each_other_come_to_an_end(tmp_path):
    folder = tmp_path / "V1P0-S-s0-sft"
    folder.mkdir()
    content = {
        "results": {name: {"acc,none": 0.5} for name in "abc"},
        "group_subtasks": {"a": ["b", "c"], "b": ["a"], "c": []},
        "config": {},
    }
    (folder / "results_1.json").write_text(json.dumps(content))
    made = plan(find([folder]), MAPPING)
    assert isinstance(made.cells, list)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(json_values)
def test_any_mapping_file_is_read_or_refused(tmp_path, content):
    path = tmp_path / "map.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        read_mapping(path)
    except BadInput as error:
        one_line(error)


def test_a_mapping_file_that_says_a_thing_twice_is_refused(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text("set: {seed: 0}\npattern: a\nset: {seed: 1}\n")
    with pytest.raises(BadInput, match="key 'set' is given twice, again in line 3"):
        read_mapping(path)


def places(content, path=()):
    """Yield the path of every value within a JSON document."""
    entries = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


ODD = [
    None,
    True,
    0,
    -1,
    2**40,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    "\u202e",
    "\0",
]
ODD += ["../x", "<img src=x onerror=alert(1)>", [], {}, [[]], {"a": {}}, ["1", "2"], "1" * 400]


def broken(content, draw):
    """Return a document with one value replaced, removed, renamed or doubled."""
    content = copy.deepcopy(content)
    *way, last = draw.choice(list(places(content)))
    within = content
    for step in way:
        within = within[step]
    action = draw.choice(["replace", "replace", "remove", "rename", "double"])
    if action == "replace":
        within[last] = draw.choice(ODD)
    elif action == "remove":
        del within[last]
    elif isinstance(within, list):
        within.append(within[last])
    elif action == "rename":
        within[str(draw.choice(ODD))] = within.pop(last)
    else:
        within[last] = [within[last], within[last]]
    return content


def fuzz(rounds, seed, folder):
    """Import `rounds` broken results; return how many were refused and how many were taken."""
    draw = random.Random(seed)
    source = next(RUN.glob("results_*.json"))
    results = json.loads(source.read_text())
    task = {"agreement": "agreement_2", "transitive_told": "told"}
    samples = {
        name: (path := next(RUN.glob(f"samples_*{part}*")), path.read_text().splitlines())
        for name, part in task.items()
    }
    results["results"] = {name: results["results"][name] for name in (*task, "polarity_parts")}
    counts = {"refused": 0, "taken": 0}
    for number in range(rounds):
        inside = folder / "in" / RUN.name
        shutil.rmtree(folder / "in", ignore_errors=True)
        shutil.rmtree(folder / "out", ignore_errors=True)
        inside.mkdir(parents=True)
        kind = draw.choice(["results", "samples", "bytes"])
        document = broken(results, draw) if kind == "results" else results
        (inside / source.name).write_text(json.dumps(document))
        for path, lines in samples.values():
            kept = list(lines)
            if kind == "samples":
                at = draw.randrange(len(kept))
                kept[at] = json.dumps(broken(json.loads(kept[at]), draw))
            (inside / path.name).write_text("\n".join(kept) + "\n")
        if kind == "bytes":
            path = draw.choice(list(inside.iterdir()))
            data = bytearray(path.read_bytes())
            for _ in range(draw.randrange(1, 4)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            path.write_bytes(data[: draw.randrange(len(data))] if draw.random() < 0.3 else data)
        before = {path for path in folder.rglob("*") if path.is_file()}
        try:
            result = imported(folder / "in", folder / "out")
        except Exception as error:
            raise AssertionError(f"round {number} of seed {seed}, {kind}: {error!r}") from error
        counts["refused" if isinstance(result, str) else "taken"] += 1
        made = {path for path in folder.rglob("*") if path.is_file()} - before
        assert all((folder / "out") in path.parents for path in made)
        if isinstance(result, str):
            assert not made, "what is refused leaves nothing"
    return counts


def test_fuzz(tmp_path):
    counts = fuzz(150, 0, tmp_path)
    assert counts["refused"] > 20
    assert counts["taken"] > 20


@pytest.mark.slow
def test_long_fuzz(tmp_path):
    for seed in range(1, 11):
        counts = fuzz(500, seed, tmp_path)
        assert min(counts.values()) > 50
