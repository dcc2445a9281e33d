"""Dependent correlations against published examples, R's psych, and simulation.

R's cocor could not be installed here. The constants marked cocor are those of its own tests, which
cite the papers; constants.R made the others.
"""

import numpy as np
import pytest
import xarray as xr
from grids import make_grid

from transfer.uncertainty import sides, steiger, zou_interval
from transfer.uncertainty.dependent import Correlations, compared


def test_steiger_without_a_shared_variable():
    # Steiger (1980), case B: -1.4045 in the paper, -1.4050 by cocor, -1.404974816 by psych.
    case_b = Correlations(jk=0.5, hm=0.6, jh=0.8, jm=0.5, kh=0.5, km=0.7)
    z, p = steiger(case_b, 103)
    assert z == pytest.approx(-1.404974816, abs=1e-9)
    assert p == pytest.approx(0.160029, abs=1e-5)
    z, _ = steiger(Correlations(jk=0.3, hm=0.4, jh=0.2, jm=0.1, kh=0.15, km=0.25), 60)
    assert z == pytest.approx(-0.6231530304, abs=1e-9)
    # Silver, Hittner and May (2006), by cocor.
    z, p = steiger(Correlations(jk=0.3, hm=0.4, jh=0.5, jm=0.8, kh=0.6, km=0.7), 100)
    assert (round(z, 4), round(p, 4)) == (-1.0744, 0.2827)


def test_steiger_with_a_shared_variable():
    # Steiger (1980), case A, and Silver, Hittner and May (2006), both by cocor.
    z, _ = steiger(Correlations.overlapping(0.4, 0.5, 0.1), 103, shared=True)
    assert z == pytest.approx(-0.8887185, abs=1e-7)
    z, p = steiger(Correlations.overlapping(0.3, 0.4, 0.5), 100, shared=True)
    assert (round(z, 4), round(p, 4)) == (-1.0718, 0.2838)


def test_zous_interval():
    # Zou (2007), overlapping correlations.
    low, high = zou_interval(Correlations.overlapping(0.396, 0.179, 0.088), 66)
    assert (round(low, 3), round(high, 3)) == (-0.093, 0.517)


def test_without_any_tie_zous_interval_is_that_of_independent_groups():
    # Zou (2007), independent groups of 145 and 87; here both have the same size.
    r = Correlations(jk=0.49, hm=0.36, jh=0, jm=0, kh=0, km=0)
    low, high = zou_interval(r, 100)
    l1, u1 = (np.tanh(np.arctanh(0.49) + s * 1.959964 / np.sqrt(97)) for s in (-1, 1))
    l2, u2 = (np.tanh(np.arctanh(0.36) + s * 1.959964 / np.sqrt(97)) for s in (-1, 1))
    assert low == pytest.approx(0.13 - np.hypot(0.49 - l1, u2 - 0.36), abs=1e-6)
    assert high == pytest.approx(0.13 + np.hypot(u1 - 0.49, 0.36 - l2), abs=1e-6)


def test_both_hold_their_level_in_simulation():
    rng = np.random.default_rng(0)
    true = np.array(
        [[1, 0.5, 0.6, 0.3], [0.5, 1, 0.3, 0.5], [0.6, 0.3, 1, 0.5], [0.3, 0.5, 0.5, 1]]
    )
    drawn = rng.normal(size=(4000, 60, 4)) @ np.linalg.cholesky(true).T
    unit = drawn - drawn.mean(axis=1, keepdims=True)
    unit /= np.sqrt((unit**2).sum(axis=1, keepdims=True))
    r = np.einsum("sni,snj->sij", unit, unit)
    six = Correlations(
        jk=r[:, 0, 1], hm=r[:, 2, 3], jh=r[:, 0, 2], jm=r[:, 0, 3], kh=r[:, 1, 2], km=r[:, 1, 3]
    )
    _, p = steiger(six, 60)
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.012)
    low, high = zou_interval(six, 60)
    assert ((low <= 0) & (high >= 0)).mean() == pytest.approx(0.95, abs=0.012)


def test_correlations_of_vectors():
    rng = np.random.default_rng(1)
    j, k, h, m = rng.normal(size=(4, 9))
    r = Correlations.of(j, k, h, m)
    assert r.jm == pytest.approx(np.corrcoef(j, m)[0, 1])
    assert r.kh == pytest.approx(np.corrcoef(k, h)[0, 1])


def test_a_benchmark_that_is_not_there_leaves_the_others_alone():
    grid = make_grid(3, seeds=1)
    pair = sides(grid, "accuracy", "confidence")
    whole = compared(pair)
    pair["measure"].loc[{"benchmark": pair["benchmark"].to_numpy()[0], "side": 1}] = np.nan
    part = compared(pair)
    rest = slice(1, None)
    xr.testing.assert_allclose(whole.isel(benchmark=rest), part.isel(benchmark=rest))
    assert part["p"].isel(benchmark=0).isnull().all()
