"""How much benchmarks share, and what alignment is without one of them."""

import numpy as np
import pytest
import xarray as xr
from grids import make_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transfer.protocols import alignment, alignment_without_one, shared_variance, tidy


def grid_of(scores):
    """Return a grid of one scale and stage from scores of mixtures × benchmarks."""
    dims = ("scale", "stage", "seed", "mixture", "benchmark")
    names = [f"b{k}" for k in range(scores.shape[1])]
    return xr.Dataset(
        {"accuracy": (dims, scores[None, None, None])},
        coords={"scale": ["S"], "stage": ["pretrain"], "seed": [0], "benchmark": names},
    )


def test_benchmarks_that_rank_alike_share_everything():
    order = np.arange(9.0)[:, None]
    found = shared_variance(grid_of(order @ np.array([[1.0, -2.0, 0.5]]) + 3), orders=99)
    assert found.item() == pytest.approx(1)
    assert found["n"].item() == 3
    assert found["p"].item() == pytest.approx(0.01)
    assert found["by_chance"].item() < 0.9


def test_the_share_is_the_first_of_the_eigenvalues_of_the_correlations():
    scores = np.random.default_rng(1).normal(size=(9, 6))
    values = np.linalg.eigvalsh(np.corrcoef(scores.T))
    assert shared_variance(grid_of(scores), orders=9).item() == pytest.approx(values[-1] / 6)


def test_independent_benchmarks_share_what_chance_gives():
    draws = np.random.default_rng(2)
    found = [shared_variance(grid_of(draws.normal(size=(9, 20))), orders=99) for _ in range(40)]
    assert np.mean([f.item() - f["by_chance"].item() for f in found]) == pytest.approx(0, abs=0.02)
    assert 0.3 < np.mean([f["p"].item() for f in found]) < 0.7


@settings(max_examples=30, deadline=None)
@given(scores=arrays(float, (5, 4), elements=st.floats(-1, 1, width=16)))
def test_units_of_a_benchmark_do_not_matter(scores):
    first = shared_variance(grid_of(scores), orders=5)
    second = shared_variance(grid_of(scores * np.array([2, 4, 0.5, 8]) + 16), orders=5)
    np.testing.assert_allclose(first, second, atol=1e-6)
    np.testing.assert_allclose(first["n"], second["n"])


def test_benchmarks_without_a_mixture_or_without_spread_are_left_out():
    scores = np.random.default_rng(3).normal(size=(9, 5))
    scores[2, 0], scores[:, 1] = np.nan, 0.25
    found = shared_variance(grid_of(scores), orders=9)
    assert found["n"].item() == 3
    assert found.item() == pytest.approx(shared_variance(grid_of(scores[:, 2:]), orders=9).item())
    alone = shared_variance(grid_of(scores[:, :3]), orders=9)
    assert np.isnan(alone.item())
    assert {"by_chance", "p", "n", "value"} <= set(tidy(found).columns)


def test_alignment_without_one_is_that_of_the_others():
    grid = make_grid(11)
    found = alignment_without_one(grid)
    for name in grid["benchmark"].to_numpy():
        category = grid["category"].sel(benchmark=name).item()
        others = grid.sel(benchmark=[b for b in grid["benchmark"].to_numpy() if b != name])
        expected = alignment(others).sel(category=category).mean("mixture")
        np.testing.assert_allclose(
            found.sel(benchmark=name).transpose(*expected.dims), expected, equal_nan=True
        )
        assert found["category"].sel(benchmark=name).item() == category
    alone = grid.sel(benchmark=grid["benchmark"].to_numpy()[:1])
    assert alignment_without_one(alone).isnull().all()
