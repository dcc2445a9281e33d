"""Calibration against relplot, scikit-learn, exact identities, and models whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from transfer.calibration import MEASURES, calibration, debiased_error, decompose, smooth_error
from transfer.measures import ece


def answers(seed, count, power=1.0):
    """Return confidences, and answers that are right with probability confidence ** power."""
    rng = np.random.default_rng(seed)
    sure = rng.random(count)
    return sure, rng.random(count) < sure**power


def test_smooth_error_is_relplots():
    # relplot 1.0.3, smECE with the reflected Gaussian kernel, on these very numbers.
    rng = np.random.default_rng(0)
    for count, theirs in ((200, 0.10917610476806554), (2000, 0.10070398314188078)):
        sure = rng.random(count)
        right = rng.random(count) < sure**1.5
        assert smooth_error(sure, right) == pytest.approx(theirs, abs=5e-4)


def test_smooth_error_is_its_own_width():
    # The error at a width falls as the width grows, so there is one fixed point, and it is small
    # for a calibrated model and the whole gap for a model that is always sure.
    assert smooth_error(*answers(1, 20_000)) < 0.02
    always = np.full(1000, 0.9)
    assert smooth_error(always, np.arange(1000) < 400) == pytest.approx(0.5, abs=0.01)


def test_the_debiased_error_of_a_calibrated_model_is_near_zero_where_the_plain_one_is_not():
    plain, debiased = [], []
    for seed in range(200):
        sure, right = answers(seed, 300)
        plain.append(ece(sure, right))
        debiased.append(debiased_error(sure, right) ** 2)
    assert np.mean(plain) > 0.05
    # Chance adds about 0.17 / 20 to the square of a bin of 20; cut off at 0, a little is left.
    assert np.mean(debiased) < 0.2 * 0.17 / 20


@given(st.integers(1, 120), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_the_order_of_the_items_changes_no_error(count, levels, seed):
    rng = np.random.default_rng(seed)
    sure = rng.random(levels)[rng.integers(levels, size=count)]
    right = rng.random(count) < sure
    order = rng.permutation(count)
    for name, measure in MEASURES.items():
        again = measure(sure[order], right[order])
        # A root makes much of the last digits of a sum that is 0.
        assert again == pytest.approx(measure(sure, right), abs=1e-6, nan_ok=True), name


def test_the_debiased_error_of_equal_confidences_is_that_of_their_groups():
    sure = np.repeat([0.4, 0.6], 50)
    right = np.concatenate([np.arange(50) < 30, np.arange(50) < 40])
    chance = (0.6 * 0.4 + 0.8 * 0.2) / 2 / 49
    assert debiased_error(sure, right) == pytest.approx(np.sqrt(0.2**2 - chance))


def test_the_debiased_error_finds_a_true_gap():
    sure = np.random.default_rng(2).uniform(0.2, 0.7, size=200_000)
    right = np.random.default_rng(3).random(200_000) < sure + 0.2
    assert debiased_error(sure, right) == pytest.approx(0.2, abs=0.01)


@given(st.integers(1, 80), st.integers(0, 2**32 - 1), st.booleans())
def test_the_parts_make_up_the_score(count, seed, coarse):
    rng = np.random.default_rng(seed)
    sure = rng.random(count).round(1) if coarse else rng.random(count)
    right = rng.random(count) < 0.6
    parts = decompose(sure, right)
    assert parts.score == pytest.approx(np.mean((sure - right) ** 2))
    whole = parts.miscalibration - parts.discrimination + parts.uncertainty
    assert whole == pytest.approx(parts.score)
    assert parts.miscalibration >= -1e-12
    assert parts.discrimination >= -1e-12


def test_the_recalibration_is_scikit_learns():
    sure, right = answers(4, 500, power=2)
    fitted = IsotonicRegression().fit_transform(sure, right)
    best = np.mean((fitted - right) ** 2)
    parts = decompose(sure, right)
    assert parts.miscalibration == pytest.approx(parts.score - best)


def test_a_table_of_runs_measures_each_and_leaves_missing_ones_out():
    import xarray as xr

    from transfer.itemwise import DIMENSIONS

    rng = np.random.default_rng(5)
    shape = (1, 2, 1, 3, 100)
    sure = rng.random(shape)
    right = (rng.random(shape) < sure).astype(float)
    sure[0, 0, 0, 1] = right[0, 0, 0, 1] = np.nan
    part = xr.Dataset({"confidence": (DIMENSIONS, sure), "accuracy": (DIMENSIONS, right)})
    found = calibration({"b": part}).isel(benchmark=0)
    assert set(found.data_vars) == set(MEASURES)
    assert np.isnan(found["ece"].to_numpy()[0, 0, 0, 1])
    expected = ece(sure[0, 1, 0, 2], right[0, 1, 0, 2])
    assert found["ece"].to_numpy()[0, 1, 0, 2] == pytest.approx(expected)
    gap = sure[0, 1, 0, 2].mean() - right[0, 1, 0, 2].mean()
    assert found["overconfidence"].to_numpy()[0, 1, 0, 2] == pytest.approx(gap)
