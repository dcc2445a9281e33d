"""`transfer suite verify` names every difference that is put in."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_grid import finish, write_suite

from transfer import grid
from transfer.committing import collect
from transfer.errors import BadInput
from transfer.suite import load_suite
from transfer.tables import read_items, write_items
from transfer.verification import verify
from transfer.workspace import Workspace


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(grid, "repository", lambda: tmp_path)
    path = write_suite(tmp_path / "small.yaml")
    suite = load_suite(path)
    for run in suite.runs():
        finish(run, Workspace("small"))
    collect(str(path))
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "empty"))
    return suite


def differences(study):
    return [said for check in verify(study, scoring=False) for said in check.differences]


def test_what_was_committed_holds(study):
    checks = list(verify(study, scoring=False))
    assert [check.differences for check in checks] == [[]] * 7
    assert [check.number for check in checks] == [4, 4, 0, 4, 16, 1, 4]


def edit_runs(folder, run, column, value):
    path = folder / "runs.csv"
    table = pd.read_csv(path).astype(object)
    table.loc[table["run"] == run, column] = value
    table.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("checkpoint_sha256", "weights of V1P0-S-s0-sft have another hash"),
        ("parent_sha256", "V1P0-S-s0-sft was fine-tuned from other weights"),
        ("instructions_sha256", "the suite has runs with 2 different instructions_sha256"),
    ],
)
def test_a_changed_hash_is_named(study, tmp_path, column, said):
    edit_runs(tmp_path / "data" / "small", "V1P0-S-s0-sft", column, "f" * 64)
    assert any(said in one for one in differences(study))


def test_text_and_instructions_are_those_of_the_runs(study, tmp_path):
    folder = tmp_path / "data" / "small"
    runs = pd.read_csv(folder / "runs.csv", keep_default_na=False)
    made = {
        column: set(runs[column]) - {""}
        for column in ("shard_sha256", "tokenizer_sha256", "instructions_sha256")
    }
    (tokenizer,), (instructions,) = made["tokenizer_sha256"], made["instructions_sha256"]
    shards = runs[runs["stage"] == "pretrain"].set_index("mixture")["shard_sha256"]
    corpus = {
        "tokenizer": {"sha256": tokenizer},
        "mixtures": {mixture: {"sha256": one} for mixture, one in shards.items()},
    }
    (folder / "corpus.json").write_text(json.dumps(corpus))
    (folder / "instructions.json").write_text(json.dumps({"sha256": instructions}))
    assert differences(study) == []
    corpus["mixtures"]["V1P1"]["sha256"] = "0" * 64
    (folder / "corpus.json").write_text(json.dumps(corpus))
    (folder / "instructions.json").write_text(json.dumps({"sha256": "0" * 64}))
    assert differences(study) == [
        "corpus.json describes another shard_sha256 of V1P1 than runs.csv names",
        "instructions.json describes another instructions_sha256 than runs.csv names",
    ]


def test_a_changed_measure_is_named(study, tmp_path):
    path = tmp_path / "data" / "small" / "measures.parquet"
    table = pd.read_parquet(path)
    table.loc[3, "nll"] += 1e-6
    table.to_parquet(path)
    (said,) = differences(study)
    assert said.startswith("nll of V1P0, S, 0, pretrain, agreement, unconditional: ")


def test_a_changed_item_is_named(study, tmp_path):
    path = tmp_path / "data" / "small" / "items" / "V1P1-S-s0-sft.parquet"
    items, metadata = read_items(path)
    items.loc[0, "item"] = "0123456"
    write_items(path, items, metadata | {"items_sha256": {"agreement": "another"}})
    said = differences(study)
    assert "items of V1P1-S-s0-sft: agreement is not the committed benchmark" in said
    assert any("agreement has other ids" in one for one in said)


def test_a_wrong_answer_or_a_benchmark_that_is_gone_is_named(study, tmp_path):
    path = tmp_path / "data" / "small" / "items" / "V1P1-S-s0-sft.parquet"
    items, metadata = read_items(path)
    write_items(path, items.assign(gold=1 - items["gold"]), metadata)
    said = differences(study)
    assert "gold of the items of V1P1-S-s0-sft is not that of V1P0-S-s0-pretrain" in said
    write_items(path, items, metadata | {"items_sha256": {}})
    assert "items of V1P1-S-s0-sft have no agreement" in differences(study)


def test_a_shipped_checkpoint_that_is_gone_or_changed_is_named(study, tmp_path):
    folder = tmp_path / "data" / "small" / "checkpoints"
    half = folder / ".V1P0-S-s0-sft.1.part"
    half.mkdir()
    (half / "model.safetensors").write_text("")
    assert differences(study) == []
    path = folder / "V1P1-S-s0-sft" / "run.json"
    said = json.loads(path.read_text())
    said["plan"]["learning_rate"] = 1.0
    path.write_text(json.dumps(said))
    shutil.rmtree(folder / "V1P0-S-s0-pretrain")
    assert differences(study) == [
        "weights of V1P0-S-s0-pretrain are not shipped",
        "run.json of V1P1-S-s0-sft has another learning_rate than the suite file",
    ]


def test_a_curve_that_is_gone_or_left_over_is_named(study, tmp_path):
    path = tmp_path / "data" / "small" / "loss.csv"
    curves = pd.read_csv(path)
    curves.replace({"seed": {0: 7}}).iloc[2:].to_csv(path, index=False)
    said = differences(study)
    assert "loss.csv has no curve of V1P0-S-s0-pretrain" in said
    assert "loss.csv has run V1P1-S-s7-sft, which runs.csv has not" in said


def test_a_control_of_other_weights_is_named(study, tmp_path):
    folder = tmp_path / "data" / "small"
    measures = pd.read_parquet(folder / "measures.parquet")
    weights = pd.read_csv(folder / "runs.csv").set_index("run")["checkpoint_sha256"]
    runs = measures[["mixture", "scale", "seed", "stage"]].astype(str)
    named = runs["mixture"] + "-" + runs["scale"] + "-s" + runs["seed"] + "-" + runs["stage"]
    control = measures.assign(checkpoint_sha256=named.map(weights))
    control.to_parquet(folder / "control.parquet")
    assert differences(study) == []
    control.loc[named == "V1P0-S-s0-sft", "checkpoint_sha256"] = "f" * 64
    control.to_parquet(folder / "control.parquet")
    said = "control.parquet: V1P0-S-s0-sft is of another checkpoint than runs.csv names"
    assert differences(study) == [said]
    measures.to_parquet(folder / "control.parquet")
    assert len(differences(study)) == 4


def test_a_way_that_ends_elsewhere_is_named(study, tmp_path):
    folder = tmp_path / "data" / "small"
    measures = pd.read_parquet(folder / "measures.parquet")
    weights = pd.read_csv(folder / "runs.csv").set_index("run")["checkpoint_sha256"]
    way = measures[(measures["mixture"] == "V1P0") & (measures["stage"] == "sft")]
    way = way.assign(checkpoint_sha256=weights["V1P0-S-s0-sft"], step=2, tokens=100)
    early = way.assign(step=1, accuracy=0.0)
    pd.concat([way, early]).to_parquet(folder / "trajectory.parquet")
    assert differences(study) == []
    off = way["accuracy"] + np.where(way["normalization"] == "sum", 3, 2) / way["n_items"]
    pd.concat([way.assign(accuracy=off), early]).to_parquet(folder / "trajectory.parquet")
    (said,) = differences(study)
    assert said.startswith("trajectory.parquet: the end of V1P0-S-s0-sft on ")
    assert said.endswith("(sum) is not what measures.parquet says")


def test_items_that_are_gone_or_left_over_are_named(study, tmp_path):
    folder = tmp_path / "data" / "small" / "items"
    (folder / "V1P1-S-s0-sft.parquet").rename(folder / "V9P1-S-s0-sft.parquet")
    checks = verify(study, scoring=False)
    said = next(checks).differences
    assert said == [
        "run V1P1-S-s0-sft has no items",
        "items of V9P1-S-s0-sft have no row in runs.csv",
    ]


@pytest.mark.parametrize(
    ("nats", "off", "held"),
    [(-8, 9e-5, True), (-8, 1.3e-4, False), (-800, 1.3e-4, True), (-800, 2e-4, False)],
)
def test_a_score_is_made_again_to_float32s_own_step(study, tmp_path, monkeypatch, nats, off, held):
    def again(folders, built):
        for folder in folders:
            path = tmp_path / "data" / "small" / "items" / f"{folder.name}.parquet"
            items, said = read_items(path)
            level = [np.full(len(cell), nats, np.float32) for cell in items["loglikelihood"]]
            write_items(path, items.assign(loglikelihood=level), said)
            moved = [cell - np.float32(off) for cell in level]
            yield folder, items.assign(loglikelihood=moved)

    monkeypatch.setattr("transfer.scoring.score_each", again)
    *_, check = verify(study)
    assert check.number == 4
    assert (check.differences == []) is held


def test_without_data_it_says_what_to_do(study, tmp_path):
    (tmp_path / "data" / "small" / "runs.csv").unlink()
    with pytest.raises(BadInput, match="transfer suite commit"):
        next(verify(study))


def test_items_files_are_parquet_that_anyone_reads(study, tmp_path):
    table = pq.read_table(tmp_path / "data" / "small" / "items" / "V1P0-S-s0-sft.parquet")
    assert table.num_rows == 1000
