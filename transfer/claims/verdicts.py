"""The scorecard: what the paper reports, the same quantity here, and the verdict."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from transfer.claims.catalogue import CLAIMS
from transfer.claims.chance import Chance
from transfer.claims.claim import Remark, Row
from transfer.claims.estimates import Estimates, NotTestable
from transfer.claims.remarks import BOTH, with_all_seeds
from transfer.errors import BadInput
from transfer.findings import names, number
from transfer.protocols import ConstantVector
from transfer.suite import repository
from transfer.uncertainty.resampling import RESAMPLES

VERDICTS = ("agrees", "disagrees", "undecided", "not testable yet")
SMALL, LARGE = "240M", "1B"
COLUMNS = (
    *("claim", "statement", "quantity", "scale", "published", "published_value", "source"),
    *("ours", "low", "high", "p", "p_within_web", "p_within_composition", "verdict", "note"),
)


def scorecard(
    grid: xr.Dataset,
    published: pd.DataFrame | Path | str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
    method: str = "pearson",
    marks: xr.DataArray | None = None,
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
    marks : DataArray, optional
        Which benchmarks are measurable, over `scale, benchmark`
        (`transfer.uncertainty.ceilings.marks`). Claims of weakness or of a negative sign then rest
        on measurable benchmarks alone, and are undecided where too few are left.

    Returns
    -------
    DataFrame
        Columns `claim, statement, quantity, scale, published, published_value, source, ours, low,
        high, p, p_within_web, p_within_composition, verdict, note`. The verdict is `agrees` if the
        interval lies wholly on the claim's side, `disagrees` if wholly on the other, `undecided`
        otherwise, and `not testable yet` where the grid lacks what the claim needs; the note then
        says what. A condition that the interval does not know, such as a benchmark that turns the
        result when it is left out, makes a row undecided; the note says which. Scales are compared
        with as many seeds at the one as at the other. The p-values, where a claim has a
        permutation test, are of the null that there is no tie (`transfer.claims.chance.Chance`).
        C3 and C12 need both their p and their interval for a verdict. With 0 resamples the p-values
        and the conditions are left out.
    """
    figures = published if isinstance(published, pd.DataFrame) else read_published(published)
    figures = figures.assign(stage=figures["stage"].fillna(""))
    estimates = Estimates(grid, resamples, seed, level, method)
    rows = [
        {
            "claim": claim.name,
            "statement": claim.statement,
            **_quietly(row, estimates, scale, figures, marks),
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


def _quietly(*args: Any) -> dict:
    with warnings.catch_warnings():
        # The page that shows the protocol itself warns; a scorecard would repeat it.
        warnings.simplefilter("ignore", ConstantVector)
        return _judge(*args)


def _judge(
    row: Row, estimates: Estimates, scale: str, figures: pd.DataFrame, marks: xr.DataArray | None
) -> dict:
    shown, value, source = _published(row, estimates, scale, figures)
    ours = low = high = np.nan
    chance = Chance(np.nan)
    remarks: list[Remark] = []
    said, reason = "not testable yet", "undefined on this grid"
    try:
        e, first = _rests_on(row, estimates, scale, marks)
        ours, low, high = row.estimate(e, scale)
        said = row.side(low, high)
        if estimates.resamples:
            if row.test:
                chance = row.test(e, scale)
            remarks = [first, *(remark(row, e, scale) for remark in row.remarks)]
            if said == "disagrees" and row.strong and marks is not None:
                remarks.append(_refuted(row, e, scale, marks))
            if row.by_test and said in BOTH and not chance.allows(said, estimates.level):
                remarks.append(Remark("Its test does not say what its interval says.", BOTH))
            if row.across:
                remarks.append(with_all_seeds(row, e, scale, estimates))
    except NotTestable as error:
        reason = str(error)
    if any(said in remark.withholds for remark in remarks):
        said = "undecided"
    words = [remark.words for remark in remarks if remark.words]
    if said == "not testable yet":
        words = [f"{said}: {reason}."]
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
        "note": " ".join([*words, row.note]).strip(),
    }


def _rests_on(
    row: Row, estimates: Estimates, scale: str, marks: xr.DataArray | None
) -> tuple[Estimates, Remark]:
    """Return the estimates that a row rests on, and what to say of the choice."""
    e = estimates
    if row.across:
        if len(e.scales) < 2:
            raise NotTestable("one scale")
        e = e.matched
    if row.measurable is None or marks is None:
        return e, Remark()
    able = _able(e, e.scales if row.across else [scale], marks)
    groups = [e.members(name) for name in row.measurable] or [e.benchmarks]
    about = [name for name in e.benchmarks if any(name in group for group in groups)]
    lost = [name for name in about if name not in able]
    least = 2 if row.measurable else 1
    if any(len(set(group) & set(able)) < least for group in groups):
        listed = names(lost) if row.measurable else f"{len(lost)} of {len(about)} benchmarks"
        return e, Remark(f"not measurable: {listed}.", BOTH)
    kept = e.part(able, None if row.across else scale)
    if not lost:
        return kept, Remark()
    words = f"Over the {len(about) - len(lost)} measurable of {len(about)} benchmarks."
    if not row.some:
        return kept, Remark(words)
    return kept, Remark(f"{words} One of the others may be such a benchmark.", ("disagrees",))


def _able(e: Estimates, scales: list[str], marks: xr.DataArray) -> list[str]:
    """Return the benchmarks that are measurable at some scales."""
    fine = (marks.reindex(scale=scales) == "measurable").all("scale").to_series()
    return [name for name in e.benchmarks if fine.get(name, False)]


def _refuted(row: Row, e: Estimates, scale: str, marks: xr.DataArray) -> Remark:
    """Ask that what refutes a claim of strength be more than the noise of one stage."""
    assert row.strong
    able = set(_able(e, [scale], marks))
    kept = [name for name in e.members(*row.strong) if name in able]
    if any(len(able & set(e.members(category))) < 2 for category in row.strong):
        said = f"{len(kept)} of its benchmarks {'is' if len(kept) == 1 else 'are'} measurable"
        return Remark(f"{said}: noise may have made it weak.", ("disagrees",))
    found = row.estimate(e.part(kept, scale), scale)
    words = f"Over the {len(kept)} measurable ones it is {number(*found)}."
    return Remark(words, () if row.side(*found[1:]) == "disagrees" else ("disagrees",))


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
            read = f"{figure['value']:g}".replace("-", "−")
            words.append(f"{', '.join(part for part in place if part)} {read}")
            sources.append(str(figure["source"]))
    values = [np.array(found[size]) for size in sizes]
    comparable = all(len(part) for part in values)
    value = float(row.combine(*values)) if comparable else np.nan
    return "; ".join(words).replace("_", " "), value, "; ".join(dict.fromkeys(sources))
