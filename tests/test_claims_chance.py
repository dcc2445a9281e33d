"""p-values of the claims: against scipy's permutation test, and against loops."""

from itertools import permutations

import numpy as np
import pytest
from grids import make_grid
from scipy.stats import pearsonr, permutation_test

import transfer
from transfer.claims import chance
from transfer.claims.estimates import Estimates, NotTestable


def estimates(grid):
    return Estimates(grid, 10, 0, 0.95)


def few(number=0, mixtures=6):
    return make_grid(number).isel(mixture=slice(mixtures))


def mean_r(before, after):
    """Return the mean over benchmarks of r over mixtures; (mixture, benchmark) arrays."""
    return np.mean([pearsonr(x, y).statistic for x, y in zip(before.T, after.T, strict=True)])


def both_stages(grid, metric, scale, categories):
    part = grid[metric].mean("seed").sel(scale=scale)
    part = part.isel(benchmark=np.isin(part["category"].to_numpy().astype(str), categories))
    return [part.sel(stage=s).transpose("mixture", "benchmark").values for s in ("pretrain", "sft")]


def test_the_tie_of_rankings_is_scipys():
    grid = few(3)
    before, after = both_stages(grid, "accuracy", "S", ["Science"])

    def statistic(places):
        return mean_r(before, after[places.astype(int)])

    expected = permutation_test(
        (np.arange(6.0),), statistic, permutation_type="pairings", n_resamples=np.inf
    )
    seen = mean_r(before, after)
    assert expected.statistic == pytest.approx(seen)
    # scipy's two-sided p doubles the smaller tail; ours counts both tails as they are.
    p = np.mean(np.abs(expected.null_distribution) >= abs(seen) - 1e-12)
    ours = chance.tie_of_rankings("accuracy", "Science")(estimates(grid), "S")
    assert ours.p == pytest.approx(p)


def test_restricted_orders_stay_within_the_web_source():
    grid = make_grid(4)
    before, after = both_stages(grid, "accuracy", "L", ["NLI"])
    web = grid["web"].to_numpy()
    blocks = [np.flatnonzero(web == name) for name in dict.fromkeys(web)]
    seen = mean_r(before, after)
    found = []
    for first in permutations(blocks[0]):
        for second in permutations(blocks[1]):
            for third in permutations(blocks[2]):
                order = np.empty(9, int)
                for block, moved in zip(blocks, (first, second, third), strict=True):
                    order[block] = moved
                found.append(mean_r(before, after[order]))
    ours = chance.tie_of_rankings("accuracy", "NLI")(estimates(grid), "L")
    assert len(found) == 6**3
    # Extreme is far from the mean over these orders, which need not be 0.
    away = np.abs(np.array(found) - np.mean(found))
    expected = np.mean(away >= abs(seen - np.mean(found)) - 1e-12)
    assert ours.within_web == pytest.approx(expected)


def test_the_tie_of_alignment_is_that_of_its_own_ranking():
    grid = few(5)
    aligned = transfer.alignment(grid).sel(scale="S", category="NLI")
    x, y = (aligned.sel(stage=stage).to_numpy() for stage in ("pretrain", "sft"))
    null = [abs(pearsonr(x, y[list(order)]).statistic) for order in permutations(range(6))]
    ours = chance.tie_of_alignment("NLI")(estimates(grid), "S")
    assert ours.p == pytest.approx(np.mean(np.array(null) >= abs(pearsonr(x, y).statistic) - 1e-12))


def test_what_is_alike_on_both_sides_is_never_told_apart():
    grid = make_grid(6)
    same = grid.assign(confidence=grid["accuracy"])
    assert chance.metrics_differ(estimates(same), "S").p == 1
    twice = grid.copy()
    twice["accuracy"] = twice["accuracy"].copy()
    twice["accuracy"].loc[{"scale": "L"}] = twice["accuracy"].sel(scale="S", drop=True).to_numpy()
    assert chance.scales_differ("accuracy")(estimates(twice), "S to L").p == 1


def test_the_structure_claim_rests_on_mantels_test():
    grid = make_grid(7)
    card = transfer.scorecard(grid, resamples=50)
    row = card[card["claim"] == "C3"].iloc[0]
    expected = transfer.structure_persistence(grid, "confidence")["p"].sel(scale="S").item()
    assert row["p"] == expected
    by_interval = "agrees" if row["low"] > 0 else "undecided"
    assert row["verdict"] == (by_interval if expected < 0.025 else "undecided")


@pytest.mark.parametrize(
    ("p", "one_sided", "allowed"),
    [
        (0.01, True, {"agrees"}),
        (0.03, True, set()),
        (0.97, True, set()),
        (0.99, True, {"disagrees"}),
        (0.03, False, {"agrees", "disagrees"}),
        (0.06, False, set()),
        (0.99, False, set()),
        (np.nan, False, set()),
        (np.nan, True, set()),
    ],
)
def test_each_side_has_the_error_of_the_interval(p, one_sided, allowed):
    test = chance.Chance(p, one_sided=one_sided)
    assert {said for said in ("agrees", "disagrees") if test.allows(said, 0.95)} == allowed


def test_what_is_missing_is_said():
    bare = make_grid(8).drop_vars("category")
    with pytest.raises(NotTestable, match="no category"):
        chance.tie_of_rankings("accuracy", "NLI")(estimates(bare), "S")
    with pytest.raises(NotTestable, match="no benchmark of Cooking"):
        chance.tie_of_rankings("accuracy", "Cooking")(estimates(make_grid(8)), "S")
    without = make_grid(8).drop_vars(["web", "code_share"])
    found = chance.tie_of_rankings("accuracy", "NLI")(estimates(without), "S")
    assert np.isfinite(found.p)
    assert np.isnan(found.within_web)
    assert np.isnan(found.within_composition)
