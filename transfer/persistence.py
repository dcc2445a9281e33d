"""Sentences on whether rankings of mixtures persist through fine-tuning, and are rankings at all.

Like those of `transfer.findings`, they say what tidy tables say and no more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from transfer.findings import HOLDS, names, number, one_seed, plain, records, with_verdicts


def by_scale(
    per_benchmark: pd.DataFrame,
    mean: pd.DataFrame,
    metric: str,
    told: pd.DataFrame | None = None,
) -> str:
    """Return how far rankings persist, scale by scale (RQ1).

    Parameters
    ----------
    per_benchmark : DataFrame
        P1 or P2: `scale, benchmark, value, low, high`, and where they are known `mark` and `seeds`.
    mean : DataFrame
        The mean over benchmarks: `scale, value, low, high`.
    metric : str
        What the rankings are of.
    told : DataFrame, optional
        As `mean`, over the benchmarks that are marked measurable alone.
    """
    said = []
    for scale, rows in with_verdicts(per_benchmark).groupby("scale", sort=False):
        counts = rows["verdict"].value_counts()
        above, below, open_ = (
            int(counts.get(name, 0)) for name in ("persists", "reverses", "undecided")
        )
        whole = records(mean.loc[mean["scale"] == scale])[0]
        measured = above + below + open_
        if not measured and rows["value"].notna().any():
            said.append(
                f"At scale {plain(scale)} the mean r of {metric} is {number(whole['value'])}, over "
                f"{int(rows['value'].notna().sum())} benchmarks. There are too few mixtures for an "
                "interval, so it decides nothing."
            )
            continue
        sentence = (
            f"At scale {plain(scale)} the mean r of {metric} over {measured} benchmarks is "
            f"**{number(whole['value'], whole['low'], whole['high'])}**. "
            f"For {above} of them the interval lies above zero, for {below} below, and for "
            f"{open_} it holds both signs, so these mixtures do not decide."
        )
        if absent := int(counts.get("not measured", 0)):
            sentence += f" {absent} more could not be measured."
        clear = rows[rows["verdict"].isin(["persists", "reverses"])]
        if "mark" in clear and len(clear):
            kept = int((clear["mark"] == "measurable").sum())
            noise = "noise"
            if one_seed(rows):
                noise = "the noise of items; that of seeds is not known, for there is one"
            sentence += (
                f" Of the {len(clear)} that are clear of zero, {kept} are more signal than {noise}."
            )
        said.append(sentence + _of_measurable(told, scale, rows))
    return "\n".join(f"- {sentence}" for sentence in said)


def _of_measurable(told: pd.DataFrame | None, scale: Any, rows: pd.DataFrame) -> str:
    """Return the mean r over the benchmarks that are marked measurable."""
    if told is None or "mark" not in rows:
        return ""
    count = int((rows["mark"] == "measurable").sum())
    noise = "the noise of items" if one_seed(rows) else "noise"
    if not count:
        return f" No ranking is more signal than {noise} at both stages."
    row = records(told.loc[told["scale"] == scale])[0]
    sentence = (
        f" Over those whose ranking is more signal than {noise} at both stages, {count} of "
        f"{len(rows)}, the mean r is **{number(row['value'], row['low'], row['high'])}**"
    )
    if count == len(rows):
        return f"{sentence}."
    return f"{sentence}; on the others r, high or low, says little of persistence."


def headline(per_benchmark: pd.DataFrame, told: pd.DataFrame | None) -> str:
    """Return in short whether rankings that are more than noise persist (RQ1).

    Takes what `by_scale` takes, with the ends of each r. Empty where it is not known which rankings
    are noise.
    """
    if told is None or "mark" not in per_benchmark:
        return ""
    found: list[dict[str, Any]] = []
    alone: list[dict[str, Any]] = []
    for scale, rows in per_benchmark.groupby("scale", sort=False):
        row = records(told.loc[told["scale"] == scale])[0]
        if not np.isnan(row["value"]):
            count = int((rows["mark"] == "measurable").sum())
            shown = number(row["value"], row["low"], row["high"])
            row["said"] = f"{shown} at scale {plain(scale)} ({count} of {len(rows)} benchmarks)"
            (alone if one_seed(rows) else found).append(row)
    parts = []
    sure = per_benchmark[per_benchmark["scale"].isin([row["scale"] for row in found])]
    if found:
        able = sure[sure["mark"] == "measurable"]
        clear = int((able["low"] > 0).sum())
        parts = [
            f"**Where the ranking of mixtures is more signal than noise, {_kept(found)}.** That "
            f"is so for {len(able)} of {len(sure)} pairs of a benchmark and a scale. The mean r "
            f"across stages is {names(row['said'] for row in found)}, these benchmarks taken as "
            f"given; of the {len(able)} r, {clear} {'is' if clear == 1 else 'are'} surely above "
            f"zero. On the other benchmarks r, high or low, says little.{_above_ceiling(sure)}"
        ]
    if alone:
        parts.append(
            "With one seed, whose luck cannot be told from what data did, it is "
            f"{names(row['said'] for row in alone)}."
            if found
            else f"**With one seed the noise of seeds is not known.** By that of items alone, "
            f"{_kept(alone)}: the mean r across stages is {names(row['said'] for row in alone)}."
        )
    none = "On no benchmark is the ranking of mixtures more signal than noise at both stages."
    return " ".join(parts) or none


def _above_ceiling(rows: pd.DataFrame) -> str:
    """Return on how many measurable rankings r is above what independent noise would allow."""
    able = rows[rows["mark"] == "measurable"]
    if "ceiling" not in able or not len(over := able[able["value"] > able["ceiling"]]):
        return ""
    every = len(over) == len(able) > 1
    these = f"all {len(able)}" if every else f"{len(over)} of these {len(able)}"
    return (
        f" On {these} r is above what noise would allow if each stage "
        "had its own, so part of it may be luck that both share: a run is fine-tuned from its own "
        "pretraining."
    )


def _kept(rows: list[dict[str, Any]]) -> str:
    """Return whether fine-tuning keeps rankings, by their mean r at some scales."""
    if not all(row["low"] > 0 for row in rows):
        return "it is undecided whether fine-tuning keeps it"
    part = "" if all(row["value"] > HOLDS for row in rows) else " in part"
    return f"fine-tuning keeps it on average{part}"


def from_run_to_run(table: pd.DataFrame, of: str = "") -> str:
    """Return how far rankings persist from one run to another of the same mixtures.

    Parameters
    ----------
    table : DataFrame
        `scale, quantity, value, low, high`: the mean over benchmarks of each quantity of
        `transfer.protocols.between_runs`.
    of : str
        What the mean is of, where it is not all benchmarks.
    """
    said = []
    for scale, rows in table.groupby("scale", sort=False):
        by = {row["quantity"]: row for row in records(rows)}
        if np.isnan(by["between"]["value"]):
            said.append(
                f"- At scale {plain(scale)} there is one seed: what its runs share with no other "
                "run is in every r."
            )
            continue
        shown = {key: number(row["value"], row["low"], row["high"]) for key, row in by.items()}
        luck = by["luck"]
        part = (
            "is luck that a run carries through its fine-tuning"
            if luck["low"] > 0
            else "cannot be told from none with so few mixtures"
            if np.isnan(luck["low"])
            else "may be luck that a run carries through its fine-tuning, or none"
        )
        said.append(
            f"- At scale {plain(scale)} the mean r{f' {of}' if of else ''} is {shown['within']} "
            "where both scores are of one run, and "
            f"**{shown['between']}** where the score after fine-tuning is that of another run, of "
            f"the same mixture with another seed. The difference, {shown['luck']}, {part}."
        )
    return "\n".join(said)


def measurability(marked: pd.DataFrame) -> str:
    """Return on how many benchmarks the ranking of mixtures is more signal than noise.

    Parameters
    ----------
    marked : DataFrame
        `scale, benchmark, mark`, and `seeds` where they are known.
    """
    said = []
    for scale, rows in marked.groupby("scale", sort=False):
        able = [plain(name) for name in rows.loc[rows["mark"] == "measurable", "benchmark"]]
        said.append(
            f"At scale {plain(scale)} the ranking of mixtures is more signal than noise on "
            f"**{len(able)} of {len(rows)}** benchmarks at both stages ({names(able)}); on the "
            "others r, high or low, says little of persistence."
        )
        if one_seed(rows):
            said.append("With one seed this counts the noise of items alone.")
    return " ".join(said)
