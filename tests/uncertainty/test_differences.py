"""Paired differences: the same draws on both sides, and an exchange test that holds its level."""

import numpy as np
import pytest
import xarray as xr
from grids import DIMS, make_grid

import transfer
from transfer.errors import BadInput
from transfer.protocols import mean_cross_stage
from transfer.uncertainty import bootstrap, difference, sides


def mean_r(grid, metric):
    return transfer.cross_stage(grid, metric).mean("benchmark")


def test_value_and_interval_are_those_of_the_difference():
    grid = make_grid(0)
    found = difference(mean_r, sides(grid, "confidence", "accuracy"), resamples=200)

    def gap(grid):
        return mean_r(grid, "confidence") - mean_r(grid, "accuracy")

    expected = bootstrap(gap, grid, resamples=200)
    for name in ("value", "low", "high"):
        np.testing.assert_allclose(found[name], expected[name])


def test_scales_can_be_compared():
    grid = make_grid(1)
    measure = grid[["accuracy"]].rename(accuracy="measure")
    found = difference(mean_r, sides(measure, "L", "S", "scale"), resamples=100)
    r = mean_r(grid, "accuracy")
    assert float(found["value"]) == pytest.approx(float(r.sel(scale="L") - r.sel(scale="S")))
    assert found["low"] < found["value"] < found["high"]


def test_the_same_on_both_sides_is_no_difference():
    grid = make_grid(2)
    grid["confidence"] = grid["accuracy"]
    found = difference(mean_r, sides(grid, "confidence", "accuracy"), resamples=50)
    np.testing.assert_allclose(found["value"], 0)
    np.testing.assert_allclose(found["p"], 1)


def test_turning_the_sides_round_turns_the_sign_and_keeps_p():
    grid = make_grid(3)
    one = difference(mean_r, sides(grid, "confidence", "accuracy"), resamples=50)
    other = difference(mean_r, sides(grid, "accuracy", "confidence"), resamples=50)
    np.testing.assert_allclose(one["value"], -other["value"])
    np.testing.assert_allclose(one["low"], -other["high"])
    np.testing.assert_allclose(one["p"], other["p"])


def simulated(rho_a, rho_c, rng, sets, mixtures=9):
    values = {}
    for name, rho in (("accuracy", rho_a), ("confidence", rho_c)):
        before = rng.normal(size=(1, 1, 1, mixtures, sets))
        after = rho * before + np.sqrt(1 - rho**2) * rng.normal(size=before.shape)
        values[name] = (DIMS, np.concatenate([before, after], axis=1))
    return xr.Dataset(values, coords={"stage": ["pretrain", "sft"], "scale": ["S"]})


def test_the_exchange_test_holds_its_level_and_sees_a_difference():
    rng = np.random.default_rng(4)
    same = sides(simulated(0.5, 0.5, rng, 400), "confidence", "accuracy")
    p = difference(transfer.cross_stage, same, resamples=20)["p"].to_numpy()
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
    other = sides(simulated(-0.6, 0.9, rng, 400), "confidence", "accuracy")
    p = difference(transfer.cross_stage, other, resamples=20)["p"].to_numpy()
    assert (p <= 0.05).mean() > 0.6


def test_a_metric_that_is_not_there_is_said():
    with pytest.raises(BadInput, match="metric 'certainty' is not in the table"):
        sides(make_grid(0), "certainty", "accuracy")


def test_what_one_side_lacks_is_left_out_of_the_other():
    grid = make_grid(4)
    lacking = grid.assign(confidence=grid["confidence"].where(grid["benchmark"] != "b3"))
    pair = sides(lacking, "confidence", "accuracy")
    assert pair["measure"].sel(benchmark="b3").isnull().all()
    found = difference(mean_cross_stage, pair, resamples=20)
    rest = grid.drop_sel(benchmark="b3")
    expected = mean_cross_stage(rest, "confidence") - mean_cross_stage(rest, "accuracy")
    np.testing.assert_allclose(found["value"], expected)
