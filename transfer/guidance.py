"""Sentences on what to do: what web filters and code do, what to trust, and what to check twice.

Like those of `transfer.findings`, they depend on the data alone, and an undecided result is called
one. Each but `alone` takes tidy tables with `value, low, high`; all return Markdown.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from transfer.findings import names, number, one_seed, plain, records
from transfer.tables import seeds_per_scale
from transfer.tiers import TIERS, WHEN

COIN = 0.5
"""Decision accuracy of a coin."""

FEW = 4
"""Names in a short sentence; of more, the others are counted."""

ONE_SEED = "It rests on one seed, whose luck alone can make such a ranking."

IF_ANOTHER = "if another seed agrees"


def filters(contrasts: pd.DataFrame, what: str, unit: str = "") -> str:
    """Return what each web filter changes against the raw web text, in which categories.

    Parameters
    ----------
    contrasts : DataFrame
        `scale, stage, contrast, category, value, low, high`, from `web_contrast` or
        `alignment_contrast`.
    what : str
        What is changed, such as accuracy.
    unit : str
        Of the values, such as percentage points.
    """
    said = []
    keys = ["scale", "stage", "contrast"]
    for (scale, stage, contrast), rows in contrasts.groupby(keys, sort=False):
        first, _, second = str(contrast).partition("-")
        when = f"At scale {plain(scale)}, {WHEN.get(str(stage), plain(stage))} fine-tuning,"
        if rows["low"].isna().all():
            said.append(f"- {when} {plain(first)} and {plain(second)} cannot be compared.")
            continue
        sides = _sides(rows, ("higher", "lower"), what)
        said.append(f"- {when} {plain(first)} has {sides} than {plain(second)}.")
    head = f"Differences in {unit}, with 95 % intervals:\n\n" if unit else ""
    return head + "\n".join(said)


def code(r: pd.DataFrame, metric: str) -> str:
    """Return on how many benchmarks a measure goes with or against the share of code.

    Parameters
    ----------
    r : DataFrame
        `scale, stage, benchmark, value, low, high`, from `code_share_correlation`.
    metric : str
    """
    said = []
    for (scale, stage), rows in r.groupby(["scale", "stage"], sort=False):
        up, down = _names(rows[rows["low"] > 0]), _names(rows[rows["high"] < 0])
        measured = int(rows["low"].notna().sum())
        said.append(
            f"- At scale {plain(scale)}, {WHEN.get(str(stage), plain(stage))} fine-tuning, more "
            f"code goes with higher {metric} on **{len(up)}** of {measured} benchmarks"
            f"{_listed(up)}, with lower {metric} on **{len(down)}**{_listed(down)}; on "
            f"{measured - len(up) - len(down)} the interval holds zero."
        )
    return "\n".join(said)


def by_chance(table: pd.DataFrame) -> str:
    """Return how many of some intervals are clear of zero, and how many would be by chance.

    Parameters
    ----------
    table : DataFrame
        `low, high`: ends of 95 % intervals.
    """
    measured = table[table["low"].notna()]
    clear = int(((measured["low"] > 0) | (measured["high"] < 0)).sum())
    return (
        f"Of these {len(measured)} intervals {clear} {'is' if clear == 1 else 'are'} clear of "
        f"zero. If nothing had an effect about {len(measured) / 20:.0f} would be by chance, so a "
        "single one says little."
    )


def _listed(found: list[str]) -> str:
    return f" ({names(found)})" if found else ""


def trust(tiers: pd.DataFrame) -> str:
    """Return which benchmarks to trust before fine-tuning, scale by scale.

    Parameters
    ----------
    tiers : DataFrame
        `scale, benchmark, value, low, high, tier`, from `transfer.tiers.with_tiers`, and `seeds`
        where they are known.
    """
    words = {
        "holds": "**Trust**",
        "persists": "**Lean on, with a second look**",
        "undecided": "Undecided by these mixtures",
        "reverses": "Do not choose by",
        "mostly noise": "Cannot be leaned on here, for lack of items, seeds or skill",
        "not measured": "Not measured",
    }
    said = []
    for scale, rows in tiers.groupby("scale", sort=False, observed=True):
        lines = [f"At scale {plain(scale)}:\n"]
        for name in TIERS:
            part = rows[rows["tier"] == name].sort_values("value", ascending=False)
            if part.empty and name not in ("holds", "persists"):
                continue
            shown = _names(part)
            if name in ("holds", "persists", "reverses"):
                shown = [
                    f"{plain(row['benchmark'])} ({number(row['value'], row['low'], row['high'])})"
                    for row in records(part)
                ]
            beyond = _beyond(part) if name in ("holds", "persists") else ""
            what = words[name] + (f", {IF_ANOTHER}" if one_seed(rows) and name == "holds" else "")
            lines.append(f"- {what}: {names(shown)}.{beyond}")
        said.append("\n".join([*lines, *(["", ONE_SEED] if one_seed(rows) else [])]))
    return "\n\n".join(said)


def _beyond(part: pd.DataFrame) -> str:
    """Return which of the benchmarks have an r above what their noise lets one expect."""
    if "ceiling" not in part:
        return ""
    shown = [
        f"{plain(row['benchmark'])} ({number(row['value'])} above {number(row['ceiling'])})"
        for row in records(part[part["value"] > part["ceiling"]])
    ]
    if not shown:
        return ""
    return f" Above its ceiling, by luck or by noise that both stages share: {names(shown)}."


def trust_in_short(tiers: pd.DataFrame) -> str:
    """Return which benchmarks to trust before fine-tuning, one sentence a scale; see `trust`.

    Of many the `FEW` with the highest r are named.
    """
    said = []
    for scale, rows in tiers.groupby("scale", sort=False, observed=True):
        rows = rows.sort_values("value", ascending=False)
        holds, persists = (_names(rows[rows["tier"] == name]) for name in ("holds", "persists"))
        others = len(rows) - len(holds) - len(persists)
        lean_on = f"trust, {IF_ANOTHER}," if one_seed(rows) else "trust"
        said.append(
            f"At scale {plain(scale)} {lean_on} {few(holds)}"
            + (f"; look twice at {few(persists)}" if persists else "")
            + f". On the other {others} these mixtures cannot tell, or say not to."
            + (f" {ONE_SEED}" if one_seed(rows) else "")
        )
    return " ".join(said)


def metrics_compared(gaps: pd.DataFrame, r: pd.DataFrame | None = None) -> str:
    """Return in which categories confidence persists more than accuracy, scale by scale.

    Parameters
    ----------
    gaps : DataFrame
        `scale, category, value, low, high`: mean r of confidence less that of accuracy.
    r : DataFrame, optional
        `scale, category, mark` of each benchmark by accuracy. Where the two differ in a category
        none of whose rankings by accuracy is more than noise, that is said.
    """
    said = []
    for scale, rows in gaps.groupby("scale", sort=False):
        if rows["low"].isna().all():
            said.append(f"- At scale {plain(scale)} the two cannot be compared.")
            continue
        said.append(
            f"- At scale {plain(scale)} confidence persists "
            f"{_sides(rows, ('more', 'less'))} than accuracy.{_of_noise(rows, scale, r)}"
        )
    return "\n".join(said)


def _of_noise(gaps: pd.DataFrame, scale: object, r: pd.DataFrame | None) -> str:
    """Return in which categories a difference may be the noise of accuracy alone."""
    if r is None or "mark" not in r:
        return ""
    able = r.loc[(r["scale"] == scale) & (r["mark"] == "measurable"), "category"].unique()
    apart = gaps[(gaps["low"] > 0) | (gaps["high"] < 0)]
    unable = [plain(name) for name in apart["category"] if name not in able]
    if not unable:
        return ""
    return (
        f" No ranking by accuracy in {names(unable)} is more than noise: it may be that noise "
        "which makes the difference."
    )


def choices_compared(gaps: pd.DataFrame) -> str:
    """Return whether confidence or accuracy orders more pairs of mixtures as the target does.

    Parameters
    ----------
    gaps : DataFrame
        `scale, value, low, high`: decision accuracy by confidence less that by accuracy.
    """
    said = []
    for row in records(gaps):
        shown = number(row["value"], row["low"], row["high"])
        if np.isnan(row["value"]):
            words = "cannot be compared"
        elif row["low"] > 0:
            words = f"orders more pairs of mixtures rightly, by {shown} of them"
        elif row["high"] < 0:
            words = f"orders fewer pairs of mixtures rightly, by {shown} of them"
        else:
            words = f"may order more or fewer pairs of mixtures rightly: {shown} of them, undecided"
        said.append(f"- At scale {plain(row['scale'])}, confidence before fine-tuning {words}.")
    return "\n".join(said)


def few(found: list[str]) -> str:
    """Return `a, b and c`, and of many the first and how many more."""
    return names(found if len(found) <= FEW else [*found[:FEW], f"{len(found) - FEW} more"])


def across_scales(decided: pd.DataFrame, short: bool = False) -> list[str]:
    """Return which benchmarks rank mixtures alike at neighbouring scales, a text for each pair.

    Parameters
    ----------
    decided : DataFrame
        `smaller, larger, benchmark, value, low, high`, from `transfer.protocols.carry_over`.
    short : bool
        Whether of many benchmarks only some are named.
    """
    listed = few if short else names
    texts = []
    for (smaller, larger), rows in decided.groupby(["smaller", "larger"], sort=False):
        alike, other = _names(rows[rows["low"] > COIN]), _names(rows[rows["high"] < COIN])
        held = rows[rows["low"].notna()]
        if held.empty:
            texts.append(
                f"From {plain(smaller)} to {plain(larger)} it cannot be said on which benchmarks "
                "the order of mixtures carries over: there are too few mixtures for an interval."
            )
            continue
        open_ = _names(held[(held["low"] <= COIN) & (held["high"] >= COIN)])
        which = f" ({listed(alike)})" if alike else ""
        rest = f"all {len(open_)}" if len(open_) == len(held) else f"{len(open_)}"
        said = (
            f"From {plain(smaller)} to {plain(larger)}, the order of mixtures carries over on "
            f"**{len(alike)}** of {len(held)} benchmarks{which}; by chance about one in "
            f"forty would. On {rest} these mixtures cannot tell it from a coin "
            f"({listed(open_)}): the order may change, or that of either scale may be noise."
        )
        if other:
            said += (
                f" On {len(other)} the order turns round ({listed(other)}): do not use the smaller."
            )
        texts.append(said)
    return texts


def alone(grid: xr.Dataset) -> str:
    """Return which scales have one seed, whose luck is in all that is said of them; or nothing."""
    seeds = seeds_per_scale(grid)
    lone = [plain(name) for name in seeds.loc[seeds["most"] < 2, "scale"]]
    if not lone:
        return ""
    return f"At scale {names(lone)} there is one seed: what is said of it may be that seed's luck."


def _sides(rows: pd.DataFrame, words: tuple[str, str], what: str = "") -> str:
    """Return `higher accuracy in A (…); neither surely higher nor surely lower … in B (…)`."""
    measured = records(rows[rows["low"].notna()])
    of = f" {what}" if what else ""
    shown: dict[str, list[str]] = {words[0]: [], words[1]: [], "": []}
    for row in measured:
        side = words[0] if row["low"] > 0 else words[1] if row["high"] < 0 else ""
        value = number(row["value"], row["low"], row["high"])
        shown[side].append(f"{plain(row['category'])} ({value})")
    parts = [f"**{word}**{of} in {names(shown[word])}" for word in words if shown[word]]
    if shown[""]:
        undecided = f"neither surely {words[0]} nor surely {words[1]}{of} in {names(shown[''])}"
        parts.append(undecided)
    return "; ".join(parts)


def _names(rows: pd.DataFrame) -> list[str]:
    return [plain(name) for name in rows["benchmark"]]
