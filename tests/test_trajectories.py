"""Points of training as stages of a grid: in order, and every protocol works on them."""

import warnings

import nbformat
import numpy as np
import pandas as pd
import pytest

import transfer
from transfer import comparisons
from transfer.errors import BadInput
from transfer.report.execute import execute
from transfer.suite import repository
from transfer.trajectories import ScaleLeftOut, ends, read_trajectory

POINTS = {"pretrain": (10, 40, 160), "sft": (20, 80)}


def table(seed=0):
    draws = np.random.default_rng(seed)
    rows = [
        {
            "mixture": f"V{web}P{part}",
            "scale": scale,
            "seed": 1,
            "stage": stage,
            "benchmark": benchmark,
            "category": "Science",
            "normalization": "sum",
            "chance": 0.5,
            "accuracy": draws.random(),
            "confidence": draws.random(),
            "step": step * (1 + (scale == "M")),
            "tokens": 100 * step,
            "checkpoint_sha256": "f" * 64,
        }
        for web in (1, 2, 3)
        for part in (0, 1, 2)
        for scale in ("S", "M")
        for stage, steps in POINTS.items()
        for step in steps
        for benchmark in ("polarity", "agreement")
    ]
    # The order of the rows must not matter.
    return pd.DataFrame(rows).sample(frac=1, random_state=seed)


@pytest.fixture
def path(tmp_path):
    table().to_parquet(tmp_path / "trajectory.parquet")
    return tmp_path / "trajectory.parquet"


def test_points_stand_in_order_where_stages_do(path):
    grid = read_trajectory(path, "mini")
    assert grid["stage"].to_numpy().tolist() == [
        *("pretrain 6 %", "pretrain 25 %", "pretrain 100 %"),
        *("sft 25 %", "sft 100 %"),
    ]
    assert grid["part"].to_numpy().tolist() == ["pretrain"] * 3 + ["sft"] * 2
    assert grid["share"].to_numpy().tolist() == [0.06, 0.25, 1.0, 0.25, 1.0]
    assert ends(grid).to_dict() == {"pretrain": "pretrain 100 %", "sft": "sft 100 %"}


def test_a_point_may_be_held_against_the_end(path):
    r = transfer.cross_stage(
        read_trajectory(path, "mini"), before="pretrain 25 %", after="sft 100 %"
    )
    rows = table()
    rows = rows[(rows["scale"] == "M") & (rows["benchmark"] == "polarity")]
    rows = rows.set_index("mixture").sort_index()
    early = rows[(rows["stage"] == "pretrain") & (rows["step"] == 80)]["accuracy"]
    final = rows[(rows["stage"] == "sft") & (rows["step"] == 160)]["accuracy"]
    expected = np.corrcoef(early, final)[0, 1]
    assert r.sel(scale="M", benchmark="polarity").item() == pytest.approx(expected)


def test_a_selection_keeps_the_points(path):
    grid = read_trajectory(path, "mini", scales=["M"], mixtures=["V2P0", "V1P0"])
    assert grid["scale"].to_numpy().tolist() == ["M"]
    assert grid["mixture"].to_numpy().tolist() == ["V2P0", "V1P0"]
    assert np.isfinite(grid["accuracy"].to_numpy()).all()


def test_what_a_trajectory_adds_to_measures_needs_no_warning(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_trajectory(path, "mini")


def test_what_is_no_trajectory_is_refused(path, tmp_path):
    table().drop(columns="step").to_parquet(tmp_path / "measures.parquet")
    with pytest.raises(BadInput, match="column step is missing"):
        read_trajectory(tmp_path / "measures.parquet", "mini")
    rows = table()
    other = (rows["mixture"] == "V1P0") & (rows["stage"] == "sft") & (rows["step"] == 20)
    rows.assign(step=rows["step"].where(~other, 30)).to_parquet(path)
    with pytest.raises(BadInput, match="S sft have other points"):
        read_trajectory(path, "mini")


def test_a_scale_that_is_not_whole_yet_is_left_out_with_a_word(path):
    rows = table()
    rows[(rows["scale"] == "S") | (rows["mixture"] < "V2")].to_parquet(path)
    with pytest.warns(ScaleLeftOut, match="scale M lacks runs"):
        grid = read_trajectory(path, "mini")
    assert grid["scale"].to_numpy().tolist() == ["S"]
    rows[(rows["scale"] == "S") | (rows["stage"] == "pretrain")].to_parquet(path)
    with pytest.warns(ScaleLeftOut, match="scale M lacks runs"):
        grid = read_trajectory(path, "mini")
    assert np.isfinite(grid["accuracy"].to_numpy()).all()


def test_foresight_says_from_where_on_the_interval_is_above_zero():
    rows = pd.DataFrame(
        {
            "metric": "accuracy",
            "scale": "S",
            "point": ["pretrain 6 %", "pretrain 50 %", "pretrain 100 %", "sft 50 %"],
            "value": [0.1, 0.3, 0.4, 0.9],
            "low": [-0.1, 0.1, 0.2, 0.8],
            "high": [0.3, 0.5, 0.6, 1.0],
        }
    )
    gain = pd.DataFrame(
        {"metric": ["accuracy"], "scale": ["S"], "value": [0.3], "low": [0.1], "high": [0.5]}
    )
    said = comparisons.foresight(rows, gain, "pretrain 100 %").replace("\\", "")
    assert "it rises: 0.30 [0.10, 0.50]" in said
    assert "above zero from pretrain 50 % on" in said
    never = comparisons.foresight(rows.assign(low=-1.0), gain, "pretrain 100 %")
    assert "holds zero at every point" in never
    gone = rows.assign(low=[0.1, -0.1, 0.2, 0.8])
    said = comparisons.foresight(gone, gain, "pretrain 100 %").replace("\\", "")
    assert "at pretrain 6 % and pretrain 100 %" in said


@pytest.mark.parametrize("there", [True, False])
def test_the_page_reads_a_trajectory_and_says_where_there_is_none(path, tmp_path, there):
    """Without one the text says how to make it; with one it names the last point of pretraining."""
    notebook = repository() / "notebooks" / "17-trajectory.md"
    parameters = {"trajectory": str(path) if there else "", "resamples": 20}
    (executed,) = execute([notebook], parameters, tmp_path / "out", jobs=1)
    outputs = [
        output["data"]
        for cell in nbformat.read(executed, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    said = " ".join(data.get("text/markdown", "") for data in outputs).replace("\\", "")
    drawn = sum("application/vnd.vegalite.v6+json" in data for data in outputs)
    assert drawn == 2
    assert ("at pretrain 100 %" in said) == there
    assert ("`transfer suite run` and `commit` then make" in said) == (not there)
