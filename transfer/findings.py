"""Sentences that say what a table of results says, and no more.

Each function takes a tidy table (`value, low, high`, one column a dimension) and returns Markdown.
The words depend on the data alone: a null result, an undecided one and one that cannot be had from
the table are said as plainly as a strong one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

HOLDS, BREAKS = 0.7, 0.3
"""The paper's reading of a cross-stage r: above the first a ranking holds, below the second not."""

VERDICTS = ("persists", "undecided", "reverses")


def verdict(low: float, high: float) -> str:
    """Return what an interval of r says: `persists`, `reverses`, or `undecided` (holds zero).

    An absent interval (NaN) is `not measured`.
    """
    if np.isnan(low) or np.isnan(high):
        return "not measured"
    if low > 0:
        return "persists"
    return "reverses" if high < 0 else "undecided"


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a column `verdict`."""
    verdicts = [verdict(low, high) for low, high in zip(table["low"], table["high"], strict=True)]
    return table.assign(verdict=verdicts)


def number(value: float, low: float | None = None, high: float | None = None) -> str:
    """Return `0.49 [0.10, 0.80]`, or a dash where the value is absent."""
    if value is None or np.isnan(value):
        return "–"
    shown = _signed(value)
    if low is None or high is None or np.isnan(low) or np.isnan(high):
        return shown
    return f"{shown} [{_signed(low)}, {_signed(high)}]"


def plain(name: object) -> str:
    """Return a name as text in Markdown, whatever signs it has.

    Names come from users' tables; markup in them is shown, not obeyed.
    """
    text = str(name)
    if re.fullmatch(r"[\w .,+/-]*", text):
        return text
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def names(values: Iterable[str]) -> str:
    """Return `a, b and c`, or `none`."""
    values = list(values)
    if len(values) < 2:
        return values[0] if values else "none"
    return f"{', '.join(values[:-1])} and {values[-1]}"


def persistence(per_benchmark: pd.DataFrame, mean: pd.DataFrame, metric: str) -> str:
    """Return how far rankings persist, scale by scale (RQ1).

    Parameters
    ----------
    per_benchmark : DataFrame
        P1 or P2: `scale, benchmark, value, low, high`, and where they are known `mark` and `seeds`.
    mean : DataFrame
        The mean over benchmarks: `scale, value, low, high`.
    metric : str
        What the rankings are of.
    """
    said = []
    for scale, rows in with_verdicts(per_benchmark).groupby("scale", sort=False):
        counts = rows["verdict"].value_counts()
        above, below, open_ = (
            int(counts.get(name, 0)) for name in ("persists", "reverses", "undecided")
        )
        whole = _records(mean.loc[mean["scale"] == scale])[0]
        measured = above + below + open_
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
                f" Of the {len(clear)} that are clear of zero, {kept} can be told from {noise}."
            )
        said.append(sentence)
    return " ".join(said)


def one_seed(rows: pd.DataFrame) -> bool:
    """Return whether all rows are known to rest on one seed, so that its luck is not known."""
    return "seeds" in rows and bool(rows["seeds"].eq(1).all())


def stronger(difference: pd.DataFrame, first: str, second: str) -> str:
    """Return which of two metrics persists more, from intervals of `first` minus `second`."""
    said = []
    for row in _records(difference):
        shown = number(row["value"], row["low"], row["high"])
        if np.isnan(row["value"]):
            words = f"the two cannot be compared ({first} or {second} is missing)"
        elif row["low"] > 0:
            words = f"{first} persists more than {second}: the difference in mean r is {shown}"
        elif row["high"] < 0:
            words = f"{first} persists less than {second}: the difference in mean r is {shown}"
        else:
            words = (
                f"it is undecided whether {first} or {second} persists more: "
                f"the difference in mean r is {shown}"
            )
        said.append(f"At scale {plain(row['scale'])} {words}.")
    return " ".join(said)


def predictors(per_benchmark: pd.DataFrame) -> str:
    """Return which benchmarks predict across stages and which do not (RQ2)."""
    said = []
    for scale, rows in with_verdicts(per_benchmark).groupby("scale", sort=False):
        rows = rows.sort_values("value", ascending=False)
        shown = rows["benchmark"].map(plain)
        by = {name: list(shown[rows["verdict"] == name]) for name in VERDICTS}
        strong = shown[(rows["value"] > HOLDS) & (rows["low"] > 0)]
        said.append(
            f"At scale {plain(scale)} the ranking of mixtures persists on "
            f"{names(by['persists'])}"
            f" (r above {HOLDS} on {names(strong)}); it reverses on {names(by['reverses'])}; "
            f"the other {len(by['undecided'])} are undecided."
        )
    return " ".join(said)


def _change(row: dict[str, Any]) -> str:
    return "rises" if row["low"] > 0 else "falls" if row["high"] < 0 else "may rise or fall"


def scales_compared(scales: list[str], difference: pd.DataFrame | None, metric: str) -> str:
    """Return what the table says about scale (RQ3), or that it cannot say anything yet."""
    if len(scales) < 2 or difference is None:
        return (
            f"**This question cannot be answered yet.** The table holds one scale "
            f"({names(map(plain, scales))}); how transfer shifts with scale needs two. "
            "What follows shows where that scale stands; the comparison appears by itself as soon "
            "as the table holds a second scale."
        )
    said = []
    for row in _records(difference):
        shown = number(row["value"], row["low"], row["high"])
        said.append(
            f"From {plain(row['smaller'])} to {plain(row['larger'])} the mean r of {metric} "
            f"{_change(row)}: {shown}."
        )
    return " ".join(said)


def mixtures_apart(levels: pd.DataFrame, metric: str) -> str:
    """Return how far the mixtures lie apart, and where the widest gap between neighbours is.

    Parameters
    ----------
    levels : DataFrame
        `scale, stage, mixture, value`: the mean of the metric over benchmarks and seeds.
    metric : str
    """
    said = []
    for (scale, stage), rows in levels.dropna().groupby(["scale", "stage"], sort=False):
        rows = rows.sort_values("value")
        if len(rows) < 2:
            continue
        places, values = rows["mixture"].map(plain).tolist(), rows["value"].to_numpy()
        at = int(np.diff(values).argmax())
        said.append(
            f"- At scale {plain(scale)}, {plain(stage)}: mean {metric} from {values[0]:.3f} "
            f"({places[0]}) to **{values[-1]:.3f}** ({places[-1]}); the widest gap is "
            f"{values[at + 1] - values[at]:.3f}, between {places[at]} and {places[at + 1]}."
        )
    return "\n".join(said)


def steps(table: pd.DataFrame, count: int) -> str:
    """Return how far rankings persist over each step between stages.

    Parameters
    ----------
    table : DataFrame
        `metric, scale, step, value, low, high`.
    count : int
        How many steps there are.
    """
    said = []
    for (metric, scale), rows in table.groupby(["metric", "scale"], sort=False):
        parts = [
            f"{number(row['value'], row['low'], row['high'])} from {plain(row['step'])}"
            for row in _records(rows)
        ]
        said.append(f"At scale {plain(scale)} the mean r of {metric} is {names(parts)}.")
    if count == 1:
        said.append("The table has two stages, so this is the step of the other pages.")
    return " ".join(said)


def foresight(table: pd.DataFrame, gain: pd.DataFrame, end: str) -> str:
    """Return how early in pretraining a score tells what it tells at the end.

    Parameters
    ----------
    table : DataFrame
        `metric, scale, point, value, low, high`: the mean r of each point, in order, with the end
        of SFT.
    gain : DataFrame
        `metric, scale, value, low, high`: that at the end of pretraining less that at its first
        point.
    end : str
        The last point of pretraining.
    """
    said = []
    for (metric, scale), rows in table.groupby(["metric", "scale"], sort=False):
        pretraining = rows.iloc[: rows["point"].tolist().index(end) + 1]
        first, last = _records(pretraining.iloc[[0, -1]])
        above = (pretraining["low"] > 0).tolist()
        there = [plain(p) for p, told in zip(pretraining["point"], above, strict=True) if told]
        change = _records(gain[(gain["metric"] == metric) & (gain["scale"] == scale)])[0]
        shown = [number(row["value"], row["low"], row["high"]) for row in (first, last, change)]
        said.append(
            f"At scale {plain(scale)} the mean r of {metric} with the end of fine-tuning is "
            f"{shown[0]} at {plain(first['point'])} and **{shown[1]}** at {plain(end)}. From one "
            f"to the other it {_change(change)}: {shown[2]}. {_above_zero(above, there)}"
        )
    return "\n\n".join(said)


def _above_zero(above: list[bool], there: list[str]) -> str:
    if not there:
        return "Its interval holds zero at every point of pretraining."
    if all(above[above.index(True) :]):
        return f"Its interval lies above zero from {there[0]} on."
    return f"Its interval lies above zero at {names(there)}."


def alignment(per_category: pd.DataFrame) -> str:
    """Return where confidence goes with accuracy and where not (RQ4)."""
    said = []
    for (scale, stage), rows in with_verdicts(per_category).groupby(["scale", "stage"], sort=False):
        words = {"persists": "positive", "reverses": "negative", "undecided": "undecided"}
        parts = [
            f"{words.get(row['verdict'], 'not measured')} in {plain(row['category'])} "
            f"({number(row['value'], row['low'], row['high'])})"
            for row in _records(rows)
        ]
        when = "before fine-tuning" if stage == "pretrain" else "after it"
        said.append(f"At scale {plain(scale)}, {when}, alignment is {names(parts)}.")
    return " ".join(said)


def clear_of_chance(table: pd.DataFrame, errors: float = 3.0) -> str:
    """Return on how many benchmarks models are above chance, per scale and stage.

    Parameters
    ----------
    table : DataFrame
        `scale, stage, benchmark, accuracy, chance, n_items`, one row a benchmark; accuracy is the
        mean over mixtures and seeds.
    errors : float
        Binomial standard errors of one model's accuracy that count as clear.
    """
    table = table.dropna(subset=["accuracy", "chance", "n_items"])
    if table.empty:
        return "No benchmark has both its number of items and what guessing would get."
    error = np.sqrt(table["chance"] * (1 - table["chance"]) / table["n_items"])
    clear = table.assign(clear=table["accuracy"] > table["chance"] + errors * error)
    said = [
        f"at scale {plain(scale)} {'before' if stage == 'pretrain' else 'after'} fine-tuning on "
        f"{int(rows['clear'].sum())} of {len(rows)}"
        for (scale, stage), rows in clear.groupby(["scale", "stage"], sort=False)
    ]
    clear_by = f"clear of chance (by {errors:g} standard errors)"
    return f"The mean model is {clear_by} {names(said)} benchmarks."


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): cell for name, cell in row.items()} for row in rows.to_dict("records")]


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def verdicts(card: pd.DataFrame) -> str:
    """Return how many quantities of a scorecard agree, disagree or stay open, of which claims."""
    words = {"agrees": "agree", "disagrees": "disagree", "undecided": "are undecided"}
    words["not testable yet"] = "cannot be tested yet"
    said = [
        f"**{len(rows)}** {words.get(str(name), name)} ({names(rows['claim'].unique())})"
        for name, rows in card.groupby("verdict", sort=False)
    ]
    count = card["claim"].nunique()
    return f"{count} claims are held against {len(card)} quantities: {names(said)}."


def claims_in_short(card: pd.DataFrame) -> pd.DataFrame:
    """Return one line a claim: `claim, statement, verdict`, the verdicts of its rows counted."""
    lines = []
    for (claim, statement), rows in card.groupby(["claim", "statement"], sort=False):
        counts = Counter(rows["verdict"])
        said = [name if len(rows) == 1 else f"{name} ({n})" for name, n in counts.items()]
        lines.append({"claim": claim, "the paper says": statement, "here": ", ".join(said)})
    return pd.DataFrame(lines)


def measurability(marked: pd.DataFrame) -> str:
    """Return on how many benchmarks the ranking of mixtures can be told from noise.

    Parameters
    ----------
    marked : DataFrame
        `scale, benchmark, mark`.
    """
    said = []
    for scale, rows in marked.groupby("scale", sort=False):
        able = list(rows.loc[rows["mark"] == "measurable", "benchmark"])
        said.append(
            f"At scale {scale} the ranking of mixtures can be told from noise on **{len(able)} of "
            f"{len(rows)}** benchmarks at both stages ({names(able)}); on the others a low r says "
            "that nothing was measured, not that nothing persists."
        )
    return " ".join(said)


def differs(row: pd.Series, what: str) -> str:
    """Return what a paired difference says: its interval, and the p of the exchange test."""
    shown = number(row["value"], row["low"], row["high"])
    if np.isnan(row["value"]):
        return f"{what}: cannot be had."
    side = "above zero" if row["low"] > 0 else "below zero" if row["high"] < 0 else "undecided"
    return f"{what} is {shown}, {side}; the exchange test gives p = {row['p']:.3f}."


class Table:
    """A table as a page shows it: numbers to two places, a dash where one is absent, no index."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def _repr_html_(self) -> str:
        return self.frame.to_html(
            index=False,
            na_rep="–",
            float_format=_signed,
            border=0,
            escape=True,
            classes="dataframe",
        )

    def __repr__(self) -> str:
        return self.frame.to_string(index=False, na_rep="–", float_format=_signed)


def table(frame: pd.DataFrame) -> Table:
    """Return a frame in the form in which pages show tables."""
    return Table(frame)
