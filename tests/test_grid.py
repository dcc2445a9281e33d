"""The grid: what Snakemake would do, and what is copied into `data`."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from transfer import grid
from transfer.errors import BadInput
from transfer.suite import Run, load_suite
from transfer.tables import read_measures_table, write_items
from transfer.workspace import Workspace


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Two mixtures at one scale, one benchmark, and a workspace of its own."""
    whole = load_suite("mini").model_dump(mode="json")
    whole["name"] = "small"
    whole["mixtures"] = whole["mixtures"][:2]
    whole["scales"] = [whole["scales"][0] | {"seeds": [0]}]
    whole["benchmarks"] = [b for b in whole["benchmarks"] if b["name"] == "agreement"]
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(whole))
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(grid, "repository", lambda: tmp_path)
    return path


def finish(run: Run, space: Workspace) -> None:
    """Write what a trained and scored run leaves."""
    folder = space.checkpoint(run)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(run.name.encode())
    plan = {"shard_sha256": "aa", "tokenizer_sha256": "bb"}
    record = {
        "tokens": 100,
        "seconds": 2.0,
        "threads": 1,
        "device": "cpu",
        "checkpoint_sha256": "cc",
        "suite_sha256": "dd",
        "plan": plan,
        "versions": {"torch": "1"},
        "created": "2026-01-01T00:00:00+00:00",
    }
    (folder / "run.json").write_text(json.dumps(record))
    loss = pd.DataFrame({"step": [1, 2], "tokens": [50, 100], "loss": [8.0, 7.0]})
    loss.to_csv(folder / "loss.csv", index=False)
    random = np.random.default_rng(0)
    items = pd.DataFrame(
        {
            "benchmark": "agreement",
            "item": [str(number) for number in range(8)],
            "gold": np.zeros(8, dtype=np.int32),
            "loglikelihood": list(-random.random((8, 2)).astype(np.float32)),
            "n_tokens": [np.array([1, 1], dtype=np.int32)] * 8,
            "n_bytes": [np.array([3, 3], dtype=np.int32)] * 8,
            "unconditional": list(-random.random((8, 2)).astype(np.float32)),
        }
    )
    metadata = {
        "suite": "small",
        "suite_sha256": "dd",
        **run.model_dump(),
        "step": None,
        "checkpoint_sha256": "cc",
        "task_versions": {},
        "package_versions": {},
        "dtype": "float32",
        "device": "cpu",
        "created": "2026-01-01T00:00:00+00:00",
    }
    write_items(space.items(run), items, metadata)


def test_collect_copies_what_is_finished_and_measures_it(study, tmp_path):
    suite = load_suite(study)
    space = Workspace("small")
    for run in suite.runs(mixtures=["V1P0"]):
        finish(run, space)
    grid.collect(str(study))
    folder = tmp_path / "data" / "small"
    runs = pd.read_csv(folder / "runs.csv")
    assert list(runs["run"]) == ["V1P0-S-s0-pretrain", "V1P0-S-s0-sft"]
    assert set(runs["checkpoint_sha256"]) == {"cc"}
    assert len(pd.read_csv(folder / "loss.csv")) == 4
    assert (folder / "checkpoints" / "V1P0-S-s0-sft" / "model.safetensors").is_file()
    table = read_measures_table(folder / "measures.parquet")
    assert set(table["stage"]) == {"pretrain", "sft"}
    assert set(table["n_items"]) == {8}


def test_collect_with_nothing_scored_says_what_to_run(study):
    with pytest.raises(BadInput, match="transfer suite run"):
        grid.collect(str(study))


def test_a_suite_that_is_not_prepared_is_refused(study):
    with pytest.raises(BadInput, match="transfer suite prepare"):
        grid.run_grid(str(study), load_suite(study).runs(), jobs=1)


def test_an_unknown_step_is_refused(study):
    with pytest.raises(BadInput, match="train or score"):
        grid.do_step(str(study), load_suite(study).runs()[0], "cook", threads=1)


def test_snakemake_does_only_what_is_left(study, monkeypatch, capfd):
    monkeypatch.undo()
    monkeypatch.setenv("TRANSFER_HOME", str(study.parent / "home"))
    suite, space = load_suite(study), Workspace("small")
    for mixture in suite.mixtures:
        space.shards(mixture.name).mkdir(parents=True)
        (space.shards(mixture.name) / "manifest.json").write_text("{}")
    space.instructions.write_text("")
    finish(suite.runs()[0], space)
    assert grid.run_grid(str(study), suite.runs(), jobs=1, dry_run=True) == 0
    said = capfd.readouterr()
    counts = dict(
        line.split()[:2]
        for line in (said.out + said.err).splitlines()
        if line.split() and line.split()[0] in {"pretrain", "sft", "score"}
    )
    assert counts == {"pretrain": "1", "sft": "2", "score": "3"}
