"""What is copied from a workspace into `data`, and that nothing committed is lost."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from small_grid import BENCHMARK, finish, made_items, write_suite

from transfer import grid
from transfer.committing import RUN_KEYS, collect
from transfer.errors import BadInput
from transfer.measures import measure
from transfer.plans import record
from transfer.suite import load_suite
from transfer.tables import (
    compact,
    lookup,
    read_items,
    read_measures_table,
    write_items,
)
from transfer.tables.items import GRAIN
from transfer.tables.measures import TRAJECTORY
from transfer.workspace import Workspace


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(grid, "repository", lambda: tmp_path)
    return write_suite(tmp_path / "small.yaml")


def test_collect_copies_what_is_finished_and_measures_it(study, tmp_path):
    suite, space = load_suite(study), Workspace("small")
    runs = suite.runs(mixtures=["V1P0"])
    for run in suite.runs():
        finish(run, space)
    assert "4 in " in collect(str(study))
    folder = tmp_path / "data" / "small"
    table = pd.read_csv(folder / "runs.csv")
    assert list(table["run"]) == [run.name for run in suite.runs()]
    assert set(table["processor"]) == {"a processor"}
    assert table["compiled"].all()
    assert len(pd.read_csv(folder / "loss.csv")) == 8
    assert (folder / "checkpoints" / "V1P0-S-s0-sft" / "model.safetensors").is_file()
    measures = read_measures_table(folder / "measures.parquet")
    assert set(measures["mixture"]) == {"V1P0", "V1P1"}
    assert set(measures["stage"]) == {"pretrain", "sft"}
    measures = measures[measures["mixture"] == "V1P0"]
    for run in runs:
        published, _ = read_items(folder / "items" / f"{run.name}.parquet")
        made = made_items(run)
        gap = np.abs(np.stack(published["loglikelihood"]) - np.stack(made["loglikelihood"]))
        assert 0 < gap.max() <= GRAIN / 2 + 1e-6
        assert [
            one.startswith(short)
            for one, short in zip(made["item"], published["item"], strict=True)
        ] == [True] * 1000
        assert published["item"].nunique() == 1000
        size = (folder / "items" / f"{run.name}.parquet").stat().st_size
        assert size < space.items(run).stat().st_size
        again = measure(published).set_index("normalization")["accuracy"]
        rows = measures[measures["stage"] == run.stage].set_index("normalization")
        assert (rows["accuracy"] == again).all()


def test_a_seed_is_measured_once_all_its_mixtures_are_there(study, tmp_path):
    suite, space = load_suite(study), Workspace("small")
    first, second = suite.runs(mixtures=["V1P0"]), suite.runs(mixtures=["V1P1"])
    for run in first:
        finish(run, space)
    assert "2 wait until their seed is whole" in collect(str(study))
    folder = tmp_path / "data" / "small"
    assert not (folder / "measures.parquet").exists()
    assert len(list((folder / "items").iterdir())) == 2
    for run in second:
        finish(run, space)
    assert "wait" not in collect(str(study))
    assert set(read_measures_table(folder / "measures.parquet")["mixture"]) == {"V1P0", "V1P1"}


def write_way(run, space, weights):
    """Write a trajectory of one point."""
    rows = measure(made_items(run)).assign(
        suite="small", category="Semantic", step=2, tokens=100, checkpoint_sha256=weights
    )
    rows = rows.assign(**run.model_dump())
    space.trajectory(run).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.Table.from_pandas(rows, schema=TRAJECTORY, preserve_index=False), space.trajectory(run)
    )


def test_a_second_workspace_adds_its_runs_and_loses_none(study, tmp_path, monkeypatch):
    suite = load_suite(study)
    for number, mixture in enumerate(("V1P1", "V1P0")):
        monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / f"home{number}"))
        space = Workspace("small")
        for run in suite.runs(mixtures=[mixture]):
            finish(run, space)
            write_items(space.control(run), made_items(run), read_items(space.items(run))[1])
            write_way(run, space, record(space.checkpoint(run))["checkpoint_sha256"])
        collect(str(study))
    folder = tmp_path / "data" / "small"
    # In the suite's order, whatever came first.
    assert list(pd.read_csv(folder / "runs.csv")["mixture"]) == ["V1P0"] * 2 + ["V1P1"] * 2
    weights = pd.read_csv(folder / "runs.csv").set_index(RUN_KEYS)["checkpoint_sha256"]
    for name in ("measures", "control", "trajectory"):
        table = pd.read_parquet(folder / f"{name}.parquet")
        assert len(table) == 4 * 4, name
        assert set(table["benchmark"]) == {BENCHMARK}
        if name != "measures":
            said = table.set_index(RUN_KEYS)["checkpoint_sha256"]
            assert (said == weights.loc[said.index]).all()
    before = (folder / "control.parquet").read_bytes()
    collect(str(study))
    assert len(pd.read_parquet(folder / "trajectory.parquet")) == 16
    assert len(pd.read_parquet(folder / "control.parquet")) == 16
    assert (folder / "control.parquet").read_bytes()[:4] == before[:4]


def test_a_committed_run_is_replaced_only_when_asked(study, tmp_path, monkeypatch):
    run = load_suite(study).runs()[0]
    space = Workspace("small")
    finish(run, space)
    items, metadata = read_items(space.items(run))
    write_items(space.control(run), made_items(run), metadata)
    collect(str(study))
    write_items(space.items(run), items, metadata | {"dtype": "bfloat16"})
    collect(str(study))
    write_items(space.items(run), items, metadata | {"dtype": "float16"})
    with pytest.raises(BadInput, match=r"is committed from another dtype; .*--replace"):
        collect(str(study))
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "elsewhere"))
    finish(run, Workspace("small"), weights="others")
    before = (tmp_path / "data" / "small" / "runs.csv").read_text()
    with pytest.raises(BadInput, match=rf"run {run.name} is committed from another.*--replace"):
        collect(str(study))
    assert (tmp_path / "data" / "small" / "runs.csv").read_text() == before
    collect(str(study), replace=True)
    assert (tmp_path / "data" / "small" / "runs.csv").read_text() != before
    kept = tmp_path / "data" / "small" / "checkpoints" / run.name / "model.safetensors"
    assert kept.read_text() == "others"
    # Its control was of the weights that are gone.
    assert pd.read_parquet(tmp_path / "data" / "small" / "control.parquet").empty


def test_what_is_not_of_one_another_is_not_committed(study, tmp_path):
    run, space = load_suite(study).runs()[0], Workspace("small")
    finish(run, space)
    items, metadata = read_items(space.items(run))
    write_items(space.control(run), items, metadata | {"checkpoint_sha256": "0" * 64})
    with pytest.raises(BadInput, match=r"control/.*scored with other weights"):
        collect(str(study))
    space.control(run).unlink()
    write_way(run, space, "0" * 64)
    with pytest.raises(BadInput, match=r"trajectory/.*of other weights than .*; remove it"):
        collect(str(study))
    space.trajectory(run).unlink()
    changed = yaml.safe_load(study.read_text())
    changed["pretrain"]["weight_decay"] = 0.3
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(changed))
    with pytest.raises(BadInput, match="trained with another recipe than the suite file's"):
        collect(str(other))
    (space.checkpoint(run) / "run.json").unlink()
    with pytest.raises(BadInput, match=r"no readable run\.json"):
        collect(str(study))


def test_collect_with_nothing_scored_says_what_to_run(study):
    with pytest.raises(BadInput, match="transfer suite run"):
        collect(str(study))


def test_cut_ids_are_found_by_whole_ones():
    whole = [f"{number:016x}" for number in (0x123456 << 40, 0x123457 << 40, 0xABCDEF << 40)]
    rows = pd.DataFrame(
        {
            "benchmark": "one",
            "item": whole,
            "gold": [0, 1, 0],
            "loglikelihood": [[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]],
        }
    )
    cut = compact(rows)
    assert cut["item"].str.len().max() < len(whole[0])
    backwards = lookup(cut, reversed(whole))
    assert backwards["item"].tolist() == whole[::-1]
    assert backwards["gold"].tolist() == [0, 1, 0]
    assert backwards["loglikelihood"].map(list).tolist() == [[-5, -6], [-3, -4], [-1, -2]]
    with pytest.raises(BadInput, match="item ffff is not in the table"):
        lookup(cut, ["ffff"])
