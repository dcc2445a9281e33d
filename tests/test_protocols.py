"""Every protocol against scipy, loop by loop, on grids with missing cells and ties."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from grids import make_grid
from scipy import stats

import transfer
from transfer import protocols
from transfer.errors import BadInput
from transfer.protocols import ConstantVector, category_means
from transfer.protocols.structure import mantel

SCIPY = {
    "pearson": stats.pearsonr,
    "spearman": stats.spearmanr,
    "kendall": lambda x, y: stats.kendalltau(x, y, variant="b"),
}
METHODS = list(SCIPY)


def corr(x, y, method="pearson"):
    x, y = np.asarray(x, float), np.asarray(y, float)
    there = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[there], y[there]
    if len(x) < 3 or np.ptp(x) < 1e-12 or np.ptp(y) < 1e-12:
        return np.nan
    return SCIPY[method](x, y).statistic


@pytest.fixture(params=["whole", "missing", "ties"])
def grid(request):
    return {
        "whole": lambda: make_grid(0),
        "missing": lambda: make_grid(1, share_missing=0.2, seeds=1),
        "ties": lambda: make_grid(2, digits=1, seeds=1),
    }[request.param]()


def cells(grid, metric="accuracy"):
    """Return the mean over seeds as an array (scale, stage, mixture, benchmark)."""
    return transfer.protocols.selection.measure_of(grid, metric).to_numpy()


def quiet(protocol, *args, **kwargs):
    """Call a protocol on a grid whose ties may make a vector constant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantVector)
        return protocol(*args, **kwargs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("metric", ["accuracy", "confidence"])
def test_p1_p2_cross_stage(grid, metric, method):
    r = quiet(transfer.cross_stage, grid, metric, method)
    assert r.dims == ("scale", "benchmark")
    x = cells(grid, metric)
    for s, b in np.ndindex(r.shape):
        pair = x[s, 0, :, b], x[s, 1, :, b]
        assert r[s, b].item() == pytest.approx(corr(*pair, method), abs=1e-12, nan_ok=True)
        assert r["n"][s, b] == np.isfinite(pair[0] + pair[1]).sum()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stages", [(0, 0), (1, 1), (0, 1)], ids=["P3", "P4", "P5"])
def test_p3_p4_p5_coherence(grid, method, stages):
    names = grid["stage"].to_numpy()
    r = quiet(transfer.coherence, grid, "accuracy", *names[list(stages)], method=method)
    assert r.dims == ("scale", "benchmark_i", "benchmark_j")
    x = cells(grid)
    for s, i, j in np.ndindex(r.shape):
        expected = corr(x[s, stages[0], :, i], x[s, stages[1], :, j], method)
        assert r[s, i, j].item() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_p6_means_of_benchmarks(grid):
    r = quiet(transfer.cross_stage, grid)
    mean = transfer.by_category(r)
    assert mean.dims == ("scale", "category")
    for s in range(mean.sizes["scale"]):
        for name in grid["category"].to_numpy():
            part = r[s].to_numpy()[grid["category"].to_numpy() == name]
            cell = mean[s].sel(category=name)
            assert cell.item() == pytest.approx(np.nanmean(part), abs=1e-12)
            assert cell["n"] == np.isfinite(part).sum()


@pytest.mark.parametrize(("first", "second"), [("pretrain", "pretrain"), ("pretrain", "sft")])
def test_p6_means_of_pairs(grid, first, second):
    r = quiet(transfer.coherence, grid, "accuracy", first, second)
    mean = transfer.by_category(r)
    category = grid["category"].to_numpy()
    for s in range(mean.sizes["scale"]):
        for name in dict.fromkeys(category):
            inside = np.flatnonzero(category == name)
            values = [
                r[s, i, j].item()
                for i in inside
                for j in inside
                if (i < j if first == second else i != j)
            ]
            cell = mean[s].sel(category=name)
            assert cell.item() == pytest.approx(np.nanmean(values), abs=1e-12)
            assert cell["n"] == np.isfinite(values).sum()


def test_p7_alignment(grid):
    r = quiet(transfer.alignment, grid)
    assert r.dims == ("scale", "stage", "mixture", "category")
    a, c = cells(grid), cells(grid, "confidence")
    category = grid["category"].to_numpy()
    for k, name in enumerate(r["category"].to_numpy()):
        inside = category == name
        for s, t, m in np.ndindex(r.shape[:3]):
            expected = corr(a[s, t, m, inside], c[s, t, m, inside])
            assert r[s, t, m, k].item() == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_p8_alignment_persistence(grid):
    aligned = quiet(transfer.alignment, grid).to_numpy()
    r = quiet(transfer.alignment_persistence, grid)
    assert r.dims == ("scale", "category")
    for s, k in np.ndindex(r.shape):
        expected = corr(aligned[s, 0, :, k], aligned[s, 1, :, k])
        assert r[s, k].item() == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("method", METHODS)
def test_p9_structure_persistence(grid, method):
    r = quiet(transfer.structure_persistence, grid, "confidence", method, permutations=19)
    assert r.dims == ("scale",)
    x = cells(grid, "confidence")
    pairs = np.transpose(np.triu_indices(12, 1))
    for s in range(2):
        # Rank correlations tie exactly; rounding makes scipy see it.
        triangles = np.round(
            [[corr(x[s, t, :, i], x[s, t, :, j], method) for i, j in pairs] for t in (0, 1)],
            12,
        )
        assert r[s].item() == pytest.approx(corr(*triangles, method), abs=1e-9)
        assert r["n"][s] == np.isfinite(np.sum(triangles, axis=0)).sum()
    assert ((r["p"] > 0) & (r["p"] <= 1)).all()


def test_p10_code_share(grid):
    r = quiet(protocols.code_share_correlation, grid)
    assert r.dims == ("scale", "stage", "benchmark")
    x = cells(grid)
    for s, t, b in np.ndindex(r.shape):
        expected = corr(grid["code_share"], x[s, t, :, b])
        assert r[s, t, b].item() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_p10_main_effects_are_means_of_levels_less_the_mean_of_all(grid):
    effects = protocols.main_effects(grid)
    x, category = cells(grid), grid["category"].to_numpy()
    webs, shares = grid["web"].to_numpy(), grid["code_share"].to_numpy()
    assert effects.dims == ("scale", "stage", "level", "category")
    assert len(set(effects["factor"].to_numpy())) == 2
    for level, factor in zip(effects["level"].values, effects["factor"].values, strict=True):
        if factor == "web source":
            member = webs == level
        else:
            member = np.isclose(shares, float(level.removesuffix("% code")) / 100)
        assert member.any()
        for name in effects["category"].to_numpy():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                means = np.nanmean(x[..., category == name], axis=-1)
                expected = np.nanmean(means[..., member], -1) - np.nanmean(means, -1)
            found = effects.sel(level=level, category=name)
            np.testing.assert_allclose(found, expected, atol=1e-12)
            there = np.isfinite(means[..., member]).sum(-1)
            np.testing.assert_array_equal(found["n"], there)


def test_p10_main_effects_can_be_resampled():
    grid = make_grid(0)
    found = transfer.uncertainty.bootstrap(protocols.main_effects, grid, resamples=50)
    value = protocols.main_effects(grid)
    np.testing.assert_allclose(found["value"], value)
    assert bool((found["low"] <= found["high"]).any())


def test_p10_web_contrast_is_the_mean_difference():
    grid = make_grid(3)
    found = protocols.web_contrast(grid)
    assert found.dims == ("scale", "stage", "contrast", "category")
    assert found["contrast"].to_numpy().tolist() == ["V2-V1", "V3-V1"]
    x = cells(grid)
    web, category = grid["web"].to_numpy(), grid["category"].to_numpy()
    for place, other in enumerate(("V2", "V3")):
        for k, name in enumerate(found["category"].to_numpy()):
            part = x[:, :, :, category == name].mean(axis=-1)
            expected = part[:, :, web == other].mean(axis=2) - part[:, :, web == "V1"].mean(axis=2)
            np.testing.assert_allclose(found[:, :, place, k], expected)
    assert (found["n"] == 3).all()


def test_p10_a_missing_mixture_takes_its_pair_along():
    grid = make_grid(3)
    gone = grid.where(grid["mixture"] != "V2P1")
    found = protocols.web_contrast(gone).sel(contrast="V2-V1")
    kept = grid.sel(mixture=[m for m in grid["mixture"].to_numpy() if not m.endswith("P1")])
    expected = protocols.web_contrast(kept).sel(contrast="V2-V1")
    np.testing.assert_allclose(found, expected)
    assert (found["n"] == 2).all()


def test_p10_alignment_contrast():
    grid = make_grid(4)
    aligned = transfer.alignment(grid)
    by_web = aligned.groupby("web").mean("mixture")
    expected = by_web.sel(web="V3") - by_web.sel(web="V1")
    found = protocols.alignment_contrast(grid).sel(contrast="V3-V1")
    np.testing.assert_allclose(found.transpose(*expected.dims), expected)


def test_p10_all_together():
    effects = transfer.factor_effects(make_grid(5))
    assert set(effects.data_vars) == {"web_contrast", "alignment_contrast", "code_share_r"}
    table = transfer.tidy(effects)
    assert set(table["quantity"]) == set(effects.data_vars)
    assert len(table) == sum(v.size for v in effects.values())


# Mantel


def test_mantel_is_exact_over_few_orders():
    rng = np.random.default_rng(6)
    x, y = (m + m.T for m in rng.normal(size=(2, 4, 4)))
    rows, columns = np.triu_indices(4, 1)
    observed = corr(x[rows, columns], y[rows, columns])
    from itertools import permutations

    values = []
    for order in permutations(range(4)):
        shuffled = x[np.ix_(order, order)]
        values.append(corr(shuffled[rows, columns], y[rows, columns]))
    assert mantel(x, y) == np.mean(np.array(values) >= observed - 1e-12)


def test_mantel_of_one_structure_is_small_and_reproducible():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(10, 10))
    x = x + x.T
    assert mantel(x, x, permutations=999, seed=1) == 1 / 1000
    noise = rng.normal(size=(10, 10))
    y = noise + noise.T
    assert mantel(x, y, permutations=99, seed=1) == mantel(x, y, permutations=99, seed=1)


def test_mantel_is_uniform_without_structure():
    rng = np.random.default_rng(8)
    ps = []
    for _ in range(200):
        x, y = (m + m.T for m in rng.normal(size=(2, 6, 6)))
        ps.append(mantel(x, y, permutations=199, seed=0))
    assert stats.kstest(ps, "uniform").pvalue > 0.01


# Decisions


def by_hand(values):
    """Return a grid of one benchmark from {(scale, stage): accuracies}."""
    scales = list(dict.fromkeys(scale for scale, _ in values))
    count = len(next(iter(values.values())))
    data = np.full((len(scales), 2, 1, count, 1), np.nan)
    for (scale, stage), cell in values.items():
        data[scales.index(scale), ["pretrain", "sft"].index(stage), 0, :, 0] = cell
    return xr.Dataset(
        dict.fromkeys(
            ("accuracy", "nll"), (("scale", "stage", "seed", "mixture", "benchmark"), data)
        ),
        coords={
            "scale": scales,
            "stage": ["pretrain", "sft"],
            "seed": [0],
            "mixture": [f"m{i}" for i in range(count)],
            "benchmark": ["x"],
        },
    )


def test_decision_by_hand():
    grid = by_hand({("S", "pretrain"): [0.3, 0.4, 0.5, 0.2], ("L", "sft"): [0.5, 0.7, 0.6, 0.1]})
    found = transfer.decision(grid)
    # Of six pairs only (m1, m2) is ordered otherwise; the proxy picks m2, 0.1 below the best.
    assert found["decision_accuracy"].item() == pytest.approx(5 / 6)
    assert found["kendall"].item() == pytest.approx(4 / 6)
    assert found["regret"].item() == pytest.approx(0.1)
    assert found["n"].item() == 4


def test_decision_of_a_measure_that_is_better_when_lower():
    grid = by_hand({("S", "pretrain"): [0.3, 0.4, 0.5, 0.2], ("L", "sft"): [0.5, 0.7, 0.6, 0.1]})
    assert transfer.decision(grid, "nll")["regret"].item() == 0
    assert transfer.decision(grid, "nll")["decision_accuracy"].item() == pytest.approx(5 / 6)


def test_decision_ties_count_half_and_share_the_regret():
    grid = by_hand({("S", "pretrain"): [0.5, 0.5, 0.1], ("L", "sft"): [0.6, 0.8, 0.6]})
    found = transfer.decision(grid)
    # (m0, m2) ties in the target and is left out; (m0, m1) ties in the proxy.
    assert found["decision_accuracy"].item() == pytest.approx((0.5 + 1) / 2)
    assert found["regret"].item() == pytest.approx(0.1)


@pytest.mark.parametrize("aim", ["category", "all"])
def test_a_benchmark_decides_for_a_mean(aim):
    grid = make_grid(6)
    found = transfer.decision(grid, aim=aim)
    before = grid["accuracy"].mean("seed").sel(scale="S", stage="pretrain")
    after = grid["accuracy"].mean("seed").sel(scale="L", stage="sft")
    category = grid["category"].to_numpy()
    for place, name in enumerate(category):
        inside = category == name if aim == "category" else np.full(len(category), True)
        target = after.isel(benchmark=inside).mean("benchmark").to_numpy()
        x = before.isel(benchmark=place).to_numpy()
        assert found["kendall"][place].item() == pytest.approx(corr(x, target, "kendall"))
        lost = target.max() - target[np.argmax(x)]
        assert found["regret"][place].item() == pytest.approx(lost)


def test_an_aim_that_is_not_there_is_refused():
    with pytest.raises(BadInput, match="give benchmark, category, all"):
        transfer.decision(make_grid(6), aim="everything")
    with pytest.raises(BadInput, match="no category"):
        transfer.decision(make_grid(6).drop_vars("category"), aim="category")


def test_the_order_of_mixtures_is_carried_from_scale_to_scale(grid):
    # Dimension scale of these grids is S, L; a third is made of the second.
    three = xr.concat([grid, grid.isel(scale=[1]).assign_coords(scale=["XL"])], "scale")
    found = protocols.carry_over(three)
    assert found.dims == ("pair", "benchmark")
    assert found["smaller"].to_numpy().tolist() == ["S", "L"]
    assert found["larger"].to_numpy().tolist() == ["L", "XL"]
    first = transfer.decision(grid, proxy=("S", "sft"), target=("L", "sft"))["decision_accuracy"]
    np.testing.assert_array_equal(found.isel(pair=0), first)
    # A scale orders the mixtures as itself wherever it orders any two.
    y = cells(grid)[1, 1]
    orders = np.array([len(np.unique(one[~np.isnan(one)])) > 1 for one in y.T])
    np.testing.assert_array_equal(found.isel(pair=1), np.where(orders, 1.0, np.nan))
    assert set(transfer.tidy(found).columns) >= {"smaller", "larger", "benchmark", "value", "n"}
    with pytest.raises(BadInput, match="the table has one scale, S; give a table with two"):
        protocols.carry_over(grid.sel(scale=["S"]))


def test_without_categories_there_is_the_mean_of_all():
    grid = make_grid(6).drop_vars("category")
    found = category_means(grid)
    assert found["benchmark"].to_numpy().tolist() == ["all benchmarks"]
    expected = grid["accuracy"].mean("benchmark")
    np.testing.assert_allclose(found["accuracy"].isel(benchmark=0), expected)


def test_the_means_of_cross_stage_are_its_means(grid):
    r = quiet(transfer.cross_stage, grid, "accuracy", "spearman")
    found = quiet(protocols.mean_cross_stage, grid, "accuracy", "spearman")
    np.testing.assert_allclose(found, np.nanmean(r, axis=1))
    which = xr.DataArray(np.arange(12) < 5, dims="benchmark")
    found = quiet(protocols.mean_cross_stage, grid, "accuracy", "spearman", which=which)
    np.testing.assert_allclose(found, np.nanmean(r[:, :5], axis=1))
    found = quiet(protocols.category_cross_stage, grid, "accuracy", "spearman")
    xr.testing.assert_allclose(found, transfer.by_category(r))


def test_between_runs_is_a_loop_over_pairs_of_seeds():
    grid = make_grid(7, seeds=3)
    # The second scale has one seed.
    grid["accuracy"] = grid["accuracy"].where((grid["scale"] == "S") | (grid["seed"] == 0))
    found = quiet(protocols.between_runs, grid, "accuracy", "kendall")
    values = grid["accuracy"].to_numpy()
    for place in range(12):
        r = [
            [
                corr(values[0, 0, k, :, place], values[0, 1, m, :, place], "kendall")
                for m in range(3)
            ]
            for k in range(3)
        ]
        within, between = np.mean(np.diag(r)), np.array(r)[~np.eye(3, dtype=bool)].mean()
        cell = found.isel(scale=0, benchmark=place)
        assert cell["within"].item() == pytest.approx(within)
        assert cell["between"].item() == pytest.approx(between)
        assert cell["luck"].item() == pytest.approx(within - between)
    assert np.isnan(found.isel(scale=1).to_array()).all()


def test_luck_that_a_run_keeps_is_within_runs_alone():
    """Nothing but luck: within a run both stages have it, between runs nothing is shared."""
    grid = make_grid(9, seeds=3, scales=("S",))
    luck = np.random.default_rng(0).normal(size=grid["accuracy"].isel(stage=0).shape)
    grid["accuracy"][:] = np.stack([luck, luck], axis=grid["accuracy"].get_axis_num("stage"))
    found = protocols.between_runs(grid).mean("benchmark")
    assert found["within"].item() == pytest.approx(1)
    assert abs(found["between"].item()) < 0.2


def test_decision_leaves_missing_mixtures_out():
    grid = by_hand({("S", "pretrain"): [0.3, 0.9, 0.5, 0.2], ("L", "sft"): [0.5, np.nan, 0.6, 0.1]})
    found = transfer.decision(grid)
    assert found["n"].item() == 3
    assert found["decision_accuracy"].item() == 1
    assert found["regret"].item() == 0


def test_decision_kendall_is_scipys(grid):
    found = quiet(transfer.decision, grid)
    x = cells(grid)
    for b in range(12):
        expected = corr(x[0, 0, :, b], x[1, 1, :, b], "kendall")
        assert found["kendall"][b].item() == pytest.approx(expected, abs=1e-12, nan_ok=True)
    enough = found.where(found["n"] > 2, drop=True)
    assert ((enough["decision_accuracy"] >= 0) & (enough["decision_accuracy"] <= 1)).all()
    assert (enough["regret"] >= 0).all()


# Seeds, missing cells, warnings, tables


def test_seeds_are_averaged_unless_kept():
    grid = make_grid(9, seeds=3)
    first = grid.sel(seed=[1])
    kept = transfer.cross_stage(grid, keep_seeds=True)
    assert set(kept.dims) == {"scale", "seed", "benchmark"}
    np.testing.assert_allclose(kept.sel(seed=1), transfer.cross_stage(first))
    averaged = transfer.cross_stage(grid.mean("seed"))
    np.testing.assert_allclose(transfer.cross_stage(grid), averaged)


def test_a_scale_with_fewer_seeds_is_averaged_over_its_own():
    grid = make_grid(10, seeds=2)
    fewer = grid.where((grid["scale"] == "S") | (grid["seed"] == 0))
    found = transfer.cross_stage(fewer).sel(scale="L")
    np.testing.assert_allclose(found, transfer.cross_stage(grid.sel(seed=[0])).sel(scale="L"))


def test_an_added_dimension_passes_through():
    grid = make_grid(11)
    noise = xr.DataArray(np.array([1.0, -2.0, 5.0]), dims="resample")
    many = grid.map(lambda v: v * noise + 0.1)
    for protocol in (transfer.cross_stage, transfer.coherence):
        one = protocol(grid)
        all_ = protocol(many)
        for k in range(3):
            np.testing.assert_allclose(all_.isel(resample=k).transpose(*one.dims), one, atol=1e-9)


def test_order_of_mixtures_does_not_matter():
    grid = make_grid(12, share_missing=0.1)
    shuffled = grid.isel(mixture=[4, 2, 8, 0, 1, 7, 3, 6, 5])
    for protocol in (
        transfer.cross_stage,
        transfer.coherence,
        transfer.alignment_persistence,
        protocols.web_contrast,
        protocols.code_share_correlation,
    ):
        xr.testing.assert_allclose(protocol(grid), protocol(shuffled))


def test_a_constant_benchmark_is_named():
    grid = make_grid(13, scales=("S",))
    grid["accuracy"].loc[{"benchmark": "b3", "stage": "sft"}] = 0.25
    with pytest.warns(ConstantVector, match="accuracy does not vary.*scale S, benchmark b3$"):
        r = transfer.cross_stage(grid)
    assert np.isnan(r.sel(benchmark="b3")).all()
    assert int(np.isnan(r).sum()) == 1
    with pytest.warns(ConstantVector, match="benchmark_i b3"):
        transfer.coherence(grid, "accuracy", "sft", "sft")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda g: transfer.cross_stage(g, "loss"),
            "metric 'loss' is not in the table; it has acc",
        ),
        (lambda g: transfer.cross_stage(g, method="r"), "method 'r' is not known"),
        (
            lambda g: transfer.decision(g, proxy=("XL", "sft")),
            "scale 'XL' is not in the table; it has S, L",
        ),
        (
            lambda g: transfer.cross_stage(g.sel(stage=["pretrain"])),
            "stage 'sft' is not in the table; it has pretrain",
        ),
        (lambda g: transfer.alignment(g.drop_vars("category")), "the benchmarks have no category"),
        (lambda g: transfer.factor_effects(g.drop_vars("web")), "the mixtures have no web"),
        (
            lambda g: protocols.code_share_correlation(g.drop_vars("code_share")),
            "the mixtures have no code_share",
        ),
        (
            lambda g: protocols.web_contrast(g.isel(mixture=[0, 1, 2])),
            "the web variants are V1; a contrast needs V1 and another",
        ),
    ],
)
def test_what_a_grid_lacks_is_refused(call, says):
    with pytest.raises(BadInput, match=says):
        call(make_grid(14))


def test_tidy_has_a_row_a_cell():
    r = transfer.cross_stage(make_grid(15))
    table = transfer.tidy(r)
    assert table.columns.tolist() == ["scale", "benchmark", "category", "value", "n"]
    assert len(table) == r.size
    row = table[(table["scale"] == "L") & (table["benchmark"] == "b4")].iloc[0]
    assert row["value"] == r.sel(scale="L", benchmark="b4").item()
    assert row["n"] == 9


def test_tidy_carries_p_and_takes_a_single_number():
    structure = transfer.structure_persistence(make_grid(16), permutations=9)
    assert transfer.tidy(structure).columns.tolist() == ["scale", "value", "p", "n"]
    single = transfer.tidy(structure.isel(scale=0))
    assert isinstance(single, pd.DataFrame)
    assert len(single) == 1


def test_another_measure_can_be_the_target():
    grid = make_grid(3)
    found = transfer.decision(grid, "nll", target_metric="accuracy")
    # A lower nll is better, so its ranking is turned round before it decides.
    turned = grid.assign(proxy=-grid["nll"])
    expected = transfer.decision(turned, "proxy", target_metric="accuracy")
    xr.testing.assert_allclose(found, expected)
    assert float(found["regret"].max()) <= float(grid["accuracy"].max() - grid["accuracy"].min())


def test_category_means_are_means_and_take_missing_cells_along():
    grid = make_grid(4)
    grid["accuracy"].loc[{"benchmark": "b0", "mixture": "V1P0"}] = np.nan
    found = category_means(grid)
    assert found["benchmark"].to_numpy().tolist()[-1] == "all benchmarks"
    science = grid["accuracy"].isel(benchmark=slice(3, 6)).mean("benchmark")
    xr.testing.assert_allclose(found["accuracy"].sel(benchmark="Science", drop=True), science)
    assert np.isnan(found["accuracy"].sel(benchmark="Commonsense", mixture="V1P0")).all()


def test_orders_that_leave_no_pair_do_not_count_in_mantel():
    x, y = (np.full((4, 4), np.nan) for _ in range(2))
    draws = np.random.default_rng(0)
    for matrix, held in ((x, 3), (y, 3)):
        some = draws.normal(size=(held, held))
        matrix[:held, :held] = some + some.T
    # Three benchmarks have a number in each: an order that moves the fourth leaves one pair.
    found = mantel(x, y, permutations=24)
    orders = list(itertools.permutations(range(3)))
    rows, columns = np.triu_indices(3, 1)
    seen = corr(x[rows, columns], y[rows, columns])
    shuffled = [x[np.ix_(o, o)] for o in map(list, orders)]
    hits = sum(corr(one[rows, columns], y[rows, columns]) >= seen - 1e-9 for one in shuffled)
    assert found == pytest.approx(hits / 6)
