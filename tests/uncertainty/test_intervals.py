"""Intervals: reproducible, of the right size, and the same code as the protocol itself."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import xarray as xr
from grids import make_grid
from scipy import stats

import transfer
from transfer.errors import BadInput
from transfer.protocols.selection import mean_of_there
from transfer.uncertainty import bootstrap, fisher_interval, interval, resampled
from transfer.uncertainty.resampling import every_resample, weights


def test_value_is_the_protocols_own():
    grid = make_grid(0)
    found = bootstrap(transfer.cross_stage, grid, "confidence", method="spearman", resamples=50)
    expected = transfer.cross_stage(grid, "confidence", method="spearman")
    np.testing.assert_array_equal(found["value"], expected)
    assert (found["low"] <= found["high"]).all()
    assert found["low"].dims == expected.dims
    assert found.attrs["interval"] == "mixtures"


def test_the_same_seed_gives_the_same_interval_whatever_the_chunks(monkeypatch):
    grid = make_grid(1)
    first = bootstrap(transfer.cross_stage, grid, resamples=200, over=("mixture", "seed"))
    monkeypatch.setattr("transfer.uncertainty.resampling._CELLS_AT_ONCE", 20_000)
    again = bootstrap(transfer.cross_stage, grid, resamples=200, over=("mixture", "seed"))
    xr.testing.assert_allclose(first, again)
    other = bootstrap(transfer.cross_stage, grid, resamples=200, seed=1)
    assert not np.allclose(first["low"], other["low"])


def test_resamples_are_those_of_a_loop():
    grid = make_grid(2, seeds=1)
    drawn = resampled(transfer.cross_stage, grid, resamples=20, seed=3)
    index = np.random.default_rng(3).integers(9, size=(20, 9))
    for k in range(20):
        expected = transfer.cross_stage(grid.isel(mixture=index[k]).drop_vars("mixture"))
        np.testing.assert_allclose(drawn.isel(resample=k), expected)


def test_quantiles_are_numpys_with_nan_left_out():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(500, 6))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:400, 5] = np.nan
    low, high = interval(xr.DataArray(values, dims=("resample", "benchmark")), 0.9)
    expected = np.nanquantile(values, [0.05, 0.95], axis=0)
    np.testing.assert_allclose(low[:5], expected[0, :5])
    np.testing.assert_allclose(high[:5], expected[1, :5])
    assert np.isnan(low[5])


def test_the_interval_of_a_mean_is_about_its_standard_error():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(1, 1, 1, 200, 1))
    grid = xr.Dataset({"accuracy": (("scale", "stage", "seed", "mixture", "benchmark"), values)})
    found = bootstrap(lambda g: g["accuracy"].mean("mixture"), grid, resamples=4000)
    width = (found["high"] - found["low"]).item()
    assert width == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.08)


def test_a_seed_that_is_not_there_is_never_drawn():
    grid = make_grid(6, seeds=3)
    fewer = grid.where((grid["scale"] == "S") | (grid["seed"] == 0))
    drawn = resampled(transfer.cross_stage, fewer, resamples=30, over=("seed",))
    assert np.isfinite(drawn).all()
    # One seed drawn over and over is always itself.
    same = drawn.sel(scale="L")
    np.testing.assert_allclose(same.std("resample"), 0, atol=1e-12)
    assert (drawn.sel(scale="S").std("resample") > 0).all()


@pytest.mark.parametrize("seeds", [2, 3])
def test_drawn_seeds_vary_as_fresh_ones_do(seeds):
    """The mean of K fresh seeds has the variance of one over K."""
    draws = np.random.default_rng(7)
    shape = (1, 1, seeds, 4000, 1)
    dims = ("scale", "stage", "seed", "mixture", "benchmark")
    grid = xr.Dataset({"accuracy": (dims, draws.normal(size=shape))})

    def mean(g):
        return mean_of_there(g["accuracy"], "seed").squeeze(["scale", "stage", "benchmark"])

    def varied(g):
        return (mean(g) - grid["accuracy"].mean("seed").squeeze()).var("mixture")

    drawn = resampled(varied, grid, resamples=20, over=("seed",))
    assert drawn.mean().item() == pytest.approx(1 / seeds, rel=0.05)


def test_what_a_seed_does_to_all_mixtures_alike_is_no_noise():
    grid = make_grid(7, seeds=2)
    grid["accuracy"][:] = grid["accuracy"].isel(seed=0) + 0.1 * grid["seed"]
    found = bootstrap(transfer.cross_stage, grid, resamples=50, over=("seed",))
    np.testing.assert_allclose(found["low"], found["value"])
    np.testing.assert_allclose(found["high"], found["value"])


def test_centred_percentiles_stand_around_the_value():
    """Fresh items are drawn on top of those that were drawn before: a correlation falls."""
    grid = make_grid(4, seeds=3)
    plain = bootstrap(transfer.cross_stage, grid, over=("seed",), resamples=400, kind="percentile")
    found = bootstrap(transfer.cross_stage, grid, over=("seed",), resamples=400)
    assert found.kind == "centred"
    drawn = resampled(transfer.cross_stage, grid, over=("seed",), resamples=400)
    shift = found["value"] - drawn.median("resample")
    xr.testing.assert_allclose(found["low"], plain["low"] + shift)
    assert (found["low"] <= found["value"]).all()
    assert (found["high"] >= found["value"]).all()


def test_an_interval_needs_enough_resamples_with_a_result():
    grid = make_grid(4)

    def rare(g):
        r = transfer.cross_stage(g)
        return r.where(r["resample"] % 10 > 0) if "resample" in r.dims else r

    kept = bootstrap(rare, grid, resamples=200, kind="percentile")
    assert kept["low"].notnull().any()
    strict = bootstrap(rare, grid, resamples=200, kind="percentile", defined=0.95)
    assert strict["low"].isnull().all()


def test_several_quantities_have_an_interval_each():
    found = bootstrap(transfer.decision, make_grid(8), resamples=100)
    table = transfer.tidy(found)
    assert set(table["quantity"]) == {"decision_accuracy", "kendall", "regret"}
    assert (table["low"] <= table["high"]).all()
    effects = transfer.tidy(bootstrap(transfer.factor_effects, make_grid(8), resamples=100))
    assert set(effects["quantity"]) == {"web_contrast", "alignment_contrast", "code_share_r"}
    assert effects["low"].notna().all()


def test_structure_and_alignment_pass_through():
    grid = make_grid(9)
    for protocol in (transfer.structure_persistence, transfer.alignment_persistence):
        found = bootstrap(protocol, grid, resamples=60)
        assert np.isfinite(found["low"]).all()
        assert (found["low"] <= found["high"]).all()


def test_runs_stay_apart_where_a_protocol_pairs_them():
    grid = make_grid(9, seeds=3)
    found = bootstrap(transfer.protocols.between_runs, grid, "confidence", resamples=50)
    expected = transfer.protocols.between_runs(grid, "confidence")
    np.testing.assert_allclose(found["luck"], expected["luck"])
    assert (found["between_low"] <= found["between_high"]).all()


def test_a_result_that_keeps_what_is_drawn_is_refused():
    with pytest.raises(BadInput, match="still has the dimension mixture"):
        bootstrap(transfer.alignment, make_grid(10), resamples=5)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"over": ("run",)}, "cannot be resampled; give mixture, seed, item or several"),
        ({"over": ()}, "cannot be resampled"),
        ({"resamples": 0}, "resamples 0 is too few"),
        ({"level": 95}, "level 95 is not between 0 and 1"),
    ],
)
def test_bad_requests_are_refused(asked, says):
    with pytest.raises(BadInput, match=says):
        bootstrap(transfer.cross_stage, make_grid(11), **asked)


def test_fisher_is_scipys_and_the_studys_example():
    low, high = fisher_interval(0.70, 9)
    assert (round(low, 2), round(high, 2)) == (0.07, 0.93)
    rng = np.random.default_rng(12)
    x = rng.normal(size=20)
    y = x + rng.normal(size=20)
    found = stats.pearsonr(x, y)
    expected = found.confidence_interval(0.9)
    assert fisher_interval(found.statistic, 20, 0.9) == pytest.approx(tuple(expected))


def test_fisher_at_the_edges():
    assert fisher_interval(1.0, 9) == (1.0, 1.0)
    assert fisher_interval(0.5, 3) == (-1.0, 1.0)
    assert all(math.isnan(end) for end in fisher_interval(np.nan, 9))


def test_fisher_takes_what_a_protocol_returns():
    r = transfer.cross_stage(make_grid(13))
    low, high = fisher_interval(r, r["n"])
    assert low.dims == r.dims
    assert ((low < r) & (r < high)).all()


def pair_grid(x, y):
    """Return a grid of one benchmark with one seed."""
    values = np.array([x, y], float)[None, :, None, :, None]
    return xr.Dataset(
        {"accuracy": (("scale", "stage", "seed", "mixture", "benchmark"), values)},
        coords={"stage": ["pretrain", "sft"], "scale": ["S"], "benchmark": ["b"]},
    )


@pytest.mark.parametrize("kind", ["percentile", "bca"])
@pytest.mark.parametrize("mixtures", [9, 25])
def test_both_kinds_are_scipys_on_the_same_draws(kind, mixtures):
    rng = np.random.default_rng(mixtures)
    x = rng.normal(size=mixtures)
    y = x + rng.normal(size=mixtures)

    def r(a, b, axis):
        a, b = (v - v.mean(axis=axis, keepdims=True) for v in (a, b))
        # Rounded, so that a resample of all mixtures in another order ties.
        return ((a * b).sum(axis) / np.sqrt((a**2).sum(axis) * (b**2).sum(axis))).round(12)

    ours = bootstrap(transfer.cross_stage, pair_grid(x, y), resamples=2000, seed=7, kind=kind)
    theirs = stats.bootstrap(
        (x, y),
        r,
        paired=True,
        vectorized=True,
        n_resamples=2000,
        batch=2000,
        method="BCa" if kind == "bca" else "percentile",
        rng=np.random.default_rng(7),
    ).confidence_interval
    assert ours["low"].item() == pytest.approx(theirs.low, abs=1e-9)
    assert ours["high"].item() == pytest.approx(theirs.high, abs=1e-9)


@pytest.mark.parametrize("mixtures", [1, 2, 4])
def test_every_resample_is_there_once_as_likely_as_it_is(mixtures):
    found, likely = every_resample(mixtures)
    ordered = Counter(
        tuple(sorted(one)) for one in itertools.product(range(mixtures), repeat=mixtures)
    )
    ours = {tuple(sorted(one)): p for one, p in zip(found.tolist(), likely, strict=True)}
    assert len(ours) == len(found) == len(ordered)
    for one, times in ordered.items():
        assert ours[one] == pytest.approx(times / mixtures**mixtures)


def test_nine_mixtures_have_fewer_resamples_than_are_taken_by_default():
    assert len(weights(9, ("mixture",), 25_000)) == math.comb(17, 9) == 24_310
    assert weights(9, ("mixture",), 24_309) is None
    assert weights(9, ("mixture", "seed"), 25_000) is None
    assert weights(10, ("mixture",), 25_000) is None


@pytest.mark.parametrize("kind", ["percentile", "bca", "centred"])
def test_the_interval_of_all_resamples_is_that_of_every_draw_there_is(kind):
    grid = make_grid(3, scales=("S",), seeds=1).isel(mixture=slice(5))
    found = bootstrap(transfer.cross_stage, grid, resamples=200, kind=kind)
    assert (found.attrs["resamples"], found.attrs["exact"]) == (126, 1)
    # 5^5 draws, each as likely as any other.
    draws = np.array(list(itertools.product(range(5), repeat=5)))
    x, y = (grid["accuracy"].to_numpy()[0, stage, 0] for stage in (0, 1))
    for place in range(grid.sizes["benchmark"]):
        a, b = (v[draws, place] for v in (x, y))
        a, b = (v - v.mean(axis=1, keepdims=True) for v in (a, b))
        with np.errstate(invalid="ignore"):
            r = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        flat = (np.ptp(x[draws, place], axis=1) == 0) | (np.ptp(y[draws, place], axis=1) == 0)
        r = np.sort(r[~flat])
        value = stats.pearsonr(x[:, place], y[:, place]).statistic
        at = [0.025, 0.975]
        if kind == "bca":
            others = [np.delete(np.arange(5), left) for left in range(5)]
            left = [stats.pearsonr(x[o, place], y[o, place]).statistic for o in others]
            u = np.mean(left) - np.array(left)
            a = (u**3).sum() / (6 * (u**2).sum() ** 1.5)
            tie = 1e-9
            z = stats.norm.ppf(((r < value - tie).mean() + (r <= value + tie).mean()) / 2)
            moved = z + stats.norm.ppf(at)
            at = stats.norm.cdf(z + moved / (1 - a * moved))
        expected = np.quantile(r, at, method="inverted_cdf")
        if kind == "centred":
            expected = expected - np.quantile(r, 0.5, method="inverted_cdf") + value
        ours = [found[end].isel(scale=0, benchmark=place).item() for end in ("low", "high")]
        assert ours == pytest.approx(expected, abs=1e-9)


def test_the_interval_of_all_resamples_depends_on_no_seed_and_draws_come_near_it():
    grid = make_grid(5, scales=("S",))
    exact = bootstrap(transfer.cross_stage, grid)
    xr.testing.assert_identical(exact, bootstrap(transfer.cross_stage, grid, seed=1))
    drawn = bootstrap(transfer.cross_stage, grid, resamples=24_000)
    assert drawn.attrs["exact"] == 0
    for end in ("low", "high"):
        np.testing.assert_allclose(exact[end], drawn[end], atol=0.05)


def test_bca_of_a_mean_moves_with_the_skewness():
    rng = np.random.default_rng(8)
    values = rng.exponential(size=(1, 1, 1, 40, 1))
    grid = xr.Dataset({"accuracy": (("scale", "stage", "seed", "mixture", "benchmark"), values)})
    mean = {
        k: bootstrap(lambda g: g["accuracy"].mean("mixture"), grid, kind=k)
        for k in ("percentile", "bca")
    }
    assert mean["bca"]["high"].item() > mean["percentile"]["high"].item()


def test_bca_of_what_does_not_vary_is_the_value_itself():
    x = np.arange(9.0)
    found = bootstrap(transfer.cross_stage, pair_grid(x, 2 * x + 1), resamples=200, kind="bca")
    assert found["low"].item() == pytest.approx(1)
    assert found["high"].item() == pytest.approx(1)


def test_missing_cells_give_an_interval_or_none():
    grid = make_grid(14, seeds=1, share_missing=0.2)
    found = bootstrap(transfer.cross_stage, grid, resamples=300, kind="bca")
    there = found["value"].notnull() & found["low"].notnull()
    assert there.any()
    assert (found["low"] <= found["high"]).where(there, True).all()


def test_fewer_than_five_mixtures_have_a_value_and_no_interval():
    grid = make_grid(5, seeds=2)
    for kind in ("bca", "percentile"):
        found = bootstrap(transfer.cross_stage, grid.isel(mixture=slice(4)), kind=kind)
        assert found["value"].notnull().all()
        assert found["low"].isnull().all()
        assert found["high"].isnull().all()
    enough = bootstrap(transfer.cross_stage, grid.isel(mixture=slice(5)))
    assert enough["low"].notnull().all()
    seeds = bootstrap(
        transfer.cross_stage, grid.isel(mixture=slice(4)), over=("seed",), resamples=20
    )
    assert seeds["low"].notnull().all()


def test_with_one_seed_the_interval_over_seeds_is_absent():
    one = bootstrap(transfer.cross_stage, make_grid(16, seeds=1), over=("seed",), resamples=20)
    assert one["low"].isnull().all()
    assert one["value"].notnull().all()
    several = bootstrap(transfer.cross_stage, make_grid(16, seeds=3), over=("seed",), resamples=20)
    assert several["low"].notnull().all()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"kind": "basic"}, "kind 'basic' is not known; give percentile, bca, centred"),
        ({"kind": "bca", "over": ("seed",)}, "kind bca leaves out mixtures"),
    ],
)
def test_kinds_that_cannot_be_had_are_refused(asked, says):
    with pytest.raises(BadInput, match=says):
        bootstrap(transfer.cross_stage, make_grid(11), **asked)


def test_a_scale_with_one_seed_has_no_interval_over_seeds():
    grid = make_grid(1, seeds=3)
    grid["accuracy"] = grid["accuracy"].where((grid["scale"] == "S") | (grid["seed"] == 0))
    found = bootstrap(transfer.cross_stage, grid, over=["seed"], resamples=50)
    assert found["low"].sel(scale="S").notnull().all()
    assert found["low"].sel(scale="L").isnull().all()
    assert found["value"].notnull().all()


def test_mixtures_alone_are_corrected_by_default():
    grid = make_grid(2)
    found = bootstrap(transfer.cross_stage, grid, resamples=50)
    expected = bootstrap(transfer.cross_stage, grid, resamples=50, kind="bca")
    xr.testing.assert_identical(found, expected)
    assert bootstrap(transfer.cross_stage, grid, over=["seed"], resamples=50).kind == "centred"
