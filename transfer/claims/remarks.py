"""What to say of a row beside its interval, and what keeps it from a verdict."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from transfer.claims.claim import Remark, Row
from transfer.claims.estimates import Estimates, NotTestable, category_coherence
from transfer.claims.quantities import Quantity
from transfer.findings import names, number
from transfer.protocols import alignment_contrast, cross_stage, web_contrast
from transfer.tables import seeds_per_scale
from transfer.uncertainty import factor_interval

Remarked = Callable[[Row, Estimates, str], Remark]

BOTH = ("agrees", "disagrees")


def benchmarks_in(metrics: tuple[str, ...], *categories: str) -> Remarked:
    """Say how many benchmarks have the r of all the metrics, at both scales if two are compared."""

    def remark(row: Row, e: Estimates, scale: str) -> Remark:
        r = sum(e.of(cross_stage, metric).isel(resample=0) for metric in metrics)
        there = e.both(r).notnull()  # type: ignore[arg-type]
        there = e.at(there, scale=e.scales[0] if row.across else scale)
        members = e.members(*categories)
        count = sum(bool(there[e.benchmarks.index(name)]) for name in members)
        return Remark(f"Over {count} of {len(members)} benchmarks.")

    return remark


def pairs_in(metric: str, stage: str, *categories: str) -> Remarked:
    """Say how many pairs of benchmarks have a coherence, at both scales if two are compared."""

    def remark(row: Row, e: Estimates, scale: str) -> Remark:
        n = category_coherence(e.grid, metric, stage, stage, e.paired, e.method)["n"]
        n = e.at(n, scale=e.scales[0] if row.across else scale)
        count = sum(int(e.at(n, category=name)) for name in categories)
        sizes = [len(e.members(name)) for name in categories]
        return Remark(f"Over {count} of {sum(k * (k - 1) // 2 for k in sizes)} pairs.")

    return remark


def without_one(of: Callable[..., Quantity], *categories: str) -> Remarked:
    """Leave out one benchmark at a time: a verdict needs all of them to say the same.

    For a quantity of categories, `of(*categories)`, that rests on a correlation over their few
    benchmarks. The interval over mixtures does not show how much it hangs on one of them, for all
    mixtures share them.
    """
    quantity = of(*categories)

    def remark(row: Row, e: Estimates, scale: str) -> Remark:
        members = e.members(*categories)
        fewest = min(len(e.members(name)) for name in categories)
        if fewest < 4:
            return Remark(f"{fewest} benchmarks are too few to leave one out.", BOTH)
        left = {}
        for name in members:
            part = e.part([other for other in members if other != name], scale, resamples=0)
            values = e.at(quantity(part), scale=scale)
            left[name] = float(values.isel(resample=0))
        whole = float(e.at(quantity(e), scale=scale).isel(resample=0))
        side = row.side(whole, whole)
        turns = [name for name, value in left.items() if row.side(value, value) != side]
        low, high = min(left.values()), max(left.values())
        said = f"With one benchmark left out it lies between {number(low)} and {number(high)}."
        if turns:
            said += f" It changes sides without {names(turns)}."
        return Remark(said, BOTH if turns else ())

    return remark


def normalized_alike(*categories: str) -> Remarked:
    """Say which benchmarks of a category are normalized in another way than most of it."""

    def remark(row: Row, e: Estimates, scale: str) -> Remark:
        if "normalization" not in e.grid.coords:
            return Remark()
        of = dict(zip(e.benchmarks, e.grid["normalization"].to_numpy().astype(str), strict=True))
        said = []
        for category in categories:
            kinds = [of[name] for name in e.members(category)]
            most = max(dict.fromkeys(kinds), key=kinds.count)
            others = [f"{name} ({of[name]})" for name in e.members(category) if of[name] != most]
            if others:
                said.append(f"Most of {category} is normalized by {most}, but not {names(others)}")
        if not said:
            return Remark()
        return Remark(
            f"{'. '.join(said)}; levels of confidence do not compare across normalizations."
        )

    return remark


def changes_sign(quantity: Quantity) -> Remarked:
    """Ask that a quantity lie below zero at the small scale and above it at the large one."""

    def remark(row: Row, e: Estimates, scale: str) -> Remark:
        small, large = (e.triple(e.at(quantity(e), scale=e.scales[place])) for place in (0, -1))
        met = small[2] < 0 < large[1]
        said = f"It is {number(*small)} at {e.scales[0]} and {number(*large)} at {e.scales[-1]}"
        return Remark(
            f"{said}{'' if met else ': no sure change of sign'}.", () if met else BOTH[:1]
        )

    return remark


def effects_are_clear(row: Row, e: Estimates, scale: str) -> Remark:
    """Ask that both effects of the educational filter on NLI be clear of zero by the design.

    A product of two effects is clear of zero only if both are. The bootstrap draws three pairs
    afresh and is too sure of each; the interval from the design is not, taken at half the error
    for each of the two.
    """
    level = 1 - (1 - e.level) / 2
    asked: list[tuple[Callable[..., xr.DataArray], str, dict[str, str]]]
    if row.across:
        asked = [(web_contrast, e.scales[place], {}) for place in (0, -1)]
    else:
        asked = [(web_contrast, scale, {}), (alignment_contrast, scale, {"method": e.method})]
    said, clear = [], True
    for protocol, at_scale, how in asked:
        found = factor_interval(protocol, e.whole, level=level, **how)
        cell = found.sel(scale=at_scale, stage="pretrain", contrast="V2-V1", category="NLI")
        value, low, high = (float(cell[name]) for name in ("value", "low", "high"))
        said.append(number(value, low, high))
        clear &= low > 0 or high < 0
    words = f"The two effects, by the design's own noise: {names(said)}"
    return Remark(
        f"{words}{'' if clear else '; not both are clear of zero'}.", () if clear else BOTH
    )


def with_all_seeds(row: Row, e: Estimates, scale: str, whole: Estimates) -> Remark:
    """Say what a comparison of scales gives with all seeds, where their numbers differ."""
    counts = seeds_per_scale(whole.whole.isel(scale=[0, -1]))
    kept = seeds_per_scale(e.whole)
    if counts.equals(kept):
        return Remark()
    try:
        value = row.estimate(whole.unmatched.part(e.benchmarks), scale)[0]
    except NotTestable:
        return Remark()
    had = ", ".join(f"{entry.scale} {entry.most}" for entry in counts.itertuples())
    return Remark(
        f"As many seeds at both scales ({kept['most'].max()}); with all ({had}) it is "
        f"{number(value)}."
    )
