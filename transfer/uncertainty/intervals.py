"""Intervals of any protocol by resampling, percentile or BCa, and Fisher's for one r."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from transfer.errors import BadInput
from transfer.uncertainty.resampling import RESAMPLES, Items, jackknifed, resampled, weights

KINDS = ("percentile", "bca", "centred")
FEWEST_MIXTURES = 5
"""Mixtures below which there is no interval over them: most of their resamples hold two or three
different ones, of which any correlation is strong."""
_CELLS_AT_ONCE = 500_000
_ROUNDING = 1e-12


def bootstrap(
    protocol: Callable[..., Any],
    grid: xr.Dataset,
    *args: Any,
    over: Sequence[str] = ("mixture",),
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
    kind: str | None = None,
    items: Items | None = None,
    defined: float = 0.5,
    **kwargs: Any,
) -> xr.Dataset:
    """Return a protocol's result with bootstrap intervals.

    Parameters
    ----------
    protocol : callable
        Takes a grid first and returns a DataArray or a Dataset.
    grid : Dataset
    *args, **kwargs
        Go to the protocol.
    over : sequence of {"mixture", "seed", "item"}
        What is drawn afresh, with replacement: mixtures (the same for all scales, stages and
        benchmarks), seeds within each scale and mixture, among those that are there, and items
        within each benchmark (the same for all runs, as a benchmark is). With `seed` alone there is
        nothing to draw at a scale with one seed, and the interval is NaN.
    resamples : int
        How many are drawn. Of mixtures alone every resample is taken, with its probability, where
        there are no more than this: with nine mixtures there are 24,310, and the interval then has
        no error of the draws.
    seed : int
        Of the random draws: the same seed gives the same draws whatever the protocol.
    level : float
        Coverage aimed at, in (0, 1).
    kind : {"percentile", "bca", "centred"}, optional
        BCa corrects the percentiles for bias and for a spread that depends on the value [1]_. Its
        acceleration comes from leaving out one mixture at a time, so it needs mixtures drawn.
        Centred percentiles are moved by the median of the resamples less the value: what was
        measured holds the noise of items and seeds once, a resample of them holds it twice, which
        pulls every correlation towards zero. By default BCa for mixtures alone, and centred where
        seeds or items are drawn.
    items : mapping, optional
        Per-item measures by benchmark (`transfer.itemwise`), for `over` item.
    defined : float
        Share of the resamples that must have a result; an interval is NaN where fewer do. So it is
        with fewer mixtures than five.

    Returns
    -------
    Dataset
        `value` (of the grid itself), `low` and `high`; for a protocol that returns several
        quantities, `<name>`, `<name>_low` and `<name>_high`. Resamples without a defined result
        (such as nine times the same mixture) are left out. The attribute `interval` says what
        was drawn, and `exact` (0 or 1) whether every resample was taken.

    References
    ----------
    .. [1] Efron, B. (1987). Better bootstrap confidence intervals. JASA 82, 171–185.
    """
    if not 0 < level < 1:
        raise BadInput(f"level {level} is not between 0 and 1; give 0.95 for 95 %")
    kind = kind or ("bca" if set(over) == {"mixture"} else "centred")
    if kind not in KINDS:
        raise BadInput(f"kind {kind!r} is not known; give {', '.join(KINDS)}")
    if kind == "bca" and "mixture" not in over:
        raise BadInput("kind bca leaves out mixtures; draw mixtures too, or give percentile")
    value = protocol(grid, *args, **kwargs)
    drawn = resampled(
        protocol, grid, *args, over=over, resamples=resamples, seed=seed, items=items, **kwargs
    )
    if set(over) == {"seed"}:
        drawn = drawn.where(_several_seeds(grid, drawn))
    without = jackknifed(protocol, grid, *args, **kwargs) if kind == "bca" else None
    likely = weights(grid.sizes["mixture"], over, resamples)
    if isinstance(value, xr.Dataset):
        result = value.copy()
        names = {str(name): (str(name), f"{name}_low", f"{name}_high") for name in value.data_vars}
        cells = {name: (value[name], drawn[name]) for name in names}
    else:
        result = value.rename("value").to_dataset()
        names, cells = {"value": ("value", "low", "high")}, {"value": (value, drawn)}
    for name, (middle, values) in cells.items():
        left_out = without[name] if isinstance(without, xr.Dataset) else without
        if kind == "centred":
            half, _ = interval(values, 0.0, defined=0.0, likely=likely)
            values = values - half + middle
        seen, left = (middle, left_out) if kind == "bca" else (None, None)
        low, high = interval(values, level, seen, left, defined, likely)
        if "mixture" in over:
            low, high = (enough(end, grid.sizes["mixture"]) for end in (low, high))
        result[names[name][1]] = low.transpose(*middle.dims).variable
        result[names[name][2]] = high.transpose(*middle.dims).variable
    result.attrs |= {
        "interval": " and ".join(f"{name}s" for name in over),
        "level": level,
        "resamples": resamples if likely is None else len(likely),
        "exact": int(likely is not None),
        "kind": kind,
    }
    return result


def enough(end: xr.DataArray, mixtures: int) -> xr.DataArray:
    """Return the end of an interval over mixtures, NaN where there are too few of them."""
    return end if mixtures >= FEWEST_MIXTURES else xr.full_like(end, np.nan, dtype=float)


def _several_seeds(grid: xr.Dataset, drawn: Any) -> xr.DataArray | bool:
    """Return, by scale where the result has scales, whether there are seeds to draw from."""
    if grid.sizes.get("seed", 1) == 1:
        return False
    first = next(v for v in grid.data_vars.values() if "seed" in v.dims)
    several = first.notnull().any([d for d in first.dims if d not in ("scale", "seed")])
    several = several.sum("seed") > 1
    return several if "scale" in drawn.dims else bool(several.all())


def interval(
    drawn: xr.DataArray,
    level: float = 0.95,
    value: xr.DataArray | None = None,
    left_out: xr.DataArray | None = None,
    defined: float = 0.5,
    likely: np.ndarray | None = None,
) -> tuple[xr.DataArray, xr.DataArray]:
    r"""Return the interval over `resample`; NaN where fewer than `defined` of them have a result.

    Each resample counts as much as it is `likely`, all alike when None. The ends are the quantiles
    at :math:`\alpha` and :math:`1 - \alpha`, half of 1 − level each (percentile). With `value` and
    `left_out` (over a `resample` of its own, one mixture left out at a time) they are those at

    .. math:: \Phi\Bigl(z_0 + \frac{z_0 + z_\alpha}{1 - a (z_0 + z_\alpha)}\Bigr), \quad
              z_0 = \Phi^{-1}\bigl(P(\theta^* < \hat\theta) + \tfrac12 P(\theta^* = \hat\theta)
              \bigr), \quad
              a = \frac{\sum_i u_i^3}{6 (\sum_i u_i^2)^{3/2}},\;
              u_i = \bar\theta_{(\cdot)} - \hat\theta_{(i)}

    (BCa; the same convention as `scipy.stats.bootstrap`).
    """
    tail = (1 - level) / 2
    bare = drawn.isel(resample=0, drop=True)
    cells = _rows(drawn, bare.dims)
    ends = np.empty((2, len(cells)))
    at = np.array([[tail], [1 - tail]])
    corrected = False
    if value is not None and left_out is not None:
        corrected = True
        middle = value.transpose(*bare.dims).to_numpy().reshape(-1, 1)
        left = _rows(left_out, bare.dims)

    def fill(rows: slice) -> None:
        some = _Sorted(cells[rows], likely)
        places = _bca(some, middle[rows], left[rows], tail) if corrected else at
        enough = some.there >= defined - _ROUNDING
        for end, q in zip(ends, places, strict=True):
            end[rows] = np.where(enough, some.quantile(q), np.nan)

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(fill, _blocks(cells)))
    low, high = (bare.copy(data=end.reshape(bare.shape)) for end in ends)
    return low, high


def _rows(drawn: xr.DataArray, dims: Sequence[Hashable]) -> np.ndarray:
    """Return cells × resamples."""
    return drawn.transpose(*dims, "resample").to_numpy().reshape(-1, drawn.sizes["resample"])


def _blocks(cells: np.ndarray) -> Iterator[slice]:
    """Yield parts of the rows that a processor's cache can hold."""
    size = max(1, _CELLS_AT_ONCE // max(cells.shape[-1], 1))
    for start in range(0, len(cells), size):
        yield slice(start, start + size)


def fisher_interval(
    r: float | np.ndarray | xr.DataArray, n: int | np.ndarray | xr.DataArray, level: float = 0.95
) -> tuple[Any, Any]:
    r"""Return Fisher's interval of a Pearson correlation.

    .. math:: \tanh\bigl(\operatorname{artanh} r \pm z_{(1 + \text{level})/2} / \sqrt{n - 3}\bigr)

    It takes the pairs to be independent and normal. With n = 9 and r = 0.70 it is [0.07, 0.93].

    Parameters
    ----------
    r : float or array in [−1, 1]
    n : int or array
        Pairs; with fewer than 4 the interval is [−1, 1].
    level : float

    Returns
    -------
    low, high : as r
    """
    z = float(ndtri((1 + level) / 2))
    return xr.apply_ufunc(_fisher, r, n, kwargs={"z": z}, output_core_dims=[[], []])


def _fisher(r: np.ndarray, n: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    r, n = np.asarray(r, float), np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = z / np.sqrt(np.maximum(n - 3, 0))
        centre = np.arctanh(r)
        low, high = np.tanh(centre - half), np.tanh(centre + half)
    few, absent = n < 4, np.isnan(r)
    low = np.where(few, -1.0, low)
    high = np.where(few, 1.0, high)
    return np.where(absent, np.nan, low)[()], np.where(absent, np.nan, high)[()]


class _Sorted:
    """Rows of resamples in rising order, NaN last, with how likely each is.

    Attributes
    ----------
    there : array, (row,)
        The share of the resamples that are not NaN.
    """

    def __init__(self, cells: np.ndarray, likely: np.ndarray | None) -> None:
        if likely is None:
            self.values, self._upto = np.sort(cells, axis=-1), None
        else:
            order = np.argsort(cells, axis=-1)
            self.values = np.take_along_axis(cells, order, axis=-1)
            self._upto = np.cumsum(likely[order], axis=-1)
        # Sorting puts NaN last.
        self._count = np.full(len(cells), cells.shape[-1])
        if np.isnan(self.values[:, -1]).any():
            self._count -= np.isnan(self.values).sum(axis=-1)
        self.there = self._share(self._count)

    def _share(self, count: np.ndarray) -> np.ndarray:
        """Return how likely the first so many resamples of each row are together."""
        if self._upto is None:
            return count / self.values.shape[-1]
        last = np.maximum(count - 1, 0)[:, None]
        return np.where(count > 0, np.take_along_axis(self._upto, last, axis=-1)[:, 0], 0.0)

    def below(self, value: np.ndarray) -> np.ndarray:
        """Return the probability of a result below a value, and half that of the value, (row,)."""
        # A resample of the same mixtures in another order ties, though its last bit may differ.
        near = _ROUNDING * np.maximum(1, np.abs(value))
        less = self._share(np.count_nonzero(self.values < value - near, axis=-1))
        upto = self._share(np.count_nonzero(self.values <= value + near, axis=-1))
        with np.errstate(divide="ignore", invalid="ignore"):
            return (less + upto) / (2 * self.there)

    def quantile(self, q: np.ndarray) -> np.ndarray:
        """Return a quantile of each row: of draws, linear between neighbours.

        Of all resamples, the first that is reached with this probability.
        """
        last = np.maximum(self._count - 1, 0)
        part = np.where(np.isnan(q), 0, q)
        if self._upto is None:
            place = np.clip(part * last, 0, last)
            below = np.floor(place).astype(int)
            above, rest = np.minimum(below + 1, last), place - below
        else:
            reached = self._upto >= (part * self.there - _ROUNDING)[:, None]
            below = np.minimum(reached.argmax(axis=-1), last)
            above, rest = below, 0.0
        low, high = (
            np.take_along_axis(self.values, i[:, None], axis=-1)[:, 0] for i in (below, above)
        )
        return np.where(np.isnan(q), np.nan, low + (high - low) * rest)


def _bca(some: _Sorted, value: np.ndarray, left: np.ndarray, tail: float) -> np.ndarray:
    """Return at which quantiles the ends of a BCa interval lie, (2, cells); NaN if undefined."""
    left = np.where(np.isfinite(left), left, np.nan)
    there = np.maximum((~np.isnan(left)).sum(axis=-1, keepdims=True), 1)
    u = np.nansum(left, axis=-1, keepdims=True) / there - left
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = ndtri(some.below(value))
        acceleration = np.nansum(u**3, axis=-1) / (6 * np.nansum(u**2, axis=-1) ** 1.5)
        # A value that no mixture moves has no skewness to correct by.
        acceleration = np.nan_to_num(acceleration, nan=0.0, posinf=0.0, neginf=0.0)
        moved = bias + ndtri(np.array([[tail], [1 - tail]]))
        return ndtr(bias + moved / (1 - acceleration * moved))
