"""The scorecard: published numbers as they are, verdicts by the rule, and gaps said aloud."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from grids import CATEGORIES, DIMS, make_grid

import transfer
from transfer import findings
from transfer.claims import CLAIMS, VERDICTS, read_published, verdict
from transfer.claims.view import as_table
from transfer.errors import BadInput
from transfer.uncertainty import bootstrap

COLUMNS = {"claim", "quantity", "published", "source", "ours", "low", "high", "verdict", "note"}


def card(grid, **kwargs):
    return transfer.scorecard(grid, resamples=300, **kwargs)


def row(table, claim, words, scale=None):
    found = table[(table["claim"] == claim) & table["quantity"].str.contains(words, regex=False)]
    if scale:
        found = found[found["scale"] == scale]
    assert len(found) == 1
    return found.iloc[0]


@pytest.fixture(scope="module")
def two_scales():
    return card(make_grid(0))


@pytest.fixture(scope="module")
def one_scale():
    return card(make_grid(0, scales=("S",)))


@pytest.mark.parametrize(
    ("low", "high", "above", "below", "said"),
    [
        (0.1, 0.5, 0, None, "agrees"),
        (-0.5, -0.1, 0, None, "disagrees"),
        (-0.1, 0.5, 0, None, "undecided"),
        (0.1, 0.5, None, 0, "disagrees"),
        (-0.5, -0.1, None, 0, "agrees"),
        (-0.5, 0.0, None, 0, "undecided"),
        (0.0, 0.0, 0, None, "disagrees"),
        (-0.2, 0.2, -0.3, 0.3, "agrees"),
        (0.4, 0.6, -0.3, 0.3, "disagrees"),
        (0.2, 0.6, -0.3, 0.3, "undecided"),
        (np.nan, 0.6, 0, None, "not testable yet"),
    ],
)
def test_the_rule(low, high, above, below, said):
    assert verdict(low, high, above, below) == said


def test_every_claim_has_a_row(two_scales, one_scale):
    names = [f"C{number}" for number in range(1, 15)]
    assert [claim.name for claim in CLAIMS] == names
    for table in (two_scales, one_scale):
        assert set(table.columns) >= COLUMNS
        assert list(dict.fromkeys(table["claim"])) == names
        assert set(table["verdict"]) <= set(VERDICTS)
        tested = table[table["verdict"] != "not testable yet"]
        assert np.isfinite(tested[["ours", "low", "high"]].to_numpy(float)).all()


def test_one_scale_says_what_it_cannot_say(one_scale, two_scales):
    for claim in ("C7", "C8", "C10"):
        part = one_scale[one_scale["claim"] == claim]
        assert set(part["verdict"]) == {"not testable yet"}
        assert part["note"].str.startswith("not testable yet: one scale").all()
        again = two_scales[two_scales["claim"] == claim]
        assert "not testable yet" not in set(again["verdict"])
    # What does not compare scales is tested with one, and is the same.
    for claim in ("C1", "C2", "C11", "C12"):
        part = one_scale[one_scale["claim"] == claim]
        assert "not testable yet" not in set(part["verdict"])


def test_published_numbers_and_their_sources_are_carried(two_scales):
    c2 = row(two_scales, "C2", "less")
    assert c2["published_value"] == pytest.approx(0.68 - 0.49)
    assert "240M 0.68" in c2["published"]
    assert "240M 0.49" in c2["published"]
    assert c2["source"] == "digest"
    assert row(two_scales, "C7", "mean r_acc")["published_value"] == pytest.approx(0.60 - 0.49)
    assert row(two_scales, "C7", "mean r_conf with")["published_value"] == pytest.approx(
        0.39 - 0.68
    )
    figure = row(two_scales, "C7", "r_conf in Science")
    assert figure["published_value"] == pytest.approx(0.49 - 0.82)
    assert figure["source"] == "paper_figure_1"
    assert row(two_scales, "C8", "Science")["published_value"] == pytest.approx(0.17 + 0.19)
    science = row(two_scales, "C11", "Science", "L")
    assert science["published_value"] == pytest.approx((0.81 + 0.83) / 2)
    assert row(two_scales, "C12", "NLI", "S")["published_value"] == -0.41


def test_ours_is_the_protocols_value():
    grid = make_grid(1)
    table = card(grid)
    r = transfer.cross_stage(grid, "confidence").mean("benchmark")
    change = row(table, "C7", "mean r_conf with")
    assert change["ours"] == pytest.approx((r.sel(scale="L") - r.sel(scale="S")).item())

    def gap(g):
        sure = transfer.cross_stage(g, "confidence").mean("benchmark")
        return sure - transfer.cross_stage(g, "accuracy").mean("benchmark")

    expected = bootstrap(gap, grid, resamples=300, kind="bca").sel(scale="S")
    c2 = row(table, "C2", "less")
    for name, mine in (("value", "ours"), ("low", "low"), ("high", "high")):
        assert c2[mine] == pytest.approx(expected[name].item())
    structure = transfer.structure_persistence(grid, "confidence", permutations=0)
    assert row(table, "C3", "structure")["ours"] == pytest.approx(structure.sel(scale="S").item())
    coherence = transfer.by_category(transfer.coherence(grid, "accuracy")).sel(scale="S")
    ours = row(table, "C5", "Semantic", "S")["ours"]
    assert ours == pytest.approx(coherence.sel(category="Semantic").item())
    product = transfer.factor_effects(grid).sel(
        scale="S", stage="pretrain", contrast="V2-V1", category="NLI"
    )
    trade = product["web_contrast"] * product["alignment_contrast"]
    assert row(table, "C13", "alignment", "S")["ours"] == pytest.approx(trade.item())


def persistent(signs):
    """Return a grid in which SFT keeps (1) or turns round (-1) the ranking in each category."""
    rng = np.random.default_rng(2)
    sign = np.array([signs[name] for name in CATEGORIES])
    before = rng.normal(size=(1, 1, 1, 9, 12))
    after = sign * before + 0.05 * rng.normal(size=before.shape)
    grid = make_grid(2, scales=("S",), seeds=1)
    grid["accuracy"] = (DIMS, 0.5 + 0.05 * np.concatenate([before, after], axis=1))
    return grid


def test_verdicts_follow_the_data():
    claimed = card(persistent({"Commonsense": 1, "Science": 1, "NLI": -1, "Semantic": -1}))
    assert set(claimed.loc[claimed["claim"] == "C1", "verdict"]) == {"agrees"}
    negative = row(claimed, "C4", "r_acc < 0")
    assert negative["ours"] == pytest.approx(0.5)
    assert negative["verdict"] == "agrees"
    opposite = card(persistent({"Commonsense": -1, "Science": -1, "NLI": 1, "Semantic": 1}))
    assert set(opposite.loc[opposite["claim"] == "C1", "verdict"]) == {"disagrees"}
    never = card(persistent(dict.fromkeys(CATEGORIES, 1)))
    assert row(never, "C4", "r_acc < 0")["verdict"] == "disagrees"


def test_code_that_hurts_is_seen():
    grid = make_grid(3, scales=("S",), seeds=1)
    noise = 0.001 * xr.DataArray(
        np.random.default_rng(3).normal(size=(9, 12)), dims=("mixture", "benchmark")
    )
    hurt = xr.where(grid["category"] == "Commonsense", -1, 1)
    grid["accuracy"] = (0.5 + 0.1 * hurt * grid["code_share"] + noise).broadcast_like(
        grid["accuracy"]
    )
    table = card(grid)
    assert row(table, "C14", "mean r")["verdict"] == "agrees"
    helped = row(table, "C14", "gain")
    # All the gainers are outside Commonsense, and only those are counted.
    assert helped["ours"] == 1
    assert helped["verdict"] == "agrees"


def test_what_a_users_grid_lacks_is_said():
    bare = make_grid(4, scales=("S",)).drop_vars(["web", "code_share", "category", "confidence"])
    table = card(bare)
    assert row(table, "C2", "less")["note"].startswith(
        "not testable yet: metric 'confidence' is not in the table"
    )
    assert "the mixtures have no code_share" in row(table, "C14", "gain")["note"]
    assert "have no category" in row(table, "C5", "Semantic")["note"]
    assert row(table, "C4", "r_acc < 0")["verdict"] != "not testable yet"


def test_a_category_that_is_not_there_is_said():
    grid = make_grid(5, scales=("S",))
    table = card(grid.isel(benchmark=np.flatnonzero(grid["category"] != "NLI")))
    assert "no category NLI" in row(table, "C12", "NLI")["note"]


def test_the_scorecard_is_reproducible():
    grid = make_grid(6, scales=("S",))
    pd.testing.assert_frame_equal(card(grid), card(grid))


def test_the_table_of_a_page_has_the_verdict_of_each_row(two_scales):
    frame = as_table(two_scales, "The claims").frame
    assert list(frame["verdict"]) == list(two_scales["verdict"])
    assert list(frame.columns[:5]) == ["claim", "scale", "verdict", "quantity", "here"]
    assert list(frame["claim"].cat.categories) == [f"C{number}" for number in range(1, 15)]
    c2 = row(two_scales, "C2", "less")
    shown = frame[frame["claim"] == "C2"].iloc[0]
    assert shown["here"] == findings.number(c2["ours"], c2["low"], c2["high"])
    assert shown["note"] == c2["note"]


def test_published_figures_may_come_as_a_table(one_scale):
    figures = pd.read_csv(transfer.suite.repository() / "data" / "paper" / "figures.csv")
    table = card(make_grid(0, scales=("S",)), published=figures)
    pd.testing.assert_frame_equal(table, one_scale)


def test_published_figures_that_cannot_be_used(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        read_published(tmp_path / "absent.csv")
    (tmp_path / "figures.csv").write_text("quantity,value\nx,1\n")
    with pytest.raises(BadInput, match="column unit_name is missing; add it"):
        read_published(tmp_path / "figures.csv")


def test_without_resamples_the_side_is_that_of_the_value():
    table = transfer.scorecard(make_grid(0), resamples=0)
    tested = table[table["verdict"] != "not testable yet"]
    assert set(tested["verdict"]) <= {"agrees", "disagrees"}
    np.testing.assert_array_equal(tested["low"], tested["ours"])


def test_the_method_reaches_every_quantity():
    grid = make_grid(1)
    ours = row(transfer.scorecard(grid, resamples=0, method="spearman"), "C7", "mean r_acc")["ours"]
    r = transfer.cross_stage(grid, "accuracy", method="spearman").mean("benchmark")
    assert ours == pytest.approx((r.sel(scale="L") - r.sel(scale="S")).item())
