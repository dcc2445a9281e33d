"""Flips and shifts against scikit-learn, and against chance itself."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from transfer.itemwise import DIMENSIONS
from transfer.shift import shift


def items(right, sure):
    """Return one benchmark's items from arrays over stage, item."""
    cells = {"accuracy": right, "confidence": sure}
    variables = {
        n: (DIMENSIONS, np.asarray(v, float)[None, :, None, None]) for n, v in cells.items()
    }
    return {"b": xr.Dataset(variables, coords={"stage": ["pretrain", "sft"]})}


def test_flips_and_kappa_are_scikit_learns():
    rng = np.random.default_rng(0)
    right = rng.random((2, 200)) < [[0.4], [0.6]]
    sure = rng.random((2, 200))
    found = shift(items(right, sure)).squeeze()
    table = confusion_matrix(*right) / 200
    assert float(found["wrong_to_right"]) == pytest.approx(table[0, 1])
    assert float(found["right_to_wrong"]) == pytest.approx(table[1, 0])
    assert float(found["kappa"]) == pytest.approx(cohen_kappa_score(*right))
    assert float(found["confidence_r"]) == pytest.approx(np.corrcoef(*sure)[0, 1])
    assert float(found["confidence_change"]) == pytest.approx((sure[1] - sure[0]).mean())


def test_unrelated_models_flip_as_chance_has_it():
    rng = np.random.default_rng(1)
    right = rng.random((2, 100_000)) < [[0.3], [0.7]]
    found = shift(items(right, rng.random((2, 100_000)))).squeeze()
    assert float(found["kappa"]) == pytest.approx(0, abs=0.01)
    for name in ("right_to_wrong", "wrong_to_right"):
        assert float(found[name]) == pytest.approx(float(found[f"{name}_by_chance"]), abs=0.01)


def test_no_answer_that_turns_is_kappa_one_and_all_right_has_none():
    right = np.tile(np.arange(10) < 4, (2, 1))
    assert (
        float(shift(items(right, np.ones((2, 10)) * 0.5 + 0.01 * np.arange(10)))["kappa"].squeeze())
        == 1
    )
    all_right = np.ones((2, 10))
    assert np.isnan(
        shift(items(all_right, np.random.default_rng(2).random((2, 10))))["kappa"]
    ).all()


def test_a_missing_run_is_nan():
    right = np.array([[1.0, 0, 1], [np.nan] * 3])
    found = shift(items(right, right))
    assert found["kappa"].isnull().all()
    assert found["right_to_wrong"].isnull().all()
