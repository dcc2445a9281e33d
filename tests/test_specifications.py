"""The specification curve: every combination once, and the book's own among them."""

import numpy as np
import pandas as pd
import pytest
from grids import make_grid

import transfer
from transfer.claims import agreement, specification_curve
from transfer.claims.specifications import Specification, specifications
from transfer.entries import CATEGORIES
from transfer.suite import load_suite
from transfer.uncertainty.ceilings import MARKS

KINDS = ("sum", "unconditional")
SUITE = load_suite("mini")
NAMES = [
    entry.name
    for category in CATEGORIES
    for entry in [e for e in SUITE.benchmarks if e.category == category][:3]
]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Return a measures table of one scale, two seeds and two normalizations."""
    path = tmp_path_factory.mktemp("curve") / "measures.csv"
    rows = []
    for place, kind in enumerate(KINDS):
        grid = make_grid(place, scales=("S",)).assign_coords(benchmark=NAMES)
        frame = grid[["accuracy", "confidence"]].to_dataframe().reset_index()
        gold = make_grid(place + 10, scales=("S",)).assign_coords(benchmark=NAMES)
        gold = gold["accuracy"].to_dataframe("gold_probability")
        frame = frame.merge(
            gold.reset_index()[[*grid.dims, "gold_probability"]], on=list(grid.dims)
        )
        rows.append(frame.assign(normalization=kind, suite="mini"))
    kept = [
        "suite",
        "mixture",
        "scale",
        "seed",
        "stage",
        "benchmark",
        "category",
        "normalization",
        "accuracy",
        "confidence",
        "gold_probability",
    ]
    pd.concat(rows)[kept].to_csv(path, index=False)
    return path


def test_every_combination_once():
    found = list(specifications([0], marked=True))
    assert len(found) == len(set(found)) == 3 * 5 * 2 * 2
    assert Specification() in found
    assert len(list(specifications([0], marked=False))) == 3 * 5 * 2
    assert len(list(specifications([0, 1, 2], marked=False))) == 3 * 5 * 2 + 3 * 3


def test_own_values_are_the_scorecards_and_absent_normalizations_are_left_out(table):
    marks = {name: MARKS[place % 2] for place, name in enumerate(NAMES)}
    curve = specification_curve(table, marks, "mini")
    own = curve[
        (curve["method"] == "pearson")
        & curve["normalization"].str.startswith("each")
        & (curve["measure"] == "accuracy")
        & (curve["seeds"] == "averaged")
        & (curve["benchmarks"] == "all")
    ]
    grid = transfer.read_measures(table, suite="mini")
    card = transfer.scorecard(grid, resamples=0)
    np.testing.assert_allclose(own["value"].to_numpy(float), card["ours"].to_numpy(float))
    assert "token" not in set(curve["normalization"])
    assert set(curve["seeds"]) == {"averaged", "seed 0", "seed 1"}
    half = curve[(curve["benchmarks"] == "measurable only") & (curve["method"] == "pearson")]
    assert half["value"].notna().any()


def test_agreement_counts(table):
    curve = specification_curve(table, None, "mini")
    counted = agreement(curve)
    part = curve[(curve["claim"] == "C2")]
    row = counted[counted["claim"] == "C2"].iloc[0]
    assert row["specifications"] == len(part)
    assert row["agree"] == (part["side"] == "agrees").sum()
    assert row["lowest"] == part["value"].min()
    assert row["own"] in ("agrees", "disagrees")
