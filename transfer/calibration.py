"""Calibration proper: is confidence right in size, and not only in its order?

`transfer.measures` has the plain expected calibration error, the Brier score over options, AURC and
AUROC. Here are estimates without the bias of bins, and what the error of confidence is made of. All
take the confidence in the selected option and whether it was right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.fft import dct, idct
from scipy.optimize import isotonic_regression

from transfer.measures import ECE_BINS, aurc, auroc, ece, whole_bins

GRID = 1024
"""Cells that [0, 1] is cut into for the smooth calibration error."""


class Decomposition(NamedTuple):
    """The squared error of confidence, `score` = miscalibration − discrimination + uncertainty."""

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float


def debiased_error(confidences: np.ndarray, is_correct: np.ndarray, bins: int = ECE_BINS) -> float:
    r"""Return the root mean square calibration error, without the bias of finite bins.

    .. math:: \sqrt{\max\Bigl(0,\; \sum_B \frac{|B|}{n} \Bigl[(\bar a_B - \bar c_B)^2
              - \frac{\bar a_B (1 - \bar a_B)}{|B| - 1}\Bigr]\Bigr)}

    over bins of equal mass: the square of each gap less what chance alone adds to it (Kumar, Liang
    and Ma, 2019). A calibrated model has 0 on average before the root; the plain error has not.
    Items of one confidence are in one bin. Bins of one item are left out.
    """
    right, sure = np.asarray(is_correct, float), np.asarray(confidences, float)
    total = 0.0
    for places in whole_bins(sure, bins):
        size = len(places)
        if size < 2:
            continue
        mean = right[places].mean()
        gap = mean - sure[places].mean()
        total += size / len(right) * (gap**2 - mean * (1 - mean) / (size - 1))
    return float(np.sqrt(max(total, 0.0)))


def smooth_error(confidences: np.ndarray, is_correct: np.ndarray) -> float:
    r"""Return the smooth calibration error, in [0, 1].

    .. math:: \operatorname{smECE}_\sigma = \int_0^1 \Bigl|\frac1n \sum_i K_\sigma(t, c_i)
              (a_i - c_i)\Bigr| \, dt

    with a Gaussian kernel K reflected at 0 and 1, at the width :math:`\sigma` that equals the error
    itself (Błasiok and Nakkiran, 2023): no bins, and it changes little when the data change little.
    """
    sure = np.clip(np.asarray(confidences, float), 0, 1)
    gap = np.asarray(is_correct, float) - sure
    cell = np.minimum((sure * GRID).astype(int), GRID - 1)
    mass = np.bincount(cell, weights=gap, minlength=GRID) / len(sure)
    # A reflected Gaussian multiplies each cosine by a number.
    waves = dct(mass, norm="ortho")
    decay = -0.5 * (np.pi * np.arange(GRID)) ** 2

    def at(width: float) -> float:
        return float(np.abs(idct(waves * np.exp(decay * width**2), norm="ortho")).sum())

    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        # Smoothing only takes away, so error less width falls as the width grows.
        low, high = (middle, high) if at(middle) > middle else (low, middle)
    return at(high)


def decompose(confidences: np.ndarray, is_correct: np.ndarray) -> Decomposition:
    r"""Return what the squared error of confidence is made of, without bins (CORP).

    With :math:`c^*` the best non-decreasing recalibration of confidence (isotonic regression),
    :math:`\bar a` the share of right answers and S the mean squared distance from being right:

    .. math:: S(c) = \underbrace{S(c) - S(c^*)}_{\text{miscalibration}}
              - \underbrace{(S(\bar a) - S(c^*))}_{\text{discrimination}}
              + \underbrace{S(\bar a)}_{\text{uncertainty}}

    (Dimitriadis, Gneiting and Jordan, 2021). All three are at least 0. Isotonic regression fits
    noise too: with few items both miscalibration and discrimination are somewhat too large.
    """
    right, sure = np.asarray(is_correct, float), np.asarray(confidences, float)
    values, group = np.unique(sure, return_inverse=True)
    weight = np.bincount(group).astype(float)
    mean = np.bincount(group, weights=right) / weight
    best = isotonic_regression(mean, weights=weight).x[group] if len(values) else right

    def score(forecast: np.ndarray | float) -> float:
        return float(np.mean((forecast - right) ** 2))

    plain, fitted, base = score(sure), score(best), score(right.mean())
    return Decomposition(plain, plain - fitted, base - fitted, base)


def _part(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda sure, right: float(getattr(decompose(sure, right), name))


MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "overconfidence": lambda sure, right: float(sure.mean() - right.mean()),
    "ece": ece,
    "ece_debiased": debiased_error,
    "ece_smooth": smooth_error,
    "miscalibration": _part("miscalibration"),
    "discrimination": _part("discrimination"),
    "aurc": aurc,
    "auroc": auroc,
}
"""What `calibration` measures: confidence less accuracy, four errors, and two of ranking."""


def calibration(items: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Return the calibration of every run on every benchmark.

    Parameters
    ----------
    items : mapping
        Per-item measures by benchmark, from `transfer.itemwise.read_itemwise`.

    Returns
    -------
    Dataset
        The names of `MEASURES` over `scale, stage, seed, mixture, benchmark`: a grid that protocols
        take.
    """
    parts = []
    for part in items.values():
        sure, right = part["confidence"], part["accuracy"]
        measured = {
            name: xr.apply_ufunc(
                _where_there(measure),
                sure,
                right,
                input_core_dims=[["item"], ["item"]],
                vectorize=True,
            )
            for name, measure in MEASURES.items()
        }
        parts.append(xr.Dataset(measured))
    names = np.array(list(items), dtype=object)
    return xr.concat(parts, "benchmark", coords="minimal", compat="override").assign_coords(
        benchmark=names
    )


def _where_there(
    measure: Callable[[np.ndarray, np.ndarray], float],
) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return the measure of one run, NaN where the run is missing."""

    def of(sure: np.ndarray, right: np.ndarray) -> float:
        return float("nan") if np.isnan(sure).any() else measure(sure, right > 0.5)

    return of
