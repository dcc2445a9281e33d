"""Per-item measures: their means are the measures, and items that belong elsewhere are refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import transfer
from transfer import measures
from transfer.errors import BadInput
from transfer.itemwise import MEANS, ItemsLeftOut, find_itemwise, item_measures, read_itemwise
from transfer.suite import load_suite
from transfer.tables import items_files, read_measures, write_items
from transfer.uncertainty import bootstrap, resampled

RUNS = [(mixture, stage) for mixture in ("V1P0", "V1P1", "V2P0") for stage in ("pretrain", "sft")]
SIZES = {"transitive": 40, "polarity": 60}


@given(st.integers(2, 30), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_means_of_items_are_the_measures(items, options, seed):
    rng = np.random.default_rng(seed)
    scores = -5 * rng.random((items, options))
    scores[rng.random(scores.shape) < 0.2] = np.nan
    scores[:, 0] = -1.0
    gold = np.zeros(items, int)
    expected = measures.summarize(scores, gold)
    for name, values in item_measures(scores, gold).items():
        assert values.mean() == pytest.approx(expected[name])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a folder of items tables and the measures made of them."""
    folder = tmp_path_factory.mktemp("runs")
    for place, (mixture, stage) in enumerate(RUNS):
        rng = np.random.default_rng(place)
        rows = [
            {
                "benchmark": benchmark,
                "item": f"{benchmark}-{number}",
                "gold": number % 2,
                "loglikelihood": (-9 * rng.random(2)).tolist(),
                "n_tokens": [2, 3],
                "n_bytes": [8, 9],
            }
            for benchmark, size in SIZES.items()
            for number in range(size)
        ]
        # The order of items in a file does not matter.
        table = pd.DataFrame(rows).sample(frac=1, random_state=place)
        run = {"suite": "mini", "mixture": mixture, "scale": "S", "seed": 0, "stage": stage}
        write_items(folder / "items" / f"{mixture}-{stage}.parquet", table, run)
    suite = load_suite("mini")
    table = measures.measure_runs(sorted((folder / "items").glob("*.parquet")), suite)
    table.to_csv(folder / "measures.csv", index=False)
    return folder


def test_what_is_read_is_what_the_grid_holds(runs):
    grid = read_measures(runs / "measures.csv")
    items = read_itemwise(items_files(runs / "items"), grid)
    assert list(items) == grid["benchmark"].to_numpy().tolist()
    for name, part in items.items():
        assert part.sizes["item"] == SIZES[name]
        for measure in MEANS:
            np.testing.assert_allclose(
                part[measure].mean("item").transpose(*grid[measure].dims[:-1]),
                grid[measure].sel(benchmark=name),
            )


def test_a_missing_run_is_nan_and_a_smaller_grid_takes_its_part(runs):
    grid = read_measures(runs / "measures.csv", mixtures=["V1P0", "V2P0"])
    items = read_itemwise(sorted((runs / "items").glob("*.parquet")), grid)
    assert items["polarity"].sizes["mixture"] == 2


def test_items_of_other_runs_are_refused(runs):
    grid = read_measures(runs / "measures.csv")
    other = grid.assign(accuracy=grid["accuracy"] + 0.01)
    with pytest.raises(BadInput, match="the items' mean accuracy is not the measures'"):
        read_itemwise(items_files(runs / "items"), other)
    labelled = grid.assign_coords(normalization=("benchmark", ["unconditional"] * 2))
    with pytest.raises(BadInput, match="was not scored with normalization unconditional"):
        read_itemwise(items_files(runs / "items"), labelled)
    with pytest.raises(BadInput, match="no items table has it"):
        read_itemwise([], grid)
    with pytest.raises(BadInput, match="does not say its normalization"):
        read_itemwise([], grid.drop_vars("normalization"))
    assert find_itemwise(runs / "nowhere", grid) == {}
    assert find_itemwise("", grid) == {}
    with pytest.warns(ItemsLeftOut, match="no items of all benchmarks: .* the items' mean acc"):
        assert find_itemwise(runs / "items", other) == {}
    # One benchmark without items takes none of the others away.
    first, second = grid["benchmark"].to_numpy()
    apart = grid.assign(accuracy=grid["accuracy"] + 0.01 * (grid["benchmark"] == second))
    with pytest.warns(ItemsLeftOut, match=f"no items of {second}: benchmark {second}"):
        assert list(find_itemwise(runs / "items", apart)) == [first]
    assert list(find_itemwise(runs / "items", grid)) == list(SIZES)


def test_drawn_items_are_those_of_a_loop(runs):
    grid = read_measures(runs / "measures.csv")
    items = read_itemwise(items_files(runs / "items"), grid)
    drawn = resampled(
        transfer.cross_stage, grid, "confidence", over=("item",), items=items, resamples=20, seed=3
    )
    for place, (name, part) in enumerate(items.items()):
        size = part.sizes["item"]
        chosen = np.random.default_rng([3, place]).integers(size, size=(20, size))
        for number in range(20):
            means = part["confidence"].isel(item=chosen[number]).mean("item")
            fresh = grid.sel(benchmark=[name]).assign(
                confidence=means.expand_dims(benchmark=[name])
            )
            expected = transfer.cross_stage(fresh, "confidence")
            assert drawn.sel(benchmark=name, scale="S").isel(
                resample=number
            ).item() == pytest.approx(expected.item())


def test_the_interval_of_an_accuracy_is_about_its_binomial_error(runs):
    grid = read_measures(runs / "measures.csv")
    items = read_itemwise(items_files(runs / "items"), grid)

    def accuracy(grid):
        return grid["accuracy"].sel(stage="sft").isel(scale=0, seed=0, mixture=0)

    found = bootstrap(accuracy, grid, over=("item",), items=items, resamples=4000)
    share = found["value"].to_numpy()
    error = np.sqrt(share * (1 - share) / np.array([SIZES[b] for b in items]))
    np.testing.assert_allclose(found["high"] - found["low"], 2 * 1.96 * error, rtol=0.1)
    assert found.attrs["interval"] == "items"


def test_all_three_together_are_wider_than_each(runs, monkeypatch):
    # Few mixtures have no interval; this is of how widths add up.
    monkeypatch.setattr("transfer.uncertainty.intervals.FEWEST_MIXTURES", 2)
    grid = read_measures(runs / "measures.csv")
    items = read_itemwise(items_files(runs / "items"), grid)

    def mean(grid):
        return grid["accuracy"].mean(["mixture", "seed", "stage", "scale"])

    widths = {}
    for over in (("item",), ("mixture",), ("item", "mixture", "seed")):
        found = bootstrap(mean, grid, over=over, items=items, resamples=3000)
        widths[over] = (found["high"] - found["low"]).to_numpy()
    assert (widths[("item", "mixture", "seed")] > widths[("item",)]).all()
    assert (widths[("item", "mixture", "seed")] > widths[("mixture",)]).all()
    again = bootstrap(mean, grid, over=("item",), items=items, resamples=3000)
    np.testing.assert_array_equal(widths[("item",)], again["high"] - again["low"])


def test_a_measure_that_is_no_mean_over_items_is_refused(runs):
    grid = read_measures(runs / "measures.csv")
    items = read_itemwise(items_files(runs / "items"), grid)
    with pytest.raises(BadInput, match="measure 'ece' is no mean over items"):
        bootstrap(transfer.cross_stage, grid, "ece", over=("item",), items=items, resamples=5)
    with pytest.raises(BadInput, match="over item: no items given"):
        bootstrap(transfer.cross_stage, grid, over=("item",), resamples=5)
