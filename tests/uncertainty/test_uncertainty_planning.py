"""Power and coverage: known formulas, and the committed table made again in small."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import transfer
from transfer.uncertainty.planning import coverage, power, reliability_with, simulated

TABLE = Path(__file__).resolve().parents[2] / "data" / "simulations" / "coverage.csv"


@pytest.mark.parametrize("tail", [0.0, 0.2])
@pytest.mark.parametrize("reliability", [1.0, 0.5])
def test_simulated_scores_have_the_correlation_they_should(reliability, tail):
    grid = simulated(0.6, 20_000, 5, reliability, seed=1, tail=tail)
    r = transfer.cross_stage(grid, "score").to_numpy()
    np.testing.assert_allclose(
        r, 0.6 * (reliability if not tail else 1 / (1 + (1 / reliability - 1) * 0.6)), atol=0.05
    )


@pytest.mark.parametrize(("mixtures", "rho"), [(9, 0.5), (49, 0.5), (100, 0.2)])
def test_power_against_zero_is_that_of_fishers_formula(mixtures, rho):
    found = power([mixtures], rho=rho, sets=20_000)["power"].item()
    shift = np.arctanh(rho) * np.sqrt(mixtures - 3)
    expected = norm.sf(1.96 - shift) + norm.cdf(-1.96 - shift)
    assert found == pytest.approx(expected, abs=0.04)


def test_power_against_another_value_is_that_of_two_independent_studies():
    found = power([100], rho=0.6, against=0.3, sets=20_000)["power"].item()
    shift = (np.arctanh(0.6) - np.arctanh(0.3)) * np.sqrt(97 / 2)
    assert found == pytest.approx(norm.sf(1.96 - shift), abs=0.04)


def test_power_with_nothing_to_tell_is_the_level():
    assert power([25], rho=0.0, sets=20_000)["power"].item() == pytest.approx(0.05, abs=0.01)
    same = power([25], rho=0.5, against=0.5, sets=20_000)["power"].item()
    assert same == pytest.approx(0.05, abs=0.01)
    assert power([9], reliability=0.0, sets=5000)["power"].item() == pytest.approx(0.05, abs=0.02)


def test_noise_takes_power_away():
    clear, noisy = (power([25], reliability=share)["power"].item() for share in (1.0, 0.4))
    assert clear > noisy + 0.2


def test_more_seeds_and_items_raise_reliability():
    assert reliability_with(1.0, 0.5, 0.5) == pytest.approx(0.5)
    assert reliability_with(1.0, 0.5, 0.5, seeds_times=5) == pytest.approx(1 / 1.6)
    assert reliability_with(1.0, 0.5, 0.5, items_times=5) == pytest.approx(1 / 1.6)
    assert reliability_with(0.0, 0.5, 0.5) == 0


def test_the_committed_table_is_what_the_simulation_gives():
    table = pd.read_csv(TABLE)
    again = coverage(rhos=(0.5,), mixtures=(9,), sets=400, resamples=500)
    keys = ["scores", "mixtures", "rho", "kind"]
    both = again.merge(table, on=keys, suffixes=("", "_committed"))
    assert len(both) == len(again)
    error = np.hypot(both["error"], both["error_committed"])
    assert (np.abs(both["coverage"] - both["coverage_committed"]) < 4 * error + 0.01).all()
