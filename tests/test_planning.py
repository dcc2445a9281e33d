"""What a grid takes, and how far it is."""

import numpy as np
import pytest
from small_grid import finish, write_suite

from transfer import grid, planning
from transfer.files import held, holding
from transfer.suite import Run, load_suite
from transfer.workspace import Workspace


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(grid, "repository", lambda: tmp_path)
    return load_suite(write_suite(tmp_path / "small.yaml"))


def test_operations_are_those_of_the_matrices():
    """Counted by hand, matrix by matrix, for scale S of the mini suite."""
    scale = load_suite("mini").scale("S")
    d, f, layers, vocabulary, length = 96, 256, 3, 4096, 256
    per_token = layers * (4 * d * d + 3 * d * f) + vocabulary * d
    attention = layers * 2 * d * length / 2
    expected = 3 * 2 * (per_token + attention)
    found = planning.training_flops(scale, vocabulary, 1.0, length)
    # Ours counts the norms too, which are less than a thousandth.
    assert found == pytest.approx(expected, rel=2e-3)


def test_plan_counts_runs_and_takes_hours_from_what_was_measured(study):
    runs = study.runs()
    table = planning.plan(study, runs).set_index("stage")
    assert list(table["runs"]) == [2, 2]
    assert np.isnan(table["hours"]).all()
    finish(runs[0], Workspace("small"))
    table = planning.plan(study, runs).set_index("stage")
    assert table.loc["pretrain", "hours"] == pytest.approx(2 * 36 / 3600)
    assert np.isnan(table.loc["sft", "hours"])
    table = planning.plan(study, runs, tflops=2.0).set_index("stage")
    assert table.loc["sft", "hours"] == pytest.approx(
        2 * table.loc["sft", "pflop"] * 1e3 / 2 / 3600
    )


def test_a_scale_without_runs_takes_what_its_operations_take(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(grid, "repository", lambda: tmp_path)
    mini = load_suite("mini")
    scales = [mini.scale(name).model_dump(mode="json") | {"seeds": [0]} for name in ("S", "M")]
    study = load_suite(write_suite(tmp_path / "small.yaml", scales=scales))
    finish(study.runs(scales=["S"])[0], Workspace("small"))
    rows = planning.plan(study, study.runs()).set_index(["scale", "stage"])
    small, large = rows.loc[("S", "pretrain")], rows.loc[("M", "pretrain")]
    assert large["hours"] / small["hours"] == pytest.approx(large["pflop"] / small["pflop"])


def test_hours_on_a_gpu_are_not_those_of_a_core(study, tmp_path):
    committed = tmp_path / "data" / "small" / "runs.csv"
    committed.parent.mkdir(parents=True)
    rows = "scale,stage,seconds,device\nS,pretrain,36,cpu\nS,pretrain,1,NVIDIA H200\n"
    committed.write_text(rows + "S,sft,1,NVIDIA H200\n")
    assert planning.measured_seconds(study) == {("S", "pretrain"): 36.0}


def test_status_tells_done_running_failed_and_left_apart(study):
    space = Workspace("small")
    first, tuned, second, _ = study.runs()
    finish(first, space)
    note = space.failure(second, "train")
    note.parent.mkdir(parents=True)
    note.write_text("ValueError: no luck\n")
    with holding(space.lock(tuned, "train")):
        assert held(space.lock(tuned, "train"))
        table = planning.status(study, study.runs()).set_index(["stage", "step"])
    assert not held(space.lock(tuned, "train"))
    counts = table[list(planning.STATES)]
    assert counts.loc[("pretrain", "train")].tolist() == [1, 0, 1, 0]
    assert counts.loc[("sft", "train")].tolist() == [0, 1, 0, 1]
    assert counts.loc[("pretrain", "score")].tolist() == [1, 0, 0, 1]
    assert table.loc[("pretrain", "train"), "hours"] == pytest.approx(36 / 3600)
    assert np.isnan(table.loc[("sft", "train"), "hours"])
    assert table.loc[("sft", "score"), "hours"] == 0
    (failed,) = planning.failures(study, study.runs())
    assert failed[:3] == (second.name, "train", "ValueError: no luck")


def test_runs_on_the_way_have_one_job_more(tmp_path):
    along = {"scales": ["S"], "seed": 0, "pretrain": [0.5], "sft": []}
    study = load_suite(write_suite(tmp_path / "small.yaml", trajectory=along))
    steps = [(run.stage, step) for run, step, _ in planning.jobs(study, study.runs()[:2])]
    assert steps.count(("pretrain", "trajectory")) == 1
    assert ("sft", "trajectory") not in steps
    assert study.points(Run.parse("V1P0-S-s0-pretrain")) == (0.5,)
