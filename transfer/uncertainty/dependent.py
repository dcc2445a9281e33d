"""Two correlations of the same mixtures: Steiger's test and Zou's interval of their difference.

The two share their mixtures, and perhaps a variable, so they vary together. Both methods take the
mixtures to be independent draws from a normal distribution and lean on large samples; with nine
mixtures they stand beside the resampled difference, not in its place.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.special import ndtr

from transfer.protocols import ConstantVector, correlate
from transfer.uncertainty.intervals import fisher_interval


class Correlations(NamedTuple):
    """The six correlations of four variables j, k, h, m; `jk` and `hm` are compared.

    A variable that both share stands twice: j = h has jh = 1, jm = hm and kh = jk
    (`Correlations.overlapping`). Each may be an array.
    """

    jk: Any
    hm: Any
    jh: Any
    jm: Any
    kh: Any
    km: Any

    @classmethod
    def overlapping(cls, jk: Any, jm: Any, km: Any) -> Correlations:
        """Return those of two correlations that share the variable j."""
        return cls(jk=jk, hm=jm, jh=np.ones_like(jk, dtype=float), jm=jm, kh=jk, km=km)

    @classmethod
    def of(cls, j: np.ndarray, k: np.ndarray, h: np.ndarray, m: np.ndarray) -> Correlations:
        """Return those of four vectors."""
        r = np.corrcoef([j, k, h, m])
        return cls(jk=r[0, 1], hm=r[2, 3], jh=r[0, 2], jm=r[0, 3], kh=r[1, 2], km=r[1, 3])


def compared(pair: xr.Dataset, method: str = "pearson") -> xr.Dataset:
    """Return, for each benchmark, how the cross-stage r of one side differs from that of another.

    Parameters
    ----------
    pair : Dataset
        From `transfer.uncertainty.sides`: `measure` over `side, stage, mixture` and others.
    method : str
        Of the six correlations. The two methods are Pearson's; for ranks they are the usual
        approximation.

    Returns
    -------
    Dataset
        `value`, the difference of r; `low` and `high` by Zou; `z` and `p` by Steiger.
    """
    values = pair["measure"].drop_vars(["chance", "normalization"], errors="ignore")
    j, k, h, m = (
        values.isel(side=side).sel(stage=stage, drop=True)
        for side in (0, 1)
        for stage in ("pretrain", "sft")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantVector)
        six = [
            correlate(x, y, "mixture", method)
            for x, y in ((j, k), (h, m), (j, h), (j, m), (k, h), (k, m))
        ]
    # A cell rests on the fewest mixtures of its six correlations.
    n = np.min([entry["n"].to_numpy() for entry in six], axis=0)
    r = Correlations(*(entry.to_numpy() for entry in six))
    # A correlation of one, as of three mixtures in the same order, has neither.
    with np.errstate(divide="ignore", invalid="ignore"):
        z, p = steiger(r, n)
        low, high = zou_interval(r, n)
    columns = {"value": r.jk - r.hm, "low": low, "high": high, "z": z, "p": p}
    bare = six[0].drop_vars("n")
    return xr.Dataset({name: bare.copy(data=cells) for name, cells in columns.items()})


def steiger(r: Correlations, n: int | np.ndarray, shared: bool = False) -> tuple[Any, Any]:
    r"""Return Steiger's z and its two-sided p for the difference of two dependent correlations.

    .. math:: z = \frac{\sqrt{n - 3}\,(\operatorname{artanh} r_{jk} - \operatorname{artanh} r_{hm})}
              {\sqrt{2 - 2 \bar s}}

    with the covariance :math:`\bar s` taken at the mean of the two correlations [1]_.

    Parameters
    ----------
    r : Correlations
    n : int or array
        Mixtures; with 3 or fewer there is no test, and z and p are NaN.
    shared : bool
        Whether the two share the variable j = h.

    References
    ----------
    .. [1] Steiger, J. H. (1980). Tests for comparing elements of a correlation matrix.
       Psychological Bulletin 87, 245–251, equations 14 and 15.
    """
    mean = (np.asarray(r.jk) + np.asarray(r.hm)) / 2
    pooled = r._replace(jk=mean, hm=mean)
    if shared:
        pooled = pooled._replace(kh=mean, jm=mean)
    spread = np.sqrt(2 - 2 * _sampling_correlation(pooled))
    root = np.sqrt(np.where(np.asarray(n) > 3, np.asarray(n, float) - 3, np.nan))
    z = root * (np.arctanh(r.jk) - np.arctanh(r.hm)) / spread
    return z, 2 * ndtr(-np.abs(z))


def zou_interval(r: Correlations, n: int | np.ndarray, level: float = 0.95) -> tuple[Any, Any]:
    r"""Return Zou's interval of the difference of two dependent correlations.

    .. math:: r_1 - r_2 - \sqrt{(r_1 - l_1)^2 + (u_2 - r_2)^2 - 2 c (r_1 - l_1)(u_2 - r_2)}

    is its lower end, with the Fisher intervals [l, u] of both and the correlation c of the two
    estimates [1]_.

    References
    ----------
    .. [1] Zou, G. Y. (2007). Toward using confidence intervals to compare correlations.
       Psychological Methods 12, 399–413.
    """
    (l1, u1), (l2, u2) = fisher_interval(r.jk, n, level), fisher_interval(r.hm, n, level)
    c = _sampling_correlation(r)
    difference = np.asarray(r.jk) - np.asarray(r.hm)

    def reach(first: Any, second: Any) -> Any:
        return np.sqrt(first**2 + second**2 - 2 * c * first * second)

    return (
        difference - reach(r.jk - l1, u2 - r.hm),
        difference + reach(u1 - r.jk, r.hm - l2),
    )


def _sampling_correlation(r: Correlations) -> Any:
    """Return the asymptotic correlation of the two estimates (Pearson and Filon, 1898)."""
    jk, hm, jh, jm, kh, km = (np.asarray(entry, float) for entry in r)
    covariance = 0.5 * (
        (jh - jk * kh) * (km - kh * hm)
        + (jm - jh * hm) * (kh - jk * jh)
        + (jh - jm * hm) * (km - jk * jm)
        + (jm - jk * km) * (kh - km * hm)
    )
    return covariance / ((1 - jk**2) * (1 - hm**2))
