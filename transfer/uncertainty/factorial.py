r"""Intervals of factor effects (P10), from what web source and composition leave unexplained.

An effect of a factor is a contrast of a few mixtures: three pairs, in the paper's design. Drawing
mixtures with replacement draws subsets of these pairs, and an interval from that is far too short.
The design itself offers a measure of noise: how far the mixtures' scores are from the sum of an
effect of their web source and one of their composition,

.. math:: MS = \frac{1}{\mathit{df}} \sum_m \bigl(x_m - \hat\mu - \hat\alpha_{w(m)}
               - \hat\beta_{p(m)}\bigr)^2, \qquad \mathit{df} = (W - 1)(P - 1)

with W sources and P compositions, all crossed. A contrast with weights c has the interval
:math:`\pm\, t_{\mathit{df}} \sqrt{MS \sum_m c_m^2}`, exact for normal noise. What looks like noise
may be an interaction of the two factors: the interval holds it as such.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import t as t_distribution

from transfer.errors import BadInput
from transfer.protocols.alignments import alignment
from transfer.protocols.factors import alignment_contrast, main_effects, web_contrast
from transfer.protocols.selection import measure_of, without
from transfer.protocols.stages import by_category


def factor_interval(
    protocol: Callable[..., xr.DataArray],
    grid: xr.Dataset,
    *args: Any,
    level: float = 0.95,
    **kwargs: Any,
) -> xr.Dataset:
    """Return a factor effect with its interval.

    Parameters
    ----------
    protocol : callable
        `web_contrast`, `main_effects` or `alignment_contrast`.
    grid : Dataset
    *args, **kwargs
        Go to the protocol.
    level : float

    Returns
    -------
    Dataset
        `value`, `low`, `high`, over the dimensions of the protocol's result, which keeps its `n`.
        NaN where fewer than two sources or compositions are there.

    Raises
    ------
    BadInput
        If the protocol is another, or the mixtures' web sources and code shares are not known.
    """
    if protocol not in (web_contrast, main_effects, alignment_contrast):
        raise BadInput(
            "an interval of this kind is one of a web contrast, main effect or alignment"
        )
    value = protocol(grid, *args, **kwargs)
    bound = inspect.signature(protocol).bind(grid, *args, **kwargs)
    bound.apply_defaults()
    if protocol is alignment_contrast:
        scores = alignment(**bound.arguments)
    else:
        scores = by_category(measure_of(**bound.arguments))
    scores = without(scores, "n")
    noise = _unexplained(scores)
    n = xr.Variable(value.dims, value["n"].to_numpy().astype(float))
    weights = 2 / n if protocol is not main_effects else 1 / n - 1 / noise["mixtures"].variable
    variance = noise["mean_square"].variable * weights
    quantile = np.asarray(t_distribution.ppf((1 + level) / 2, noise["df"].to_numpy()))
    times = xr.Variable(noise["df"].dims, quantile)
    spread = (times * variance**0.5).transpose(*value.dims)
    result = value.rename("value").to_dataset()
    result["low"], result["high"] = value.variable - spread, value.variable + spread
    result.attrs |= {"interval": "design", "level": level}
    return result


def _unexplained(scores: xr.DataArray) -> xr.Dataset:
    """Return `mean_square`, `df` and `mixtures` of the additive model of source and composition."""
    web, share = (scores[name].to_numpy() for name in ("web", "code_share"))
    columns = [np.ones(len(web))]
    columns += [(web == name).astype(float) for name in np.unique(web)[1:]]
    columns += [np.isclose(share.astype(float), level) * 1.0 for level in np.unique(share)[1:]]
    design = np.stack(columns, axis=1)
    found = xr.apply_ufunc(
        _residual,
        without(scores, "web", "code_share"),
        input_core_dims=[["mixture"]],
        output_core_dims=[[], [], []],
        kwargs={"design": design},
        vectorize=True,
    )
    return xr.Dataset(dict(zip(("mean_square", "df", "mixtures"), found, strict=True)))


def _residual(scores: np.ndarray, design: np.ndarray) -> tuple[float, float, float]:
    there = np.isfinite(scores)
    rows, seen = design[there], scores[there]
    df = len(seen) - int(np.linalg.matrix_rank(rows)) if len(seen) else 0
    if df < 1:
        return np.nan, np.nan, float(len(seen))
    fitted = rows @ np.linalg.lstsq(rows, seen, rcond=None)[0]
    return float(((seen - fitted) ** 2).sum() / df), float(df), float(len(seen))
