"""Reliability bins against a naive count and scikit-learn's calibration curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from transfer.reliability import reliability_bins


def test_bins_equal_scikit_learns_quantile_bins():
    random = np.random.default_rng(0)
    confidences = random.random(1000)
    right = random.random(1000) < confidences
    ours = reliability_bins(confidences, right, bins=10)
    theirs = calibration_curve(right, confidences, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(ours["accuracy"], theirs[0], atol=0.011)
    np.testing.assert_allclose(ours["confidence"], theirs[1], atol=0.002)


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_no_item_is_lost(count, bins, seed):
    random = np.random.default_rng(seed)
    confidences, right = random.random(count), random.random(count) < 0.5
    table = reliability_bins(confidences, right, bins)
    assert table["n"].sum() == count
    assert (table["n"] > 0).all()
    weighted = (table["accuracy"] * table["n"]).sum() / count
    assert weighted == pytest.approx(right.mean())
    assert table["confidence"].is_monotonic_increasing
    assert (table["low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"]).all()
