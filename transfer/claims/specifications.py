"""The specification curve: every claim again, under each choice that could have been made."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from transfer.claims.verdicts import read_published, scorecard
from transfer.entries import NORMALIZATIONS
from transfer.errors import BadInput
from transfer.protocols.correlations import METHODS
from transfer.tables import read_measures

OWN = "each benchmark's own"
ALL = "all"
MEASURABLE = "measurable only"


@dataclass(frozen=True)
class Specification:
    """One way to compute the claims; the defaults are the book's own."""

    method: str = "pearson"
    normalization: str = OWN
    measure: str = "accuracy"
    seeds: str = "averaged"
    benchmarks: str = ALL


def specifications(seeds: Collection[int], marked: bool) -> Iterator[Specification]:
    """Yield the specifications: correlation × normalization × accuracy measure × benchmarks.

    Parameters
    ----------
    seeds : collection of int
        Where there are several, each seed alone is a specification too, beside each choice of
        the correlation.
    marked : bool
        Whether it is known which benchmarks are measurable.
    """
    for method in METHODS:
        for normalization in (OWN, *NORMALIZATIONS):
            for measure in ("accuracy", "gold_probability"):
                for benchmarks in (ALL, MEASURABLE)[: 1 + marked]:
                    yield Specification(
                        method, normalization, measure=measure, benchmarks=benchmarks
                    )
        if len(seeds) > 1:
            for seed in seeds:
                yield Specification(method, seeds=f"seed {seed}")


def specification_curve(
    measures: Path | str,
    marks: Mapping[str, str] | None = None,
    suite: str | None = None,
    scales: list[str] | None = None,
    mixtures: list[str] | None = None,
    seeds: list[int] | None = None,
) -> pd.DataFrame:
    """Return each claim's quantities under each specification, as values without intervals.

    Parameters
    ----------
    measures : Path
        A measures table.
    marks : mapping, optional
        `measurable` or `not measurable`, by benchmark, at the scale where it is least measurable.
    suite, scales, mixtures, seeds
        As for `transfer.read_measures`.

    Returns
    -------
    DataFrame
        `claim, quantity, scale, method, normalization, measure, seeds, benchmarks, value, side`,
        where `side` is `agrees` if the value lies on the claim's side, `disagrees` if not, and
        `not testable yet` where it cannot be had. A normalization that a benchmark was not scored
        with is left out.
    """
    # What the paper reports is looked up once, on the scorecard's own page.
    figures = read_published().iloc[:0]
    chosen = {"suite": suite, "scales": scales, "mixtures": mixtures, "seeds": seeds}
    grids: dict[str, xr.Dataset] = {}
    for normalization in (OWN, *NORMALIZATIONS):
        named = None if normalization == OWN else normalization
        try:
            with warnings.catch_warnings():
                # The page that reads the table warns; here it is read once a normalization.
                warnings.simplefilter("ignore")
                grids[normalization] = read_measures(measures, named, **chosen)  # type: ignore[arg-type]
        except BadInput:
            if normalization == OWN:
                raise
    known = grids[OWN]["seed"].to_numpy().tolist()
    parts = []
    for spec in specifications(known, marks is not None):
        grid = _grid_of(spec, grids, marks or {})
        if grid is None:
            continue
        card = scorecard(grid, figures, resamples=0, method=spec.method)
        kept = card[["claim", "quantity", "scale", "ours", "verdict"]]
        kept = kept.rename(columns={"ours": "value", "verdict": "side"})
        parts.append(kept.assign(**asdict(spec)))
    return pd.concat(parts, ignore_index=True)


AGREEMENT = (
    *("claim", "quantity", "scale", "specifications", "agree", "share"),
    *("lowest", "median", "highest", "own"),
)
"""Columns of `agreement`, there also where no quantity can be tested."""


def agreement(curve: pd.DataFrame) -> pd.DataFrame:
    """Return how many specifications agree with each quantity of a claim.

    Returns
    -------
    DataFrame
        `claim, quantity, scale, specifications` (those that can be tested), `agree`, `share`,
        `lowest`, `median` and `highest` value, and `own`, what the book's own specification says.
    """
    rows = []
    own = asdict(Specification())
    for key, part in curve.groupby(["claim", "quantity", "scale"], sort=False):
        tested = part[part["side"].isin(["agrees", "disagrees"])]
        if tested.empty:
            continue
        mine = part[(part[list(own)] == pd.Series(own)).all(axis=1)]
        agree = int((tested["side"] == "agrees").sum())
        rows.append(
            {
                **dict(zip(("claim", "quantity", "scale"), key, strict=True)),
                "specifications": len(tested),
                "agree": agree,
                "share": agree / len(tested),
                "lowest": tested["value"].min(),
                "median": tested["value"].median(),
                "highest": tested["value"].max(),
                "own": mine["side"].iloc[0] if len(mine) else "",
            }
        )
    return pd.DataFrame(rows, columns=list(AGREEMENT))


def _grid_of(
    spec: Specification, grids: Mapping[str, xr.Dataset], marks: Mapping[str, str]
) -> xr.Dataset | None:
    grid = grids.get(spec.normalization)
    if grid is None or spec.measure not in grid:
        return None
    if spec.measure != "accuracy":
        grid = grid.assign(accuracy=grid[spec.measure])
    if spec.seeds != "averaged":
        seeds = [f"seed {seed}" for seed in grid["seed"].to_numpy()]
        grid = grid.isel(seed=[seeds.index(spec.seeds)])
    if spec.benchmarks == MEASURABLE:
        names = grid["benchmark"].to_numpy().tolist()
        kept = [place for place, name in enumerate(names) if marks.get(name) == "measurable"]
        if not kept:
            return None
        grid = grid.isel(benchmark=kept)
    return grid
