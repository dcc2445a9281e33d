"""Intervals of factor effects: those of a linear model, and they cover."""

import numpy as np
import pytest
import xarray as xr
from grids import make_grid
from scipy import stats

from transfer.errors import BadInput
from transfer.protocols import alignment_contrast, cross_stage, main_effects, web_contrast
from transfer.uncertainty import factor_interval


def test_it_is_the_interval_of_the_additive_linear_model():
    grid = make_grid(0, seeds=1)
    found = factor_interval(web_contrast, grid).sel(scale="S", stage="sft")
    values = grid["accuracy"].sel(scale="S", stage="sft").squeeze("seed")
    first = str(grid["category"].to_numpy()[0])
    y = values.isel(benchmark=(grid["category"] == first).to_numpy()).mean("benchmark")
    web, share = (grid[name].to_numpy() for name in ("web", "code_share"))
    design = np.stack(
        [np.ones(9), web == "V2", web == "V3", share == 0.35, share == 0.45], axis=1
    ).astype(float)
    coefficients, residual, *_ = np.linalg.lstsq(design, y.to_numpy(), rcond=None)
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * residual / 4)
    reach = stats.t.ppf(0.975, 4) * errors
    for place, contrast in ((1, "V2-V1"), (2, "V3-V1")):
        cell = found.sel(contrast=contrast, category=first)
        assert cell["value"].item() == pytest.approx(coefficients[place])
        assert cell["low"].item() == pytest.approx(coefficients[place] - reach[place])
        assert cell["high"].item() == pytest.approx(coefficients[place] + reach[place])


@pytest.mark.parametrize("protocol", [web_contrast, main_effects])
def test_it_covers_where_there_is_no_effect(protocol):
    draws = np.random.default_rng(1)
    grid = make_grid(0, scales=("S",), seeds=1)
    inside = []
    for _ in range(60):
        grid["accuracy"][:] = draws.normal(size=grid["accuracy"].shape)
        found = factor_interval(protocol, grid)
        inside += ((found["low"] <= 0) & (found["high"] >= 0)).to_numpy().ravel().tolist()
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_alignment_too_and_missing_mixtures_widen_it():
    grid = make_grid(2, seeds=1)
    whole = factor_interval(alignment_contrast, grid)
    assert (whole["low"] < whole["value"]).all()
    fewer = factor_interval(alignment_contrast, grid.isel(mixture=slice(1, None)))
    assert np.isfinite(fewer["low"]).all()
    assert (fewer["n"] == 2).all()


def test_other_protocols_are_refused():
    with pytest.raises(BadInput, match="web contrast, main effect or alignment"):
        factor_interval(cross_stage, make_grid(0))


def test_arguments_go_to_the_protocol_by_any_name():
    grid = make_grid(3)
    found = factor_interval(web_contrast, grid, metric="confidence")
    xr.testing.assert_identical(found, factor_interval(web_contrast, grid, "confidence"))
    ranks = factor_interval(alignment_contrast, grid, "spearman")
    assert not np.allclose(ranks["value"], factor_interval(alignment_contrast, grid)["value"])
    named = factor_interval(alignment_contrast, grid, method="spearman")
    xr.testing.assert_identical(ranks, named)
