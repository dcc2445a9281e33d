"""Checkpoints by name: folders, and the hub's cache without a network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from transfer.benchmarks.harness import write_generated
from transfer.errors import BadInput
from transfer.hub import checkpoint_folder
from transfer.suite import repository
from transfer.tables import lookup, read_items, read_measures_table

CHECKPOINT = repository() / "data" / "mini" / "checkpoints" / "V1P0-S-s0-pretrain"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path):
    """A model in the hub's cache, under a revision of a training step."""
    model = tmp_path / "hub" / "models--org--model"
    shutil.copytree(CHECKPOINT, model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs" / "step1000").write_text(COMMIT)
    return tmp_path / "hub"


def python(code, cache):
    env = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", f"from transfer.hub import checkpoint_folder as f\n{code}"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_a_folder_is_itself():
    assert checkpoint_folder(str(CHECKPOINT)) == CHECKPOINT


def test_a_revision_is_read_from_the_cache_without_a_network(cache):
    done = python("print(f('org/model@step1000'))", cache)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).name == COMMIT


def test_a_revision_that_is_not_there_is_refused_in_one_line(cache):
    done = python("print(f('org/model@step2000'))", cache)
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith("transfer.errors.BadInput: org/model@step2000: no such folder, and not")


@pytest.mark.parametrize("name", ["nosuch", "a/b/c", "org/model@", "org/mo del"])
def test_what_is_no_id_is_refused(name):
    with pytest.raises(BadInput, match="no such folder, and no hub id"):
        checkpoint_folder(name)


@pytest.mark.slow
def test_checkpoints_to_tables_in_one_command(cache, tmp_path):
    """The hub's name goes into the results; the numbers are the suite's own."""
    tasks = write_generated(tmp_path / "tasks", ["agreement", "transitive"], 30)
    mapping = tmp_path / "runs.csv"
    sft = CHECKPOINT.with_name("V1P0-S-s0-sft")
    mapping.write_text(
        "run,mixture,scale,seed,stage,chat\n"
        "org/model@step1000,V1P0,S,0,pretrain,false\n"
        f"{sft},V1P0,S,0,sft,true\n"
    )
    env = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "transfer.cli", "score", "--mapping", str(mapping)]
    command += ["--task", "agreement", "--task", "transitive", "--include", str(tasks)]
    command += ["--out", str(tmp_path / "mine")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    table = read_measures_table(tmp_path / "mine" / "measures.parquet")
    assert set(table["stage"]) == {"pretrain", "sft"}
    results = next((tmp_path / "mine" / "results" / "org__model@step1000").glob("results_*.json"))
    assert json.loads(results.read_text())["model_name"] == "org/model@step1000"
    for stage in ("pretrain", "sft"):
        ours, _ = read_items(repository() / f"data/mini/items/V1P0-S-s0-{stage}.parquet")
        theirs, _ = read_items(tmp_path / "mine" / "items" / f"V1P0-S-s0-{stage}.parquet")
        for benchmark, rows in theirs.groupby("benchmark"):
            # The suite puts questions into the chat template after SFT, as asked for here.
            if stage == "pretrain" or benchmark == "transitive":
                expected = lookup(ours[ours["benchmark"] == benchmark], rows["item"])
                gaps = np.concatenate(list(rows["loglikelihood"])) - np.concatenate(
                    list(expected["loglikelihood"])
                )
                assert np.abs(gaps).max() < 2e-4
    command.append("--force")
    again = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert again.stderr.count("there already") == 2
