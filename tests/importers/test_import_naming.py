"""Which result is of which run: mapping files, patterns, and what has no place."""

import pytest

from transfer.errors import BadInput
from transfer.importers import MappingFile, Naming, RunKey, read_mapping
from transfer.importers.evaluation import names_of


def naming(**content):
    return Naming(MappingFile.model_validate(content))


ROW = {"run": "org/a@step1", "mixture": "A", "scale": "1B", "seed": 0, "stage": "base"}


def test_a_row_is_found_by_folder_file_or_model(tmp_path):
    path = tmp_path / "runs" / "x" / "results_1.json"
    names, labels = names_of(path, tmp_path / "runs", "org/a@step1")
    assert {"x", "x/results_1.json", "runs/x", "runs/x/results_1.json", "org/a@step1"} == set(names)
    assert labels == ("runs/x", "results_1", "org/a@step1")
    found = naming(runs=[ROW])
    assert found.run(names) == RunKey("A", "1B", 0, "base")
    assert found.unused == []


def test_a_folder_that_a_tool_named_after_the_model_reads_as_the_model(tmp_path):
    path = tmp_path / "runs" / "org__a" / "results.json"
    assert names_of(path, tmp_path, "org/a@step1")[1] == (
        f"{tmp_path.name}/runs/org/a@step1",
        "org/a@step1",
    )


def test_a_row_that_nothing_matches_is_left_over():
    found = naming(runs=[ROW])
    assert found.run(["org/b"]) is None
    assert found.unused == ["org/a@step1"]


def test_two_rows_for_one_result_are_refused():
    other = ROW | {"run": "x", "mixture": "B"}
    with pytest.raises(BadInput, match="is of two runs by the mapping"):
        naming(runs=[ROW, other]).run(["x", "org/a@step1"])


def test_a_pattern_with_set_and_names():
    found = naming(
        pattern=r"(?P<mixture>\w+)-(?P<stage>base|chat)",
        set={"scale": "1B", "seed": 2},
        names={"stage": {"chat": "sft"}},
    )
    assert found.by_pattern(["x/mix-chat"]) == RunKey("mix", "1B", 2, "sft")
    assert found.by_pattern(["x/mix-other"]) is None


def test_a_pattern_that_finds_two_runs_is_refused():
    found = naming(pattern=r"(?P<mixture>\w+)-(?P<stage>base)", set={"scale": "1B", "seed": 0})
    with pytest.raises(BadInput, match=r"the pattern finds a-1B-s0-base and b-1B-s0-base"):
        found.by_pattern(["a-base", "b-base"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "nothing says which run"),
        ({"pattern": "("}, "mend the expression"),
        ({"pattern": "(a)"}, "name groups as"),
        ({"pattern": "(?P<mix>a)"}, "not mix"),
        ({"pattern": "(?P<mixture>a)"}, "names no scale"),
        ({"pattern": "(?P<mixture>a)", "set": {"size": "1"}}, "'size' is not one of"),
        ({"runs": [ROW, ROW]}, "is there twice"),
    ],
)
def test_a_naming_that_cannot_work_is_refused(content, says):
    with pytest.raises(BadInput, match=says):
        naming(**content)


@pytest.mark.parametrize("seed", ["x", "-1", "99999999999"])
def test_a_seed_is_a_whole_number(seed):
    found = naming(pattern=r"(?P<mixture>\w+)_(?P<seed>\S+)", set={"scale": "S", "stage": "sft"})
    with pytest.raises(BadInput, match="seed"):
        found.by_pattern([f"a_{seed}"])


def test_mapping_files_yaml_and_csv(tmp_path):
    yaml_file = tmp_path / "map.yaml"
    yaml_file.write_text("runs:\n  - {run: a, mixture: A, scale: 1B, seed: 0, stage: base}\n")
    csv_file = tmp_path / "map.csv"
    csv_file.write_text("run,mixture,scale,seed,stage\na,A,1B,0,base\n")
    assert read_mapping(yaml_file) == read_mapping(csv_file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("runs: [{run: a}]", r"runs, row 1, mixture: missing; add it"),
        ("runz: []", "runz: unknown key"),
        ("- a", "holds no keys"),
        ("a: &x [1]\nb: *x", "aliases are not allowed"),
        ("a: {", "not readable as YAML"),
        ("!!python/object/apply:os.system ['true']", "not readable as YAML"),
        ("benchmarks: {x: {chance: 3}}", "benchmarks.x.chance"),
        ('stages: ["a\\u0007b"]', "holds the character 0x0007"),
    ],
)
def test_a_bad_mapping_file_is_refused_by_key(tmp_path, text, says):
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=says) as error:
        read_mapping(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["nosuch.yaml", "nosuch.csv"])
def test_a_mapping_file_that_is_not_there_is_said_so(tmp_path, name):
    with pytest.raises(BadInput, match=rf"{name}: no such file; check the path"):
        read_mapping(tmp_path / name)
