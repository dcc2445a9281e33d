"""The tier of a benchmark follows from its r, its interval and its noise, and from nothing else."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from transfer.tiers import TIERS, ranked, ranking, tier, with_tiers

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "low", "high", "mark", "expected"),
    [
        (0.8, 0.1, 0.9, "measurable", "holds"),
        (0.7, 0.1, 0.9, None, "persists"),
        (0.9, -0.1, 1.0, None, "undecided"),
        (-0.5, -0.9, -0.1, None, "reverses"),
        (0.8, 0.1, 0.9, "not measurable", "mostly noise"),
        (NAN, NAN, NAN, "not measurable", "not measured"),
        (0.8, 0.1, 0.9, NAN, "holds"),
    ],
)
def test_a_tier_says_what_the_interval_says(value, low, high, mark, expected):
    assert tier(value, low, high, mark) == expected


def results():
    return pd.DataFrame(
        {
            "scale": ["S", "S", "L", "L"],
            "benchmark": ["x", "y", "x", "y"],
            "value": [0.9, 0.95, 0.2, 0.5],
            "low": [0.5, -0.1, -0.5, 0.1],
            "high": [1.0, 1.0, 0.6, 0.8],
        }
    )


def grid():
    shape = (2, 2, 1, 3, 2)
    dims = ("scale", "stage", "seed", "mixture", "benchmark")
    values = np.arange(np.prod(shape), dtype=float).reshape(shape) / 100
    coords = {
        "scale": ["S", "L"],
        "stage": ["pretrain", "sft"],
        "benchmark": ["x", "y"],
        "chance": ("benchmark", [0.5, 0.25]),
    }
    return xr.Dataset({"accuracy": (dims, values)}, coords=coords)


def test_tiers_are_ordered_whatever_their_names():
    found = with_tiers(results())["tier"]
    assert list(found.cat.categories) == list(TIERS)
    assert list(found) == ["holds", "undecided", "undecided", "persists"]


def test_the_best_tier_comes_first_then_the_highest_r():
    table = ranked(results(), grid())
    assert list(zip(table["benchmark"], table["scale"], table["stage"], strict=True)) == [
        (name, scale, stage)
        for name, scale in (("x", "S"), ("y", "L"), ("y", "S"), ("x", "L"))
        for stage in ("before", "after")
    ]
    before, after = table["accuracy"][:2]
    cells = grid()["accuracy"].sel(scale="S", benchmark="x")
    assert before == pytest.approx(float(cells.sel(stage="pretrain").mean()))
    assert after == pytest.approx(float(cells.sel(stage="sft").mean()))
    assert set(table["chance"][:2]) == {0.5}


def test_what_is_not_known_has_no_column():
    bare = grid().drop_vars("chance")
    table = ranked(results(), bare)
    assert not {"chance", "ceiling", "reliability", "category"} & set(table)
    shares = xr.full_like(bare["accuracy"].mean(["seed", "mixture"]), 0.4)
    table = ranked(results(), bare, reliable=shares.to_dataset(name="reliability"))
    assert set(table["reliability"]) == {0.4}


def test_the_ranking_shows_intervals_and_sorts_by_their_low_end():
    shown = ranking(ranked(results(), grid()), "Benchmarks")
    assert "low" not in shown.frame
    assert shown.frame["95 % interval"].iloc[0] == "[0.50, 1.00]"
    assert 'data-key="0.5">[0.50, 1.00]<' in shown._repr_html_()
    assert shown.filters == ["scale", "stage", "tier"]
