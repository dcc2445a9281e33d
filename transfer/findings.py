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
    """Return `0.49 [0.10, 0.80]`, or a dash where the value is absent.

    To four places where two would show nothing of any of them.
    """
    if value is None or np.isnan(value):
        return "–"
    given = [value]
    if low is not None and high is not None and not np.isnan([low, high]).any():
        given += [low, high]
    places = 4 if 0 < max(map(abs, given)) < 0.005 else 2
    shown, *ends = (_signed(one, places) for one in given)
    return f"{shown} [{', '.join(ends)}]" if ends else shown


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


def witnesses(shared: pd.DataFrame) -> str:
    """Return whether benchmarks are separate witnesses of the mixtures' order.

    Parameters
    ----------
    shared : DataFrame
        `scale, stage, value, by_chance, p, n`, from `transfer.protocols.shared_variance`.
    """
    said = []
    for scale, rows in shared.dropna(subset=["value"]).groupby("scale", sort=False):
        parts = [
            f"{row['value']:.0%} {'before' if row['stage'] == 'pretrain' else 'after'} fine-tuning "
            f"(by chance {row['by_chance']:.0%}, p = {row['p']:.3f})"
            for row in records(rows)
        ]
        said.append(
            f"At scale {plain(scale)} one component over mixtures holds, of the variance of "
            f"{int(rows['n'].max())} standardized benchmarks, {names(parts)}."
        )
    return " ".join(said)


def one_seed(rows: pd.DataFrame) -> bool:
    """Return whether all rows are known to rest on one seed, so that its luck is not known."""
    return "seeds" in rows and bool(rows["seeds"].eq(1).all())


def stronger(
    difference: pd.DataFrame, first: str, second: str, told: pd.DataFrame | None = None
) -> str:
    """Return which of two metrics persists more, from intervals of `first` minus `second`.

    `told`, if given, is the same over the benchmarks whose rankings are more signal than noise.
    """
    said = []
    for row in records(difference):
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
        part = None if told is None else records(told.loc[told["scale"] == row["scale"]])[0]
        if part is not None and not np.isnan(part["value"]):
            shown = number(part["value"], part["low"], part["high"])
            words += f", and {shown} where the ranking by {second} is measurable"
        said.append(f"At scale {plain(row['scale'])} {words}.")
    return " ".join(said)


def predictors(per_benchmark: pd.DataFrame) -> str:
    """Return which benchmarks predict across stages and which do not (RQ2).

    Where the table has `mark`, a ranking that is mostly noise predicts nothing, whatever its r.
    """
    said = []
    for scale, rows in with_verdicts(per_benchmark).groupby("scale", sort=False):
        rows = rows.sort_values("value", ascending=False)
        noisy = rows.get("mark", pd.Series("", rows.index)).eq("not measurable")
        shown = rows["benchmark"].map(plain)
        by = {name: list(shown[(rows["verdict"] == name) & ~noisy]) for name in VERDICTS}
        strong = list(shown[(rows["value"] > HOLDS) & (rows["low"] > 0) & ~noisy])
        high = "" if not strong else f" (r above {HOLDS} on {_those(strong, by['persists'])})"
        sentence = (
            f"At scale {plain(scale)} the ranking of mixtures persists on "
            f"{names(by['persists'])}{high}; it reverses on {names(by['reverses'])}; "
            f"it is undecided on {len(by['undecided']) or 'none'}."
        )
        clear = list(shown[rows["verdict"].isin(["persists", "reverses"]) & noisy])
        if noisy.any():
            sentence += f" On the other {int(noisy.sum())} the ranking is mostly noise"
            sentence += f", though on {names(clear)} the interval is clear of zero" if clear else ""
            sentence += "."
        said.append(sentence)
    return "\n\n".join(said)


def _those(some: list[str], of: list[str]) -> str:
    """Return `a and b`, or where they are most of them, `all but c` or `all of them`."""
    rest = [name for name in of if name not in some]
    if len(of) < 2 or len(rest) >= len(some):
        return names(some)
    return f"all but {names(rest)}" if rest else "all of them"


def alignment(per_category: pd.DataFrame, without_one: pd.DataFrame | None = None) -> str:
    """Return where confidence goes with accuracy and where not (RQ4).

    Parameters
    ----------
    per_category : DataFrame
        `scale, stage, category, value, low, high`.
    without_one : DataFrame, optional
        `scale, stage, category, benchmark, value`: the same without that benchmark. Those that turn
        a sign that is clear are named.
    """
    said = []
    for (scale, stage), rows in with_verdicts(per_category).groupby(["scale", "stage"], sort=False):
        words = {"persists": "positive", "reverses": "negative", "undecided": "undecided"}
        parts = [
            f"{words.get(row['verdict'], 'not measured')} in {plain(row['category'])} "
            f"({number(row['value'], row['low'], row['high'])}{_turned(row, without_one)})"
            for row in records(rows)
        ]
        when = "before fine-tuning" if stage == "pretrain" else "after it"
        said.append(f"At scale {plain(scale)}, {when}, alignment is {names(parts)}.")
    return "\n\n".join(said)


def _turned(row: dict[str, Any], without_one: pd.DataFrame | None) -> str:
    """Return without which benchmarks a category's alignment has the other sign."""
    if without_one is None or row["verdict"] not in ("persists", "reverses"):
        return ""
    same = [without_one[key] == row[key] for key in ("scale", "stage", "category")]
    left = without_one[same[0] & same[1] & same[2]]
    turned = left.loc[left["value"] * row["value"] < 0, ["benchmark", "value"]]
    shown = [f"{number(r['value'])} without {plain(r['benchmark'])}" for r in records(turned)]
    return f"; {names(shown)}" if shown else ""


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
    error = errors * np.sqrt(table["chance"] * (1 - table["chance"]) / table["n_items"])
    clear = table.assign(
        clear=table["accuracy"] > table["chance"] + error,
        below=table["accuracy"] < table["chance"] - error,
    )
    said = [
        f"at scale {plain(scale)} {'before' if stage == 'pretrain' else 'after'} fine-tuning on "
        f"{int(rows['clear'].sum())} of {len(rows)}{_below(rows)}"
        for (scale, stage), rows in clear.groupby(["scale", "stage"], sort=False)
    ]
    clear_by = f"above chance (by {errors:g} standard errors)"
    return f"The mean model is {clear_by} {names(said)} benchmarks."


def _below(rows: pd.DataFrame) -> str:
    """Return on which benchmarks a model does worse than guessing would."""
    below = [plain(name) for name in rows.loc[rows["below"], "benchmark"]]
    return f" (and as far below it on {names(below)})" if below else ""


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one dictionary a row, by column."""
    return [{str(name): cell for name, cell in row.items()} for row in rows.to_dict("records")]


def _signed(value: float, places: int = 2) -> str:
    shown = f"{value:.{places}f}"
    return shown.replace("-", "−" if float(shown) else "")


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


def differs(row: pd.Series, what: str) -> str:
    """Return what a paired difference says: its interval, and the p of the exchange test."""
    shown = number(row["value"], row["low"], row["high"])
    if np.isnan(row["value"]):
        return f"{what}: cannot be had."
    side = "above zero" if row["low"] > 0 else "below zero" if row["high"] < 0 else "undecided"
    return f"{what} is {shown}, {side}; the exchange test gives p = {row['p']:.3f}."


def cell(value: float) -> str:
    """Return a number to two places, to four where two would show none of it."""
    if 0 < abs(value) < 0.00005:
        return "<0.0001" if value > 0 else ">−0.0001"
    return _signed(value, 4 if 0 < abs(value) < 0.005 else 2)


class Table:
    """A table as a page shows it: numbers to two places, a dash where one is absent, no index."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def _repr_html_(self) -> str:
        return self.frame.to_html(
            index=False,
            na_rep="–",
            float_format=cell,
            border=0,
            escape=True,
            classes="dataframe",
        )

    def __repr__(self) -> str:
        return self.frame.to_string(index=False, na_rep="–", float_format=cell)


def table(frame: pd.DataFrame) -> Table:
    """Return a frame in the form in which pages show tables."""
    return Table(frame)
