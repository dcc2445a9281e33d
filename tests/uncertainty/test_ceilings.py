"""Reliability against R's psych, split halves, and simulations whose truth is known."""

import numpy as np
import pytest
import xarray as xr
from grids import make_grid

import transfer
from transfer.itemwise import DIMENSIONS
from transfer.uncertainty import bootstrap
from transfer.uncertainty.ceilings import (
    ceiling,
    corrected_cross_stage,
    halves,
    marks,
    reliability,
    split_half_reliability,
    spreads,
)

# The cells of constants.R: six mixtures, four items.
CELLS = np.array(
    [[2, 4, 3, 5], [6, 7, 5, 8], [1, 2, 2, 4], [7, 6, 8, 9], [3, 5, 4, 4], [5, 5, 7, 8]], float
)


def items_of(values, **coords):
    """Return one benchmark's items, from an array over scale, stage, seed, mixture, item."""
    labels = {"scale": ["S"], "stage": ["pretrain", "sft"][: values.shape[1]]} | coords
    return {"b": xr.Dataset({"accuracy": (DIMENSIONS, values)}, coords=labels)}


def simulate(seed, mixtures=200, items=100, seeds=1, mix=1.0, run=0.0, item=3.0, rho=0.6):
    """Return items with known components: the mixtures' true scores correlate rho over stages."""
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(mixtures, 1))
    after = rho * before + np.sqrt(1 - rho**2) * rng.normal(size=(mixtures, 1))
    stages = []
    for true in (before, after):
        runs = mix * true[None] + run * rng.normal(size=(seeds, mixtures, 1))
        difficulty = 2 * rng.normal(size=items)
        stages.append(runs + difficulty + item * rng.normal(size=(seeds, mixtures, items)))
    return items_of(np.array(stages)[None])


def test_over_items_it_is_cronbachs_alpha_with_its_interval():
    found = reliability(items_of(CELLS[None, None, None]))
    assert found["from_items"].item() == pytest.approx(0.9540918164)
    assert found["reliability"].item() == pytest.approx(0.9540918164)
    assert found["low"].item() == pytest.approx(0.8358132674, abs=1e-6)
    assert found["high"].item() == pytest.approx(0.9928577901, abs=1e-6)
    assert np.isnan(found["from_seeds"]).all()


def test_over_seeds_it_is_the_intraclass_correlation_of_a_mean():
    # Four items of which each is the seed's score: the columns of constants.R are seeds.
    seeds = np.repeat(CELLS.T[:3, :, None], 4, axis=2)
    found = reliability(items_of(seeds[None, None]))
    # Cronbach's alpha of the seeds: what a seed does to all mixtures alike is left out.
    scores = CELLS.T[:3]
    alpha = 3 / 2 * (1 - scores.var(axis=1, ddof=1).sum() / scores.sum(axis=0).var(ddof=1))
    assert found["from_seeds"].item() == pytest.approx(alpha)


def test_it_finds_the_components_that_made_the_data():
    found = reliability(simulate(0, mixtures=2000, items=40, seeds=3, run=0.8, item=2.0))
    noise = 0.8**2 / 3 + 2.0**2 / 40 / 3
    assert found["reliability"].to_numpy() == pytest.approx(1 / (1 + noise), abs=0.02)
    one = reliability(simulate(1, mixtures=2000, items=40, seeds=1, item=2.0))
    assert one["reliability"].to_numpy() == pytest.approx(1 / (1 + 4.0 / 40), abs=0.02)


def test_split_halves_agree_with_it():
    items = simulate(2, mixtures=60, items=80, item=6.0)
    halved = split_half_reliability(halves(items, splits=300))
    whole = reliability(items)["from_items"]
    np.testing.assert_allclose(halved.transpose("scale", "stage", "benchmark"), whole, atol=0.01)


def test_halves_share_no_item_and_leave_at_most_one_out():
    # The sum over items of 2^i tells which items a half holds.
    values = np.broadcast_to(2.0 ** np.arange(9), (1, 1, 1, 3, 9)).copy()
    found = halves(items_of(values), splits=20)["accuracy"].isel(mixture=0).squeeze()
    sums = (found * 4).round().astype(int).to_numpy()
    for first, second in sums:
        assert first & second == 0
        assert (first | second).bit_count() == 8


def test_the_interval_covers():
    hits = []
    for seed in range(300):
        found = reliability(simulate(seed, mixtures=9, items=30, item=4.0))
        true = 1 / (1 + 16 / 30)
        hits += ((found["low"] <= true) & (true <= found["high"])).to_numpy().ravel().tolist()
    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)


def test_noise_lowers_r_to_the_ceiling_and_the_correction_lifts_it():
    items = simulate(3, mixtures=4000, items=50, item=6.0, rho=0.6)
    means = xr.concat([items["b"]["accuracy"].mean("item")], "benchmark").assign_coords(
        benchmark=["b"]
    )
    seen = float(transfer.cross_stage(means.to_dataset(name="accuracy")).squeeze())
    top = float(ceiling(reliability(items)).squeeze())
    assert seen == pytest.approx(0.6 * top, abs=0.04)
    assert float(corrected_cross_stage(halves(items)).squeeze()) == pytest.approx(0.6, abs=0.06)


def test_what_is_peculiar_to_an_item_does_not_pass_for_a_ranking():
    # Mixtures differ by their luck with the items alone, and keep it through fine-tuning.
    rng = np.random.default_rng(4)
    luck = rng.normal(size=(2000, 30))
    values = np.broadcast_to(luck, (1, 2, 1, 2000, 30)) + 0.1 * rng.normal(size=(1, 2, 1, 2000, 30))
    items = items_of(values)
    means = items["b"]["accuracy"].mean("item").expand_dims(benchmark=["b"])
    assert float(transfer.cross_stage(means.to_dataset(name="accuracy")).squeeze()) > 0.9
    assert marks(reliability(items)).item() == "not measurable"


def test_marks_and_ceilings_of_noise():
    items = simulate(5, mixtures=9, mix=0.0)
    reliable = reliability(items)
    assert marks(reliable).item() == "not measurable"
    clear = reliability(simulate(6, mixtures=9, items=400, item=1.0))
    assert marks(clear).item() == "measurable"
    assert 0.9 < ceiling(clear).item() <= 1


def test_a_missing_seed_is_left_out_and_a_missing_mixture_too():
    items = simulate(7, mixtures=9, seeds=3, run=0.3)
    cells = items["b"]["accuracy"].copy()
    cells[0, :, 2, 4] = np.nan
    cells[0, :, :, 5] = np.nan
    found = reliability({"b": cells.to_dataset(name="accuracy")})
    assert np.isfinite(found["reliability"]).all()
    few = reliability({"b": cells.isel(mixture=[0, 1]).to_dataset(name="accuracy")})
    assert few["reliability"].isnull().all()
    assert marks(few).item() == "not measurable"


def test_the_corrected_r_can_be_resampled():
    items = simulate(8, mixtures=9, items=200, item=1.0)
    found = bootstrap(corrected_cross_stage, halves(items, splits=10), resamples=50)
    assert found["low"].item() <= found["value"].item() <= found["high"].item() + 0.2


def test_spreads_are_numpys():
    grid = make_grid(3, seeds=3)
    found = spreads(grid).sel(scale="S", stage="sft")
    cells = grid["accuracy"].sel(scale="S", stage="sft").transpose("benchmark", "mixture", "seed")
    cells = cells.to_numpy()
    means = cells.mean(axis=2).std(axis=1, ddof=1)
    rest = cells - cells.mean(axis=2, keepdims=True) - cells.mean(axis=1, keepdims=True)
    rest += cells.mean(axis=(1, 2), keepdims=True)
    within = (rest**2).sum(axis=(1, 2)) / (8 * 2)
    np.testing.assert_allclose(found["mixtures"], means)
    np.testing.assert_allclose(found["noise"], np.sqrt(within / 3))
    left = np.sqrt(np.maximum(0, means**2 - within / 3))
    np.testing.assert_allclose(found["signal"], left)
    assert (found["seeds"] == 3).all()


def test_a_shift_that_a_seed_gives_to_all_mixtures_is_no_noise():
    items = simulate(5, mixtures=9, items=200, seeds=1)
    name = next(iter(items))
    one = items[name]
    both = xr.concat([one, one + 0.3], "seed").assign_coords(seed=[0, 1])
    found = reliability({name: both})
    assert (found["from_seeds"] > 1 - 1e-9).all()
    np.testing.assert_allclose(found["reliability"], found["from_items"])


def test_one_seed_has_no_spread():
    found = spreads(make_grid(3, seeds=1))
    assert found["noise"].isnull().all()
    assert (found["mixtures"] > 0).all()
