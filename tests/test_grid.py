"""The grid: what Snakemake does, killed and resumed, here and through an executor."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from small_grid import BENCHMARK, finish, made_items, write_suite
from small_model import fill_workspace, small_suite

from transfer import grid, planning
from transfer.benchmarks import generate
from transfer.committing import collect
from transfer.errors import BadInput
from transfer.files import held, holding, sha256
from transfer.suite import load_suite, repository
from transfer.tables import read_items, write_items
from transfer.workspace import Workspace


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "home"))
    return write_suite(tmp_path / "small.yaml")


def test_a_suite_that_is_not_prepared_is_refused(study):
    with pytest.raises(BadInput, match="transfer suite prepare"):
        grid.run_grid(str(study), load_suite(study).runs(), jobs=1)


def test_an_unknown_step_is_refused(study):
    with pytest.raises(BadInput, match="train, score, control, trajectory"):
        grid.do_step(str(study), load_suite(study).runs()[0], "cook", threads=1)


def test_a_grid_is_run_by_one_process_at_a_time(study):
    space = Workspace("small")
    space.root.mkdir(parents=True)
    space.instructions.write_text("")
    lock, refused = space.root / "locks" / "grid.lock", "another process runs this grid"
    with holding(lock), pytest.raises(BadInput, match=refused):
        grid.run_grid(str(study), load_suite(study).runs(), jobs=1)
    assert not held(lock)


def test_a_failed_job_leaves_what_it_said(study):
    run = load_suite(study).runs()[0]
    note = Workspace("small").failure(run, "train")
    with pytest.raises(BadInput, match="no token"):
        grid.do_step(str(study), run, "train", threads=1)
    assert note.read_text().startswith("BadInput: ")


def test_snakemake_does_only_what_is_left(study, capfd):
    suite, space = load_suite(study), Workspace("small")
    for mixture in suite.mixtures:
        space.shards(mixture.name).mkdir(parents=True)
        (space.shards(mixture.name) / "manifest.json").write_text("{}")
    space.instructions.write_text("")
    finish(suite.runs()[0], space)
    assert grid.run_grid(str(study), suite.runs(), jobs=1, dry_run=True) == 0
    assert jobs_said(capfd) == {"pretrain": 1, "sft": 2, "score": 3, "control": 4}


def test_what_changed_since_a_run_was_finished_is_refused(study, tmp_path):
    suite, space = load_suite(study), Workspace("small")
    runs = suite.runs(mixtures=["V1P0"])
    for run in runs:
        finish(run, space)

    def call():
        return grid.run_grid(str(study), runs, jobs=1, dry_run=True)

    assert call() == 0
    content = yaml.safe_load(study.read_text())
    content["scales"][0]["learning_rate"] *= 2
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(content))
    with pytest.raises(BadInput, match="V1P0-S-s0-pretrain: trained with another scale"):
        grid.run_grid(str(other), runs, jobs=1, dry_run=True)
    items, metadata = read_items(space.items(runs[1]))
    changes = ({"checkpoint_sha256": "0" * 64}, "weights"), ({"items_sha256": {}}, "items of agree")
    made = generate(BENCHMARK, 1000)
    space.benchmarks.mkdir(parents=True)
    (space.benchmarks / f"{BENCHMARK}-test.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in made)
    )
    for change, said in changes:
        write_items(space.items(runs[1]), items, metadata | change)
        with pytest.raises(BadInput, match=f"V1P0-S-s0-sft.parquet: scored with other {said}"):
            call()
    write_items(space.items(runs[1]), items, metadata)
    assert call() == 0
    (space.shards("V1P0") / "tokens.npy").write_text("other text")
    with pytest.raises(BadInput, match="trained with another shard_sha256"):
        call()


def test_committed_runs_are_done_on_a_machine_that_never_made_them(
    study, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(grid, "repository", lambda: tmp_path)
    suite, space = load_suite(study), Workspace("small")
    whole, half = suite.runs(mixtures=["V1P0"]), suite.runs(mixtures=["V1P1"])
    for run in (*whole, half[0]):
        finish(run, space)
        write_items(space.control(run), made_items(run), read_items(space.items(run))[1])
    collect(str(study))
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "elsewhere"))
    # A pretraining run whose fine-tuning is not there is made again: its weights are lost.
    assert grid.committed_runs(suite) == {run.name for run in whole}
    space.root.mkdir(parents=True)
    space.instructions.write_text("")
    assert grid.run_grid(str(study), whole, jobs=1) == 0
    assert "2 of 2 runs are committed" in capfd.readouterr().err
    table = planning.status(suite, suite.runs())
    assert table["done"].tolist() == [1] * 6
    assert table["left"].tolist() == [1] * 6
    monkeypatch.setattr(grid, "repository", repository)
    for mixture in suite.mixtures:
        space.shards(mixture.name).mkdir(parents=True)
        (space.shards(mixture.name) / "manifest.json").write_text("{}")
    monkeypatch.setattr(grid, "data_folder", lambda name: tmp_path / "data" / name)
    grid.run_grid(str(study), suite.runs(), jobs=1, dry_run=True)
    assert jobs_said(capfd) == {"pretrain": 1, "sft": 1, "score": 2, "control": 2}
    grid.run_grid(str(study), suite.runs(), jobs=1, dry_run=True, again=True)
    assert jobs_said(capfd) == {"pretrain": 2, "sft": 2, "score": 4, "control": 4}


def jobs_said(capfd):
    """Return the jobs that a dry run lists, by rule."""
    said = capfd.readouterr()
    rules = {"pretrain", "sft", "score", "control", "trajectory"}
    lines = [line.split() for line in (said.out + said.err).splitlines()]
    return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[0] in rules}


@pytest.fixture
def trainable(tmp_path, monkeypatch):
    """A suite that trains in seconds, with its workspace filled."""
    home = tmp_path / "home"
    monkeypatch.setenv("TRANSFER_HOME", str(home))
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")
    benchmark = next(b for b in load_suite("mini").benchmarks if b.name == BENCHMARK)
    along = {"scales": ["S"], "seed": 0, "pretrain": [0.5], "sft": []}
    suite = small_suite(benchmarks=[benchmark.model_dump()], trajectory=along)
    scale = suite.scales[0].model_copy(update={"tokens": 400 * 8 * 16, "seeds": (0,)})
    suite = suite.model_copy(update={"scales": (scale,)})
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite.model_dump(mode="json")))
    space = Workspace("small")
    fill_workspace(space)
    shard = next(space.shards("V1P0").glob("*.npy"))
    np.save(shard, np.tile(np.load(shard), 40))
    (space.shards("V1P0") / "manifest.json").write_text("{}")
    space.benchmarks.mkdir(parents=True)
    rows = generate(BENCHMARK, 40)
    (space.benchmarks / f"{BENCHMARK}-test.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows)
    )
    return path


def command(path, *more):
    return [sys.executable, "-m", "transfer.cli", "suite", "run", str(path), "--jobs", "1", *more]


def wait_for(come):
    """Wait until something is there, a minute at most."""
    for _ in range(1200):
        if come():
            return
        time.sleep(0.05)
    pytest.fail("it did not come in a minute")


@pytest.mark.slow
def test_a_killed_grid_goes_on_and_ends_where_an_undisturbed_one_does(trainable, tmp_path):
    space = Workspace("small")
    run = load_suite(trainable).runs(stages=["pretrain"])[0]
    subprocess.run(command(trainable), check=True)
    expected = sha256(space.checkpoint(run) / "model.safetensors")
    items, _ = read_items(space.items(run))
    for name in ("runs", "items", "control", "trajectory", "snapshots", "snakemake"):
        shutil.rmtree(space.root / name)

    begun = subprocess.Popen(command(trainable), start_new_session=True)
    halfway = space.root / "runs" / f".{run.name}.training"
    wait_for(lambda: any(halfway.glob("checkpoint-*/trainer_state.json")))
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    assert not (space.checkpoint(run) / "model.safetensors").exists()

    subprocess.run(command(trainable), check=True)
    assert sha256(space.checkpoint(run) / "model.safetensors") == expected
    again, _ = read_items(space.items(run))
    pd.testing.assert_frame_equal(items, again)
    done = {path: path.stat().st_mtime_ns for path in space.root.glob("*/*.parquet")}
    subprocess.run(command(trainable), check=True)
    assert {path: path.stat().st_mtime_ns for path in space.root.glob("*/*.parquet")} == done


@pytest.mark.slow
def test_what_a_step_finishes_after_snakemake_was_killed_is_kept(trainable):
    space = Workspace("small")
    run = load_suite(trainable).runs(stages=["pretrain"])[0]
    begun = subprocess.Popen(command(trainable), start_new_session=True)
    halfway = space.root / "runs" / f".{run.name}.training"
    wait_for(lambda: any(halfway.glob("checkpoint-*/trainer_state.json")))
    (snakemake,) = Path(f"/proc/{begun.pid}/task/{begun.pid}/children").read_text().split()
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    refused = subprocess.run(command(trainable), check=False, capture_output=True, text=True)
    assert "another process runs this grid" in refused.stderr
    os.kill(int(snakemake), signal.SIGKILL)
    weights = space.checkpoint(run) / "model.safetensors"
    wait_for(weights.exists)
    made = weights.stat().st_mtime_ns
    subprocess.run(command(trainable), check=True)
    assert weights.stat().st_mtime_ns == made
    assert all(space.control(run).exists() for run in load_suite(trainable).runs())


KUBECTL = """\
import subprocess, sys, yaml
from pathlib import Path

if sys.argv[1] == "create":
    pod = yaml.safe_load(sys.stdin)
    phase = Path(__file__).parent / pod["metadata"]["name"]
    phase.write_text("Running")
    script = pod["spec"]["containers"][0]["command"][1]
    after = 'sh "$0" && echo Succeeded > "$1" || echo Failed > "$1"'
    subprocess.Popen(["sh", "-c", after, script, str(phase)], start_new_session=True,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
else:
    print((Path(__file__).parent / sys.argv[3]).read_text().strip())
"""
"""A stand-in that runs a pod's script on this machine, and knows its phase."""


@pytest.mark.slow
def test_a_grid_runs_through_an_executor_plugin(trainable, tmp_path, monkeypatch):
    """cluster-generic hands each job to the submit script of the how-to, as on a cluster."""
    page = (repository() / "book" / "howto" / "cluster.md").read_text(encoding="utf-8")
    submit, status, pod = re.findall(r"```text\n((?:#!|apiVersion).*?)```", page, re.DOTALL)
    pods = tmp_path / "pods"
    pods.mkdir()
    scripts = {"submit.sh": submit, "status.sh": status, "pod.yaml": pod}
    scripts["kubectl"] = f"#!{sys.executable}\n{KUBECTL}"
    for name, text in scripts.items():
        (pods / name).write_text(text.replace("/shared", str(pods)))
        (pods / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{pods}{os.pathsep}{os.environ['PATH']}")
    options = ["--executor", "cluster-generic"]
    for name in ("submit", "status"):
        options += [f"--option=--cluster-generic-{name}-cmd={pods / name}.sh"]
    options += ["--option=--seconds-between-status-checks", "--option=1"]
    subprocess.run(command(trainable, *options), check=True)
    suite, space = load_suite(trainable), Workspace("small")
    assert all(space.items(run).exists() for run in suite.runs())
    assert all(space.control(run).exists() for run in suite.runs())
    # Two trained, two scored, two controls, one on its way.
    assert [path.read_text().strip() for path in pods.glob("transfer-*")] == ["Succeeded"] * 7
    way = pd.read_parquet(space.trajectory(suite.runs()[0]))
    assert way["step"].nunique() == 2
    assert way["tokens"].max() == 400 * 8 * 16
    control, _ = read_items(space.control(suite.runs()[0]))
    assert control["item"].str.endswith("-swapped").all()
