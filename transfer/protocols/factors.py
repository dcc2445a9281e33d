"""P10: what web filters and code do to accuracy and to alignment."""

from __future__ import annotations

import numpy as np
import xarray as xr

from transfer.errors import BadInput
from transfer.protocols.alignments import alignment
from transfer.protocols.correlations import correlate
from transfer.protocols.selection import categories_of, mean_of_there, measure_of, without
from transfer.protocols.stages import by_category

BASELINE = "V1"


def factor_effects(
    grid: xr.Dataset,
    metric: str = "accuracy",
    method: str = "pearson",
    keep_seeds: bool = False,
    accuracy: str = "accuracy",
    confidence: str = "confidence",
) -> xr.Dataset:
    """Return the effects of web filter and code share (P10).

    Returns
    -------
    Dataset
        `web_contrast` and `alignment_contrast` over `scale, stage, contrast, category`, and
        `code_share_r` over `scale, stage, benchmark`; see `web_contrast`, `alignment_contrast` and
        `code_share_correlation`, which give one each, with its `n`.
    """
    return xr.Dataset(
        {
            "web_contrast": without(web_contrast(grid, metric, keep_seeds), "n"),
            "alignment_contrast": without(
                alignment_contrast(grid, method, keep_seeds, accuracy, confidence), "n"
            ),
            "code_share_r": without(
                code_share_correlation(grid, metric, method, keep_seeds), "n", "category"
            ),
        }
    )


def web_contrast(
    grid: xr.Dataset, metric: str = "accuracy", keep_seeds: bool = False
) -> xr.DataArray:
    r"""Return what each web filter changes in a measure, per category (P10).

    .. math:: \frac1{|P|} \sum_{p \in P} \frac1{|C|} \sum_{b \in C}
              \bigl(x_{V_k p,\,b} - x_{V_1 p,\,b}\bigr), \qquad k = 2, 3

    Mixtures are paired by composition p, so a missing one takes its pair along.

    Returns
    -------
    DataArray
        In the measure's unit, over `scale, stage, contrast, category`, with `n`, the number of
        compositions.
    """
    values = without(measure_of(grid, metric, keep_seeds), "chance", "normalization")
    means = without(by_category(_contrasts(values)), "n")
    return _mean_contrast(means, categories_of(values)).rename(f"web_contrast_{metric}")


def main_effects(
    grid: xr.Dataset, metric: str = "accuracy", keep_seeds: bool = False
) -> xr.DataArray:
    r"""Return how far the mixtures with one web source, or one composition, lie from all (P10).

    .. math:: \frac1{|M_\ell|} \sum_{m \in M_\ell} \bar x_m - \frac1{|M|} \sum_{m \in M} \bar x_m

    with M the mixtures, :math:`M_\ell` those at one level of a factor, and x̄ the mean over the
    benchmarks of a category.

    Returns
    -------
    DataArray
        In the measure's unit, over `scale, stage, level, category`, with the coordinate `factor`
        of each level and `n`, its mixtures. A composition is named by its share of code.
    """
    values = without(measure_of(grid, metric, keep_seeds), "chance", "normalization")
    for coordinate in ("web", "code_share"):
        _require(values, coordinate)
    web, share = values["web"], values["code_share"].astype(float)
    marked = [str(name) for name in values.coords if "mixture" in values[name].dims]
    web, share = (without(c, *map(str, c.coords)) for c in (web, share))
    means = without(by_category(without(values, *marked)), "n")
    sources = sorted({str(name) for name in np.unique(web.to_numpy())})
    compositions = np.unique(share.to_numpy())
    members = [web == name for name in sources]
    members += [np.abs(share - level) < 1e-9 for level in compositions]
    whole = mean_of_there(means, "mixture")
    parts = [means.where(member) for member in members]
    effects = xr.concat([mean_of_there(part, "mixture") - whole for part in parts], "level")
    n = xr.concat([part.notnull().sum("mixture") for part in parts], "level")
    effects = effects.assign_coords(
        level=np.array([*sources, *(f"{one:.0%} code" for one in compositions)], dtype=object),
        factor=(
            "level",
            np.array(["web source"] * len(sources) + ["composition"] * len(compositions), object),
        ),
    )
    leading = [dim for dim in effects.dims if dim not in ("level", "category")]
    effects = effects.transpose(*leading, "level", "category")
    n = n.transpose(*effects.dims)
    return effects.assign_coords(n=(effects.dims, n.to_numpy())).rename(f"main_effect_{metric}")


def alignment_contrast(
    grid: xr.Dataset,
    method: str = "pearson",
    keep_seeds: bool = False,
    accuracy: str = "accuracy",
    confidence: str = "confidence",
) -> xr.DataArray:
    """Return what each web filter changes in alignment (P7), per category (P10).

    Returns
    -------
    DataArray
        A difference of r, over `scale, stage, contrast, category`, with `n`, the compositions.
    """
    aligned = without(alignment(grid, accuracy, confidence, method, keep_seeds), "n")
    names = categories_of(aligned)
    return _mean_contrast(_contrasts(aligned), names).rename("web_contrast_alignment")


def code_share_correlation(
    grid: xr.Dataset,
    metric: str = "accuracy",
    method: str = "pearson",
    keep_seeds: bool = False,
) -> xr.DataArray:
    r"""Return how a measure goes with the share of code, per benchmark (P10).

    .. math:: \operatorname{corr}_m(\text{code share}_m,\; x_{m,b,s,t})

    Returns
    -------
    DataArray
        r over `scale, stage, benchmark`, with `n`, the number of mixtures.
    """
    _require(grid, "code_share")
    values = without(measure_of(grid, metric, keep_seeds), "chance", "normalization")
    share = values["code_share"].astype(float).rename("code_share")
    shares = {name for name in values.coords if str(name).endswith("_share")} | {"web"}
    values, share = (without(v, *map(str, shares)) for v in (values, share))
    r = correlate(share, values, "mixture", method, metric)
    return r.transpose(*[dim for dim in values.dims if dim in r.dims]).rename("code_share_r")


def _require(grid: xr.Dataset | xr.DataArray, coordinate: str) -> None:
    if coordinate not in grid.coords:
        raise BadInput(
            f"the mixtures have no {coordinate}; give the suite whose file describes them"
        )


def _contrasts(values: xr.DataArray) -> xr.DataArray:
    """Return the difference from the baseline web variant, over `contrast` and `composition`.

    Coordinates of mixtures may themselves have a `resample` dimension; a mixture drawn twice
    counts once here, one that is not drawn leaves its pair NaN.
    """
    for coordinate in ("web", "code_share"):
        _require(values, coordinate)
    web, share = values["web"], values["code_share"]
    variants = sorted({str(v) for v in np.unique(web.to_numpy())})
    if BASELINE not in variants or len(variants) < 2:
        raise BadInput(
            f"the web variants are {', '.join(variants)}; a contrast needs {BASELINE} and another"
        )
    marked = (str(name) for name in values.coords if "mixture" in values[name].dims)
    bare = without(values, *marked)
    web, share = (without(c, *map(str, c.coords)) for c in (web, share))

    def variant(name: str, level: float) -> xr.DataArray:
        chosen = (web == name) & (np.abs(share - level) < 1e-9)
        return mean_of_there(bare.where(chosen), "mixture")

    levels = np.unique(share.to_numpy().astype(float))
    others = [name for name in variants if name != BASELINE]
    differences = [
        xr.concat([variant(name, p) - variant(BASELINE, p) for p in levels], "composition")
        for name in others
    ]
    labels = np.array([f"{name}-{BASELINE}" for name in others], dtype=object)
    return xr.concat(differences, "contrast").assign_coords(contrast=labels)


def _mean_contrast(differences: xr.DataArray, names: list[str]) -> xr.DataArray:
    n = differences.notnull().sum("composition")
    mean = mean_of_there(differences, "composition")
    mean = mean.assign_coords(category=np.array(names, dtype=object))
    leading = [dim for dim in mean.dims if dim not in ("contrast", "category")]
    mean = mean.transpose(*leading, "contrast", "category")
    return mean.assign_coords(n=(mean.dims, n.transpose(*mean.dims).to_numpy()))
