"""Correlation along a dimension against scipy, with missing cells, ties and constant vectors."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from transfer.errors import BadInput
from transfer.protocols import METHODS, ConstantVector, correlate, correlation
from transfer.protocols.correlations import constant

SCIPY = {
    "pearson": stats.pearsonr,
    "spearman": stats.spearmanr,
    "kendall": lambda x, y: stats.kendalltau(x, y, variant="b"),
}


def by_scipy(x, y, method):
    """Return r of the complete pairs and their number, as scipy has them."""
    there = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[there], y[there]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, len(x)
    return SCIPY[method](x, y).statistic, len(x)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("digits", [None, 1, 0], ids=["no ties", "ties", "many ties"])
@pytest.mark.parametrize("missing", [0, 0.3], ids=["whole", "missing cells"])
def test_against_scipy(method, digits, missing):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 8, 9))
    if digits is not None:
        x, y = x.round(digits), y.round(digits)
    x[rng.random(x.shape) < missing] = np.nan
    y[rng.random(y.shape) < missing] = np.nan
    r, n = correlation(x, y, method)
    for place in np.ndindex(r.shape):
        expected, pairs = by_scipy(x[place], y[place], method)
        assert r[place] == pytest.approx(expected, abs=1e-12, nan_ok=True)
        assert n[place] == pairs


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("missing", [0, 0.2])
def test_every_pair_by_broadcasting(method, missing):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 3, 6, 9))
    x[rng.random(x.shape) < missing] = np.nan
    r, n = correlation(x[:, :, None], y[:, None], method)
    assert r.shape == n.shape == (3, 6, 6)
    for s, i, j in np.ndindex(r.shape):
        expected, pairs = by_scipy(x[s, i], y[s, j], method)
        assert r[s, i, j] == pytest.approx(expected, abs=1e-12)
        assert n[s, i, j] == pairs


@pytest.mark.parametrize("method", METHODS)
def test_large_input_is_worked_through_in_parts(method, monkeypatch):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(7, 11, 1, 9)), rng.normal(size=(1, 11, 4, 9))
    whole, pairs = correlation(x, y, method)
    monkeypatch.setattr("transfer.protocols.correlations._CELLS_AT_ONCE", 100)
    parts, again = correlation(x, y, method)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(pairs, again)


@pytest.mark.parametrize("method", METHODS)
def test_fewer_than_three_pairs_are_nan(method):
    x = np.array([1.0, 2.0, np.nan, 4.0])
    y = np.array([1.0, 3.0, 2.0, np.nan])
    r, n = correlation(x, y, method)
    assert np.isnan(r)
    assert n == 2


@pytest.mark.parametrize("method", METHODS)
def test_a_pair_that_missing_cells_make_constant_is_nan(method):
    x = np.array([1.0, 1.0, 1.0, 5.0])
    y = np.array([1.0, 3.0, 2.0, np.nan])
    assert np.isnan(correlation(x, y, method)[0])


@pytest.mark.parametrize("method", METHODS)
def test_constant_up_to_rounding_is_constant(method):
    x = np.array([0.1 + 0.2, 0.3, 0.3, 0.3])
    assert np.ptp(x) > 0
    assert constant(x)
    assert np.isnan(correlation(x, np.arange(4.0), method)[0])


@pytest.mark.parametrize("method", METHODS)
def test_all_missing_is_nan(method):
    r, n = correlation(np.full((2, 9), np.nan), np.ones((2, 9)), method)
    assert np.isnan(r).all()
    assert (n == 0).all()


vectors = arrays(float, 9, elements=st.floats(-100, 100, width=16))


def varied(*xs):
    for x in xs:
        assume(np.ptp(x) > 0.01)


@settings(deadline=None, max_examples=60)
@given(vectors, vectors, st.permutations(range(9)), st.sampled_from(METHODS))
def test_order_of_mixtures_does_not_matter(x, y, order, method):
    varied(x, y)
    order = list(order)
    before, after = correlation(x, y, method)[0], correlation(x[order], y[order], method)[0]
    assert after == pytest.approx(before, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(vectors, vectors, st.sampled_from(METHODS))
def test_bounds_symmetry_and_self(x, y, method):
    varied(x, y)
    r = correlation(x, y, method)[0]
    assert -1 <= r <= 1
    assert correlation(y, x, method)[0] == pytest.approx(r, abs=1e-12)
    assert correlation(x, x, method)[0] == pytest.approx(1)
    assert correlation(x, -x, method)[0] == pytest.approx(-1)


@settings(deadline=None, max_examples=60)
@given(vectors, vectors, st.floats(0.1, 10), st.floats(-10, 10))
def test_pearson_is_the_same_after_an_affine_map(x, y, slope, shift):
    varied(x, y)
    r = correlation(x, y)[0]
    assert correlation(slope * x + shift, y)[0] == pytest.approx(r, abs=1e-6)
    assert correlation(-slope * x + shift, y)[0] == pytest.approx(-r, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(arrays(int, 9, elements=st.integers(-20, 20)), vectors)
def test_ranks_are_the_same_after_a_monotone_map(x, y):
    varied(x, y)
    for method in ("spearman", "kendall"):
        r = correlation(x, y, method)[0]
        assert correlation(np.exp(x / 4), y, method)[0] == pytest.approx(r, abs=1e-12)


def test_dimensions_are_matched_by_name():
    rng = np.random.default_rng(3)
    x = xr.DataArray(rng.normal(size=(9, 2)), dims=("mixture", "scale"))
    y = xr.DataArray(rng.normal(size=(2, 9)), dims=("scale", "mixture"))
    r = correlate(x, y, "mixture")
    assert r.dims == ("scale",)
    for s in range(2):
        assert r[s] == pytest.approx(stats.pearsonr(x[:, s], y[s]).statistic)
    assert r["n"].to_numpy().tolist() == [9, 9]


def test_a_constant_vector_is_named():
    rng = np.random.default_rng(4)
    coords = {"scale": ["S"], "benchmark": ["flat", "varied"], "mixture": range(9)}
    x = xr.DataArray(rng.normal(size=(1, 2, 9)), coords=coords, dims=tuple(coords))
    y = x + rng.normal(size=x.shape)
    x[0, 0] = 0.25
    with pytest.warns(
        ConstantVector, match="accuracy does not vary over mixture.*scale S, bench.* flat$"
    ):
        r = correlate(x, y, "mixture", what="accuracy")
    assert np.isnan(r.sel(benchmark="flat")).all()
    assert not np.isnan(r.sel(benchmark="varied")).any()


def test_resamples_do_not_warn():
    x = xr.DataArray(np.ones((4, 9)), dims=("resample", "mixture"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(correlate(x, x, "mixture")).all()


def test_an_unknown_method_is_refused():
    x = xr.DataArray(np.arange(9.0), dims="mixture")
    with pytest.raises(
        BadInput, match="method 'tau' is not known; give pearson, spearman, kendall"
    ):
        correlate(x, x, "mixture", "tau")
