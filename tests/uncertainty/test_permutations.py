"""Permutation tests: exact counts, restricted orders, and the same p by every way."""

import itertools
import math
import warnings

import numpy as np
import pytest
import xarray as xr
from grids import make_grid
from scipy import stats

import transfer
from transfer.errors import BadInput
from transfer.protocols import ConstantVector
from transfer.uncertainty import adjusted, permutation
from transfer.uncertainty.permutations import drawn_orders, every_order


def few(seed, mixtures=6, **kwargs):
    return make_grid(seed, **kwargs).isel(mixture=slice(0, mixtures))


def test_every_order_once():
    found = every_order([np.arange(5)])
    assert len(np.unique(found, axis=0)) == math.factorial(5)
    expected = np.array(list(itertools.permutations(range(5))))
    np.testing.assert_array_equal(np.unique(found, axis=0), expected)


def test_orders_stay_within_their_blocks():
    blocks = [np.array([0, 3, 6]), np.array([1, 4, 7]), np.array([2, 5, 8])]
    for orders in (every_order(blocks), drawn_orders(blocks, 500, 0)):
        np.testing.assert_array_equal(
            np.sort(orders, axis=1), np.tile(np.arange(9), (len(orders), 1))
        )
        for block in blocks:
            assert np.isin(orders[:, block], block).all()
    assert len(np.unique(every_order(blocks), axis=0)) == 6**3


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_exact_p_is_that_of_a_loop(method):
    grid = few(0, scales=("S",), seeds=1, digits=2).isel(benchmark=slice(0, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantVector)
        found = permutation(transfer.cross_stage, grid, "accuracy", method=method)
    assert found.attrs == {"orders": 720, "exact": 1, "within": ""}
    theirs = {
        "pearson": lambda a, b: stats.pearsonr(a, b).statistic,
        "spearman": lambda a, b: stats.spearmanr(a, b).statistic,
        "kendall": lambda a, b: stats.kendalltau(a, b).statistic,
    }[method]
    for place in range(2):
        x, y = (grid["accuracy"].to_numpy()[0, stage, 0, :, place] for stage in (0, 1))
        seen = abs(theirs(x, y))
        hits = sum(
            abs(theirs(x, y[list(o)])) >= seen - 1e-9 for o in itertools.permutations(range(6))
        )
        assert found["p"].to_numpy()[0, place] == pytest.approx(hits / 720)


def test_exact_p_of_nine_is_scipys():
    grid = make_grid(1, scales=("S",), seeds=1).isel(benchmark=[0, 1, 2])
    found = permutation(transfer.cross_stage, grid, "confidence", alternative="greater")
    assert found.attrs["orders"] == 362_880
    for place in range(3):
        x, y = (grid["confidence"].to_numpy()[0, stage, 0, :, place] for stage in (0, 1))
        theirs = stats.permutation_test(
            (y,),
            lambda y, axis, x=x: (x * y).sum(axis),
            permutation_type="pairings",
            vectorized=True,
            n_resamples=np.inf,
            alternative="greater",
        )
        assert found["p"].to_numpy()[0, place] == pytest.approx(theirs.pvalue, abs=2 / 362_880)


@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_the_fast_way_is_the_protocol_on_reordered_grids(method, missing):
    grid = few(2, mixtures=5, share_missing=missing)

    def slow(grid, metric):
        return transfer.cross_stage(grid, metric, method=method)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantVector)
        fast = permutation(transfer.cross_stage, grid, "accuracy", method=method)
        again = permutation(slow, grid, "accuracy")
    xr.testing.assert_allclose(fast.drop_vars("n"), again.drop_vars("n"))


def test_a_mean_over_benchmarks_moves_all_of_them_together():
    grid = few(3, seeds=1)

    def mean(grid):
        return transfer.cross_stage(grid, "accuracy").mean("benchmark")

    found = permutation(mean, grid)
    values = grid["accuracy"].to_numpy()[:, :, 0]
    for scale in range(2):
        x, y = (stats.zscore(values[scale, stage], axis=0) for stage in (0, 1))
        rs = [(x * y[list(o)]).mean() for o in itertools.permutations(range(6))]
        seen = (x * y).mean()
        assert found["value"].to_numpy()[scale] == pytest.approx(seen)
        p = np.mean(np.abs(rs) >= abs(seen) - 1e-12)
        assert found["p"].to_numpy()[scale] == pytest.approx(p)


def test_restricted_orders_see_no_tie_that_the_block_alone_makes():
    # The ranking persists between web sources, and is noise within one.
    rng = np.random.default_rng(4)
    grid = make_grid(4, scales=("S",), seeds=1)
    web = xr.DataArray(np.repeat([0.0, 1.0, 2.0], 3), dims="mixture")
    noise = xr.DataArray(rng.normal(size=grid["accuracy"].shape), dims=grid["accuracy"].dims)
    grid["accuracy"] = (0.5 + 0.1 * web + 0.01 * noise).transpose(*grid["accuracy"].dims)
    free = permutation(transfer.cross_stage, grid, "accuracy")
    within = permutation(transfer.cross_stage, grid, "accuracy", within="web")
    assert within.attrs == {"orders": 216, "exact": 1, "within": "web"}
    assert (free["p"] < 0.02).all()
    assert within["p"].mean() > 0.2


def test_p_is_uniform_where_there_is_no_tie():
    rng = np.random.default_rng(5)
    dims = ("scale", "stage", "seed", "mixture", "benchmark")
    grid = xr.Dataset(
        {"accuracy": (dims, rng.normal(size=(1, 2, 1, 6, 400)))},
        coords={"stage": ["pretrain", "sft"], "scale": ["S"]},
    )
    p = permutation(transfer.cross_stage, grid, "accuracy")["p"].to_numpy().ravel()
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_above_nine_mixtures_orders_are_drawn_and_the_seen_one_counts():
    grid = xr.concat([make_grid(6), make_grid(7)], "mixture").assign_coords(mixture=np.arange(18))
    strong = grid.assign(
        accuracy=grid["accuracy"].isel(stage=0, drop=True).broadcast_like(grid["accuracy"])
    )
    found = permutation(transfer.cross_stage, strong, "accuracy", permutations=199)
    assert found.attrs == {"orders": 199, "exact": 0, "within": ""}
    np.testing.assert_allclose(found["p"], 1 / 200)
    again = permutation(transfer.cross_stage, strong, "accuracy", permutations=199)
    xr.testing.assert_equal(found, again)


def test_constant_vectors_have_no_p():
    grid = few(8, mixtures=4)
    grid["accuracy"][..., 0] = 0.5
    with pytest.warns(ConstantVector):
        found = permutation(transfer.cross_stage, grid, "accuracy")
    assert found["p"].isel(benchmark=0).isnull().all()
    assert found["p"].isel(benchmark=1).notnull().all()


def test_q_is_scipys_and_leaves_absent_tests_out():
    rng = np.random.default_rng(9)
    p = xr.DataArray(rng.random((2, 20)), dims=("scale", "benchmark"))
    p[0, 3] = np.nan
    for method in ("bh", "by"):
        q = adjusted(p, method=method)
        assert q.dims == p.dims
        assert np.isnan(q[0, 3])
        np.testing.assert_allclose(q[1], stats.false_discovery_control(p[1], method=method))
        kept = np.delete(p[0].to_numpy(), 3)
        np.testing.assert_allclose(
            np.delete(q[0].to_numpy(), 3), stats.false_discovery_control(kept, method=method)
        )


def test_bad_requests_are_refused():
    with pytest.raises(BadInput, match="within 'tokenizer' is no coordinate of the mixtures"):
        permutation(transfer.cross_stage, make_grid(0), within="tokenizer")
    with pytest.raises(BadInput, match="alternative 'both'"):
        permutation(transfer.cross_stage, make_grid(0), alternative="both")


def test_within_blocks_extreme_is_far_from_what_every_order_keeps():
    """Three webs rise together, and within each the order is turned round."""
    before = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9.0])
    after = np.array([3, 2, 1, 6, 5, 4, 9, 8, 7.0])
    grid = xr.Dataset(
        {
            "accuracy": (
                ("scale", "stage", "seed", "mixture", "benchmark"),
                np.array([before, after])[None, :, None, :, None],
            )
        },
        coords={
            "scale": ["S"],
            "stage": ["pretrain", "sft"],
            "seed": [0],
            "mixture": list("abcdefghi"),
            "benchmark": ["one"],
            "web": ("mixture", ["V1"] * 3 + ["V2"] * 3 + ["V3"] * 3),
        },
    )
    found = permutation(transfer.cross_stage, grid, within="web")
    # All within turned round, or all kept: two of 216 orders.
    assert found["p"].item() == pytest.approx(2 / 216)
    assert found["value"].item() > 0


@pytest.mark.parametrize("within", [None, "web"])
def test_orders_without_a_result_do_not_count(within):
    grid = few(8, mixtures=4, scales=("S",), seeds=1).isel(benchmark=[0])
    web = np.array(["V1", "V1", "V2", "V2"], dtype=object)
    grid = grid.assign_coords(web=("mixture", web))
    # One cell is missing at each stage: an order that pairs them leaves three mixtures, any
    # other two, of which there is no r.
    grid["accuracy"].values[0, 0, 0, 0, 0] = grid["accuracy"].values[0, 1, 0, 0, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantVector)
        found = permutation(transfer.cross_stage, grid, "accuracy", within=within)
    x, y = (grid["accuracy"].to_numpy()[0, stage, 0, :, 0] for stage in (0, 1))
    kept = [
        list(order)
        for order in itertools.permutations(range(4))
        if within is None or (web[list(order)] == web).all()
    ]
    r = []
    for order in kept:
        both = ~np.isnan(x) & ~np.isnan(y[order])
        r.append(stats.pearsonr(x[both], y[order][both]).statistic if both.sum() > 2 else np.nan)
    defined = np.array([one for one in r if not np.isnan(one)])
    assert 0 < len(defined) < len(kept)
    middle = 0 if within is None else defined.mean()
    hits = np.abs(defined - middle) >= abs(r[0] - middle) - 1e-9
    assert found["p"].item() == pytest.approx(hits.mean())
