"""Reliability bins against a naive count and scikit-learn's calibration curve."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from transfer.reliability import reliability, reliability_bins


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


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_the_order_of_the_answers_changes_nothing(count, bins, levels, seed):
    random = np.random.default_rng(seed)
    confidences = random.random(levels)[random.integers(levels, size=count)]
    right, item = random.random(count) < 0.5, random.integers(20, size=count)
    order = random.permutation(count)
    pd.testing.assert_frame_equal(
        reliability_bins(confidences[order], right[order], bins, item[order]),
        reliability_bins(confidences, right, bins, item),
    )


def test_answers_of_many_models_to_the_same_items_are_not_more_items():
    random = np.random.default_rng(1)
    shape = (1, 1, 2, 3, 50)
    dims = ("scale", "stage", "seed", "mixture", "item")
    coords = {"scale": ["S"], "stage": ["sft"]}
    part = xr.Dataset(
        {
            "confidence": (dims, random.random(shape)),
            "accuracy": (dims, (random.random(shape) < 0.5).astype(float)),
        },
        coords=coords,
    )
    lacking = part.where(part["seed"] == 0)
    table = reliability({"one": part, "two": lacking}, "S", bins=1)
    assert table["n"].tolist() == [50 * 6 + 50 * 3]
    assert table["items"].tolist() == [100]
    right = np.concatenate(
        [part["accuracy"].to_numpy().ravel(), lacking["accuracy"].to_numpy().ravel()]
    )
    mean = np.nanmean(right)
    assert table["accuracy"].item() == pytest.approx(mean)
    assert table["high"].item() == pytest.approx(mean + np.sqrt(mean * (1 - mean) / 100))
