"""The scorecard: what the paper reports, the same quantity here, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from transfer.claims.catalogue import CLAIMS
from transfer.claims.chance import Chance
from transfer.claims.claim import Row
from transfer.claims.estimates import Estimates, NotTestable
from transfer.errors import BadInput
from transfer.suite import repository

VERDICTS = ("agrees", "disagrees", "undecided", "not testable yet")
SMALL, LARGE = "240M", "1B"
COLUMNS = (
    *("claim", "statement", "quantity", "scale", "published", "published_value", "source"),
    *("ours", "low", "high", "p", "p_within_web", "p_within_composition", "verdict", "note"),
)


def scorecard(
    grid: xr.Dataset,
    published: pd.DataFrame | Path | str | None = None,
    resamples: int = 2_000,
    seed: int = 0,
    level: float = 0.95,
    method: str = "pearson",
) -> pd.DataFrame:
    """Return what the paper claims beside what this grid shows.

    Parameters
    ----------
    grid : Dataset
        From `transfer.read_measures`.
    published : DataFrame or Path, optional
        The published figures (`quantity, unit_name, scale, stage, value, source`); by default
        `data/paper/figures.csv`.
    resamples, seed, level
        Of the bootstrap over mixtures (BCa).
    method : {"pearson", "spearman", "kendall"}

    Returns
    -------
    DataFrame
        Columns `claim, statement, quantity, scale, published, published_value, source, ours, low,
        high, p, p_within_web, p_within_composition, verdict, note`. The verdict is `agrees` if the
        interval lies wholly on the claim's side, `disagrees` if wholly on the other, `undecided`
        otherwise, and `not testable yet` where the grid lacks what the claim needs; the note then
        says what. The p-values, where a claim has a permutation test, are of the null that there
        is no tie (`transfer.claims.chance.Chance`); with 0 resamples they are left out. C3's
        verdict rests on its p.
    """
    figures = published if isinstance(published, pd.DataFrame) else read_published(published)
    figures = figures.assign(stage=figures["stage"].fillna(""))
    estimates = Estimates(grid, resamples, seed, level, method)
    rows = [
        {
            "claim": claim.name,
            "statement": claim.statement,
            **_judge(row, estimates, scale, figures),
        }
        for claim in CLAIMS
        for row in claim.rows
        for scale in _scales(row, estimates)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_published(path: Path | str | None = None) -> pd.DataFrame:
    """Return the published figures: `quantity, unit_name, scale, stage, value, source`.

    `source` is `paper_figure_1` for a number in the authors' own caption and `digest` for one read
    in a third-party digest of the paper.
    """
    path = Path(path) if path else repository() / "data" / "paper" / "figures.csv"
    try:
        figures = pd.read_csv(path, keep_default_na=False)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; give the published figures") from None
    for column in ("quantity", "unit_name", "scale", "stage", "value", "source"):
        if column not in figures:
            raise BadInput(f"{path}: column {column} is missing; add it")
    return figures.assign(value=figures["value"].astype(float))


def verdict(low: float, high: float, above: float | None, below: float | None) -> str:
    """Return what an interval says about a claim that a quantity is above or below a threshold.

    With both thresholds the claim is that it lies between `above` and `below`.
    """
    if np.isnan(low) or np.isnan(high):
        return "not testable yet"
    lower = -np.inf if above is None else above
    upper = np.inf if below is None else below
    if low > lower and high < upper:
        return "agrees"
    # On the threshold itself the claim does not hold.
    return "disagrees" if high <= lower or low >= upper else "undecided"


def _scales(row: Row, estimates: Estimates) -> Iterator[str]:
    scales = estimates.scales
    if row.across:
        yield f"{scales[0]} to {scales[-1]}" if len(scales) > 1 else scales[0]
    elif row.only == "smallest":
        yield scales[0]
    elif row.only == "largest":
        yield scales[-1]
    else:
        yield from scales


def _judge(row: Row, estimates: Estimates, scale: str, figures: pd.DataFrame) -> dict:
    shown, value, source = _published(row, estimates, scale, figures)
    ours = low = high = np.nan
    chance = Chance(np.nan)
    said, reason = "not testable yet", "one scale"
    if not row.across or len(estimates.scales) > 1:
        try:
            ours, low, high = row.estimate(estimates, scale)
            if row.test and estimates.resamples:
                chance = row.test(estimates, scale)
            said = verdict(low, high, row.above, row.below)
            if row.by_test and estimates.resamples:
                said = _by_test(chance.p, estimates.level)
            reason = "undefined on this grid"
        except NotTestable as error:
            reason = str(error)
    untested = said == "not testable yet"
    return {
        "quantity": row.quantity,
        "scale": scale,
        "published": shown,
        "published_value": value,
        "source": source,
        "ours": ours,
        "low": low,
        "high": high,
        "p": chance.p,
        "p_within_web": chance.within_web,
        "p_within_composition": chance.within_composition,
        "verdict": said,
        "note": f"{said}: {reason}. {row.note}".strip() if untested else row.note,
    }


def _by_test(p: float, level: float) -> str:
    """Return what a one-sided p says, each side at the error that the interval has there."""
    if np.isnan(p):
        return "not testable yet"
    error = (1 - level) / 2
    if p < error:
        return "agrees"
    return "disagrees" if p > 1 - error else "undecided"


def _published(
    row: Row, estimates: Estimates, scale: str, figures: pd.DataFrame
) -> tuple[str, float, str]:
    """Return the published values in words, the one that compares with ours, and their sources."""
    if row.across:
        sizes = [SMALL, LARGE]
    elif scale == estimates.scales[0]:
        sizes = [SMALL]
    elif scale == estimates.scales[-1]:
        sizes = [LARGE]
    else:  # A scale between the smallest and the largest has no counterpart in the paper.
        return "", np.nan, ""
    several = len({quantity for quantity, _, _ in row.published}) > 1
    found: dict[str, list[float]] = {size: [] for size in sizes}
    words, sources = [], []
    for quantity, unit, stage in row.published:
        match = (figures["quantity"] == quantity) & (figures["unit_name"] == unit)
        match &= figures["scale"].isin(sizes)
        if stage is not None:
            match &= figures["stage"] == stage
        for figure in figures[match].to_dict("records"):
            found[figure["scale"]].append(float(figure["value"]))
            parts = ("quantity", "unit_name", "stage", "scale")[0 if several else 1 :]
            place = [figure[part] for part in parts]
            words.append(f"{', '.join(part for part in place if part)} {figure['value']:g}")
            sources.append(str(figure["source"]))
    values = [np.array(found[size]) for size in sizes]
    comparable = all(len(part) for part in values)
    value = float(row.combine(*values)) if comparable else np.nan
    return "; ".join(words).replace("_", " "), value, "; ".join(dict.fromkeys(sources))
