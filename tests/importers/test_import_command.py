"""`transfer import`: what it shows, what it writes, what it refuses."""

import shutil

import pandas as pd
import pytest
from made_results import COMMITTED
from typer.testing import CliRunner

from transfer.cli import app
from transfer.tables import read_measures, read_measures_table

PATTERN = r"(?P<mixture>V\dP\d)-(?P<scale>[SML])-s(?P<seed>\d)-(?P<stage>pretrain|sft)"


def called(*arguments):
    return CliRunner().invoke(app, ["import", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def mapping(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(
        f"pattern: '{PATTERN}'\nbenchmarks: {{transitive_free: {{metric: 'exact_match,none'}}}}\n"
    )
    return path


def test_a_dry_run_shows_everything_and_writes_nothing(tmp_path):
    result = called(COMMITTED, "--pattern", PATTERN, "--dry-run", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    for word in ("V1P0", "V2P2", "pretrain", "polarity_parts", "without a place (4)"):
        assert word in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_has_no_place_stops_the_import_unless_asked(tmp_path):
    out = tmp_path / "out"
    result = called(COMMITTED, "--pattern", PATTERN, "--out", out)
    assert result.exit_code == 2
    assert "4 results have no place" in result.stderr
    assert "transitive_free" in result.stderr
    assert not out.exists()
    result = called(COMMITTED, "--pattern", PATTERN, "--out", out, "--partial")
    assert result.exit_code == 0, result.output
    assert "without a place (4)" in result.stderr
    assert (out / "measures.parquet").exists()


def test_an_import_is_replaced_only_when_asked(tmp_path, mapping):
    out = tmp_path / "out"
    assert called(COMMITTED, "--mapping", mapping, "--out", out).exit_code == 0
    again = called(COMMITTED, "--mapping", mapping, "--out", out)
    assert again.exit_code == 2
    assert "--force" in again.stderr
    only = tmp_path / "V1P0-S-s0-pretrain"
    shutil.copytree(COMMITTED / "checkpoints__V1P0-S-s0-pretrain", only)
    result = called(only, "--mapping", mapping, "--out", out, "--force")
    assert result.exit_code == 0, result.output
    assert [path.name for path in (out / "items").iterdir()] == ["V1P0-S-s0-pretrain.parquet"]
    (out / "items" / "mine.txt").write_text("kept")
    result = called(only, "--mapping", mapping, "--out", out, "--force")
    assert result.exit_code == 2
    assert (out / "items" / "mine.txt").read_text() == "kept"


def test_categories_and_defaults_come_from_a_suite(tmp_path, mapping):
    result = called(COMMITTED, "--mapping", mapping, "--suite", "mini", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    table = read_measures_table(tmp_path / "out" / "measures.parquet")
    assert set(table.loc[table["benchmark"] == "agreement", "category"]) == {"Semantic"}
    assert set(table["suite"]) == {"mini"}


def test_imported_items_can_be_measured_again(tmp_path, mapping):
    out = tmp_path / "out"
    assert called(COMMITTED, "--mapping", mapping, "--out", out).exit_code == 0
    again = tmp_path / "again.parquet"
    result = CliRunner().invoke(app, ["measure", str(out / "items"), "--out", str(again)])
    assert result.exit_code == 0, result.output
    first, second = (read_measures_table(path) for path in (out / "measures.parquet", again))
    keys = ["mixture", "stage", "benchmark", "normalization"]
    joined = first.merge(second, on=keys, suffixes=("", "_again"))
    assert len(joined) == len(second)
    assert (joined["nll"] == joined["nll_again"]).all()
    assert (joined["category"] == joined["category_again"]).all()


def rows():
    return pd.DataFrame(
        {
            "checkpoint": [f"{m}-{stage}" for m in "abc" for stage in ("base", "chat")],
            "task": "sciq",
            "score": [0.5, 0.6, 0.55, 0.7, 0.4, 0.45],
        }
    )


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".tsv", ".parquet"])
def test_a_plain_table_with_its_own_names(tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    if suffix == ".parquet":
        rows().to_parquet(path)
    else:
        rows().to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "columns: {run: checkpoint, benchmark: task, accuracy: score}\n"
        "pattern: '^(?P<mixture>.)-(?P<stage>base|chat)$'\n"
        "set: {scale: 1B, seed: 0}\n"
        "stages: [base, chat]\n"
    )
    result = called(path, "--mapping", mapping, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    grid = read_measures(tmp_path / "out" / "measures.parquet")
    assert grid["stage"].to_numpy().tolist() == ["base", "chat"]
    assert grid["category"].item() == "Science"
    assert grid["accuracy"].sel(stage="chat", mixture="b").item() == 0.7


def test_rows_of_a_table_without_a_run_are_listed(tmp_path):
    path = tmp_path / "mine.csv"
    rows().rename(columns={"checkpoint": "run", "task": "benchmark", "score": "accuracy"}).to_csv(
        path, index=False
    )
    pattern = "(?P<mixture>[ab])-(?P<stage>base|chat)"
    arguments = ["--pattern", pattern, "--set", "scale=S", "--set", "seed=0"]
    result = called(path, *arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "run 'c-base'" in result.stderr
    result = called(path, *arguments, "--out", tmp_path / "out", "--partial")
    assert result.exit_code == 0, result.output
    assert len(read_measures_table(tmp_path / "out" / "measures.parquet")) == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([COMMITTED, "--pattern", PATTERN], "give --out FOLDER"),
        ([COMMITTED, "--dry-run"], "nothing says which run"),
        (["none", "--pattern", PATTERN, "--dry-run"], "no such file or folder"),
        ([COMMITTED, "--set", "seed", "--dry-run"], "--set seed=0"),
        ([COMMITTED.parents[2] / "book", "--pattern", PATTERN, "--dry-run"], "no results of"),
    ],
)
def test_a_users_mistake_is_one_line(arguments, says):
    result = called(*arguments)
    assert result.exit_code == 2, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_a_misspelt_column_is_named_and_a_packed_table_refused(tmp_path):
    table = rows().rename(columns={"task": "benchmark", "score": "Accuracy"})
    table.assign(mixture="a", scale="S", seed=0, stage="sft").to_csv(tmp_path / "mine.csv")
    result = called(tmp_path / "mine.csv", "--pattern", PATTERN, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "column Accuracy is not known; did you mean accuracy?" in result.stderr
    (tmp_path / "mine.csv.gz").touch()
    result = called(tmp_path / "mine.csv.gz", "--pattern", PATTERN, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "or give a table (.csv, .tsv, .parquet)" in result.stderr


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path, mapping):
    (tmp_path / "t12").touch()
    result = called(COMMITTED, "--mapping", mapping, "--out", tmp_path / "t12")
    assert result.exit_code == 2
    assert "t12: cannot be made a folder" in result.stderr
