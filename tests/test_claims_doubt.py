"""What keeps a row of the scorecard from a verdict, and what comparisons of scales rest on."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from grids import DIMS, make_grid

import transfer
from transfer.claims import CLAIMS
from transfer.claims.chance import Chance
from transfer.claims.claim import verdict
from transfer.claims.estimates import Estimates
from transfer.claims.quantities import (
    alignment_of,
    code_helps,
    confidence_less_accuracy,
    negative_share,
)
from transfer.claims.remarks import (
    BOTH,
    effects_are_clear,
    normalized_alike,
    with_all_seeds,
    without_one,
)
from transfer.claims.verdicts import _judge, _quietly, read_published
from transfer.tables import match_seeds, seeds_per_scale

FIGURES = read_published().iloc[:0]


def only(claim, words):
    found = [row for c in CLAIMS if c.name == claim for row in c.rows if words in row.quantity]
    assert len(found) == 1
    return found[0]


def judged(row, grid, scale="S", marks=None):
    return _quietly(row, Estimates(grid, 60, 0, 0.95), scale, FIGURES, marks)


def unequal(number=0):
    """Return a grid with three seeds at S and one at L."""
    grid = make_grid(number, seeds=3)
    gone = (grid["scale"] == "L") & (grid["seed"] > 0)
    return grid.where(~gone)


def test_seeds_are_matched_within_each_mixture():
    grid = unequal()
    matched = match_seeds(grid)
    assert matched.sizes["seed"] == 1
    np.testing.assert_array_equal(
        matched["accuracy"].isel(seed=0),
        grid["accuracy"].sel(seed=0).transpose(*matched["accuracy"].isel(seed=0).dims),
    )
    assert seeds_per_scale(grid)["most"].tolist() == [3, 1]
    # One more seed of one mixture at L lets that mixture keep two at S, though they are others.
    more = make_grid(0, seeds=3)
    first = more["mixture"] == more["mixture"][0]
    more = more.where(
        ~((more["scale"] == "L") & (more["seed"] == 0))
        & ((more["scale"] == "S") | first | (more["seed"] == 1))
    )
    kept = match_seeds(more)["accuracy"].notnull().all(["stage", "benchmark"]).sum("seed")
    assert kept.sel(scale="S").to_numpy().tolist() == [2] + [1] * 8
    assert (kept.sel(scale="S") == kept.sel(scale="L")).all()
    assert seeds_per_scale(more).query("scale == 'L'")[["fewest", "most"]].to_numpy().tolist() == [
        [1, 2]
    ]


def test_two_scales_that_are_alike_do_not_differ_by_their_seeds():
    grid = unequal(1)
    grid["accuracy"].loc[{"scale": "L", "seed": 0}] = grid["accuracy"].sel(
        scale="S", seed=0, drop=True
    )
    found = judged(only("C7", "mean r_acc"), grid, "S to L")
    assert found["ours"] == 0
    r = transfer.cross_stage(grid, "accuracy").mean("benchmark")
    apart = float(r.sel(scale="L") - r.sel(scale="S"))
    assert abs(apart) > 0.05
    assert f"with all (S 3, L 1) it is {apart:.2f}".replace("-", "−") in found["note"]


def test_a_benchmark_that_is_constant_at_one_scale_changes_nothing():
    grid = make_grid(2)
    for name in ("accuracy", "confidence"):
        grid[name].loc[{"scale": "L"}] = grid[name].sel(scale="S", drop=True)
        grid[name].loc[{"scale": "L", "benchmark": "b1", "stage": "sft"}] = 0.5
    for claim, words in (("C7", "mean r_acc"), ("C8", "Science"), ("C10", "Commonsense")):
        row = only(claim, words)
        found = judged(row, grid, "S to L")
        assert found["ours"] == pytest.approx(0, abs=1e-12), claim
    assert "Over 11 of 12 benchmarks." in judged(only("C7", "mean r_acc"), grid, "S to L")["note"]
    # C2 compares two metrics in the same way.
    same = make_grid(3)
    same["confidence"] = same["accuracy"].copy()
    same["confidence"].loc[{"benchmark": "b1", "stage": "sft"}] = 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", transfer.protocols.ConstantVector)
        values = confidence_less_accuracy(Estimates(same, 0, 0, 0.95))
    np.testing.assert_allclose(values, 0, atol=1e-12)


def aligned(level):
    """Return a grid of five Science benchmarks whose last one has a level of its own."""
    grid = make_grid(4, scales=("S",), seeds=1).isel(benchmark=slice(5))
    grid = grid.assign_coords(
        category=("benchmark", ["Science"] * 5),
        normalization=("benchmark", ["unconditional"] * 4 + ["sum"]),
    )
    rng = np.random.default_rng(4)
    noise = 0.001 * rng.normal(size=grid["accuracy"].shape)
    grid["accuracy"] = (DIMS, np.array([0.3, 0.32, 0.34, 0.36, 0.9]) + noise)
    grid["confidence"] = (DIMS, np.array([0.5, 0.55, 0.6, 0.65, level]) + noise)
    return grid


def test_alignment_that_hangs_on_one_benchmark_is_undecided():
    row = only("C11", "Science")
    found = judged(row, aligned(0.1))
    assert found["high"] < 0.5
    assert found["verdict"] == "undecided"
    assert "It changes sides without b4." in found["note"]
    assert "not b4 (sum)" in found["note"]
    steady = judged(row, aligned(0.9))
    assert steady["verdict"] == "agrees"
    assert "changes sides" not in steady["note"]


def test_three_benchmarks_are_too_few_and_one_normalization_needs_no_word():
    e = Estimates(make_grid(5), 0, 0, 0.95)
    assert without_one(alignment_of, "NLI")(only("C11", "Science"), e, "S").withholds == (
        "agrees",
        "disagrees",
    )
    assert normalized_alike("NLI")(only("C11", "Science"), e, "S").words == ""


def marked(*able):
    grid = make_grid(0)
    values = [
        ["measurable" if n in able else "not measurable" for n in grid["benchmark"].values]
    ] * 2
    return xr.DataArray(
        values,
        dims=("scale", "benchmark"),
        coords={"scale": ["S", "L"], "benchmark": grid["benchmark"].values},
    )


def test_that_there_is_none_needs_all_benchmarks_measured():
    grid = make_grid(6, scales=("S",), seeds=1)
    # Every ranking persists, and no benchmark is a negative one.
    grid["accuracy"].loc[{"stage": "sft"}] = grid["accuracy"].sel(stage="pretrain") + 0.1
    row = only("C4", "r_acc < 0")
    names = [str(name) for name in grid["benchmark"].values]
    assert judged(row, grid, marks=marked(*names))["verdict"] == "disagrees"
    some = judged(row, grid, marks=marked(*names[1:]))
    assert some["ours"] == 0
    assert some["verdict"] == "undecided"
    assert "One of the others may be such a benchmark." in some["note"]


def test_noise_does_not_make_a_ranking_weak():
    rng = np.random.default_rng(6)
    grid = make_grid(6, scales=("S",), seeds=1)
    # A ranking of pure noise: its r is near 0, and "weak" by its interval.
    grid["accuracy"] = (DIMS, 0.5 + 0.05 * rng.normal(size=grid["accuracy"].shape))
    before = grid["accuracy"].sel(stage="pretrain", benchmark=["b6", "b7"])
    grid["accuracy"].loc[{"stage": "sft", "benchmark": ["b6", "b7"]}] = -before + 1
    row = only("C1", "NLI")
    assert judged(row, grid)["verdict"] == "agrees"
    noise = judged(row, grid, marks=marked("b0", "b8"))
    assert noise["verdict"] == "undecided"
    assert "not measurable: b6 and b7." in noise["note"]
    able = judged(row, grid, marks=marked("b6", "b7"))
    assert able["ours"] == pytest.approx(-1)
    assert able["verdict"] == "agrees"
    assert "Over the 2 measurable of 3 benchmarks." in able["note"]
    negative = only("C4", "r_acc < 0")
    assert judged(negative, grid)["verdict"] == "agrees"
    assert judged(negative, grid, marks=marked("b0"))["verdict"] != "agrees"
    assert "12 of 12" in judged(negative, grid, marks=marked())["note"]


def test_noise_does_not_refute_that_a_ranking_is_strong():
    grid = make_grid(6, scales=("S",), seeds=1)
    names = ["b0", "b1", "b2"]
    before = grid["accuracy"].sel(stage="pretrain", benchmark=names)
    grid["accuracy"].loc[{"stage": "sft", "benchmark": names}] = 1 - before
    row = only("C1", "Commonsense")
    assert judged(row, grid)["verdict"] == "disagrees"
    one = judged(row, grid, marks=marked("b1", "b8"))
    assert one["verdict"] == "undecided"
    assert "1 of its benchmarks is measurable: noise may have made it weak." in one["note"]
    two = judged(row, grid, marks=marked("b1", "b2"))
    assert two["verdict"] == "disagrees"
    assert "Over the 2 measurable ones it is −1.00" in two["note"]
    # The measurable ones persist: the others alone made the mean weak.
    grid["accuracy"].loc[{"stage": "sft", "benchmark": names[1:]}] = before.sel(benchmark=names[1:])
    weak = {"stage": "sft", "benchmark": "b0"}
    grid["accuracy"].loc[weak] = 1 - before.sel(benchmark="b0")
    assert judged(row, grid)["verdict"] == "disagrees"
    held = judged(row, grid, marks=marked("b1", "b2"))
    assert held["verdict"] != "disagrees"


def test_science_has_to_change_its_sign():
    def science(small, large):
        rng = np.random.default_rng(7)
        grid = make_grid(7, seeds=1).isel(benchmark=[3, 4])
        x = rng.normal(size=9)
        both = [np.stack([x, sign * x], -1) for sign in (small, large)]
        values = np.stack(both)[:, None, None] + 0.2 * rng.normal(size=(2, 2, 1, 9, 2))
        return grid.assign(accuracy=(DIMS, 0.5 + 0.1 * values))

    row = only("C8", "Science")
    turned = judged(row, science(-1, 1), "S to L")
    assert turned["verdict"] == "agrees"
    risen = judged(row, science(0.05, 3), "S to L")
    assert verdict(risen["low"], risen["high"], 0, None) == "agrees"
    assert risen["verdict"] == "undecided"
    assert "no sure change of sign" in risen["note"]


def test_the_structure_needs_its_interval_too():
    grid = make_grid(8)
    row = only("C3", "structure")
    e = Estimates(grid, 60, 0, 0.95)
    for p, low, said in (
        (0.001, 0.1, "agrees"),
        (0.001, -0.1, "undecided"),
        (0.2, 0.1, "undecided"),
    ):
        made = replace(
            row,
            estimate=lambda e, s, low=low: (0.3, low, 0.6),
            test=lambda e, s, p=p: Chance(p, one_sided=True),
        )
        assert _judge(made, e, "S", FIGURES, None)["verdict"] == said


@pytest.mark.parametrize("words", ["mean alignment persistence", "persistence of NLI"])
def test_the_persistence_of_alignment_needs_its_test_too(words):
    row = only("C12", words)
    e = Estimates(make_grid(8), 60, 0, 0.95)
    high, low = (0.3, 0.1, 0.6), (-0.3, -0.6, -0.1)
    for p, said in ((0.001, BOTH), (0.2, ("undecided",) * 2)):
        for ours in (high, low):
            made = replace(
                row,
                estimate=lambda e, s, ours=ours: ours,
                test=lambda e, s, p=p: Chance(p),
                remarks=(),
            )
            found = _judge(made, e, "S", FIGURES, None)
            agrees = (ours is high) == (row.above == 0)
            assert found["verdict"] == said[0 if agrees else 1]
            assert ("test does not say" in found["note"]) == (p == 0.2)


def test_one_benchmark_of_many_needs_the_level_of_all():
    # r = −0.85 over nine mixtures is p = 0.004: enough for one benchmark, not for one of twenty.
    x = np.arange(9.0)
    rng = np.random.default_rng(9)
    off = rng.normal(size=9)
    off -= off.mean() + (off @ (x - x.mean())) / ((x - x.mean()) @ (x - x.mean())) * (x - x.mean())
    unit = (x - x.mean()) / np.linalg.norm(x - x.mean())
    y = -0.85 * unit + np.sqrt(1 - 0.85**2) * off / np.linalg.norm(off)
    cells = rng.normal(size=(1, 2, 1, 9, 20))
    cells[0, 1, 0] = cells[0, 0, 0]
    cells[0, 0, 0, :, 0], cells[0, 1, 0, :, 0] = unit, y
    grid = xr.Dataset(
        {"accuracy": (DIMS, cells)},
        coords={
            "scale": ["S"],
            "stage": ["pretrain", "sft"],
            "benchmark": [f"b{n}" for n in range(20)],
        },
    )
    one = negative_share(Estimates(grid.isel(benchmark=[0]), 400, 0, 0.95), "S")
    assert one[0] == 1
    assert one[1] == 1
    many = negative_share(Estimates(grid, 400, 0, 0.95), "S")
    assert many[0] == pytest.approx(1 / 20)
    assert many[1] == 0


def test_commonsense_gainers_are_not_counted():
    grid = make_grid(10, scales=("S",), seeds=1)
    gain = xr.where(grid["category"] == "Commonsense", 1, -1)
    noise = 0.001 * np.random.default_rng(10).normal(size=grid["accuracy"].shape)
    grid["accuracy"] = (0.5 + 0.1 * gain * grid["code_share"]).broadcast_like(
        grid["accuracy"]
    ) + noise
    assert code_helps(Estimates(grid, 60, 0, 0.95), "S")[0] == 0


def test_equal_seeds_need_no_word():
    e = Estimates(make_grid(11), 10, 0, 0.95)
    assert with_all_seeds(only("C7", "mean r_acc"), e.matched, "S to L", e).words == ""


def test_a_product_of_effects_needs_both_clear_of_the_designs_noise():
    grid = make_grid(12, scales=("S",), seeds=1)
    row = only("C13", "alignment")
    remark = effects_are_clear(row, Estimates(grid, 60, 0, 0.95), "S")
    assert remark.withholds == BOTH
    assert "not both are clear of zero" in remark.words
    # The filter takes accuracy away and puts confidence in line with it, in NLI alone.
    nli = (grid["category"] == "NLI") & (grid["web"] == "V2")
    level = xr.DataArray(np.linspace(0, 1, grid.sizes["benchmark"]), dims="benchmark")
    noise = 0.001 * grid["accuracy"]
    grid["confidence"] = 0.5 + xr.where(grid["web"] == "V2", 1, -1) * 0.1 * level + noise
    grid["accuracy"] = 0.5 + 0.1 * level - 0.2 * nli + noise
    remark = effects_are_clear(row, Estimates(grid, 60, 0, 0.95), "S")
    assert remark.withholds == ()
