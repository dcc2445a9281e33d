"""The rule that chooses the suite's benchmarks from the candidates, from one pilot mixture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from transfer.entries import CATEGORIES, STAGES, Category, Stage
from transfer.errors import BadInput

QUOTAS: dict[Category, int] = {"Commonsense": 7, "Science": 4, "NLI": 4, "Semantic": 5}
LEAST_Z = 3.0
LEAST_ITEMS = 500
NOISE_CONTROLS = 5
SATURATED = 0.97


@dataclass(frozen=True)
class Frozen:
    """A benchmark as chosen.

    Attributes
    ----------
    bar
        What had to be cleared: the largest of chance, majority label and artefact check.
    z
        Standard errors above the bar by stage, under the bar's own binomial variance.
    margin
        Largest share of the way from the bar to 1 that either stage went.
    noise_control
        Whether it failed the rule and fills a gap, to show what noise looks like.
    """

    name: str
    category: Category
    bar: float
    z: dict[Stage, float]
    margin: float
    noise_control: bool


def freeze(
    candidates: pd.DataFrame,
    pilot: pd.DataFrame,
    quotas: Mapping[Category, int] = QUOTAS,
) -> list[Frozen]:
    """Return the frozen benchmarks, category by category, the clearest first.

    The rule, written before the pilot was scored:

    1. The bar of a candidate is the largest of chance, majority label and the artefact check that
       it declares.
    2. It passes if it has at least 500 test items and its accuracy is more than 3 standard errors
       above the bar, sqrt(bar (1 - bar) / n), in at least one stage of the pilot (one mixture,
       scale M, its default normalization).
    3. Passers are ranked by margin, (accuracy - bar) / (1 - bar) in the better stage. Those above
       0.97 in some stage come after all others: where every mixture scores the same, there is
       nothing to rank.
    4. Each category takes its quota (7, 4, 4, 5) from the top, under three limits: at least half
       (rounded up) are real data while real passers are left; at most two fifths (rounded up) are
       of one kind; and at least one is in the fine-tuning set and one is held out whole, where
       there are such passers. The limit on kinds is given up before a passer is.
    5. Gaps are filled by candidates that failed, highest z first, marked as noise controls: at
       most five over all categories.

    Nothing else is looked at: no other mixture, and no correlation.

    Parameters
    ----------
    candidates
        `data/benchmarks/candidates.csv`: name, category, kind, real, in_sft, n_test,
        artefact_check.
    pilot
        One row a benchmark and stage: benchmark, stage, accuracy.
    quotas
        Benchmarks wanted a category.

    Raises
    ------
    BadInput
        If a candidate has no pilot score in a stage, or more than five noise controls are needed.
    """
    accuracies = pilot.set_index(["benchmark", "stage"])["accuracy"]
    judged = [_judged(row, accuracies) for _, row in candidates.iterrows()]
    out: list[Frozen] = []
    for category in CATEGORIES:
        within = [one for one in judged if one.frozen.category == category]
        passers = sorted((one for one in within if one.passes), key=_rank)
        taken = _take(passers, quotas[category])
        failed = sorted((one for one in within if not one.passes), key=_by_z)
        taken += failed[: quotas[category] - len(taken)]
        if len(taken) < quotas[category]:
            raise BadInput(
                f"category {category}: {len(taken)} candidates for {quotas[category]} places; "
                "add candidates"
            )
        out += [one.frozen for one in taken]
    controls = [one.name for one in out if one.noise_control]
    if len(controls) > NOISE_CONTROLS:
        raise BadInput(
            f"{len(controls)} benchmarks would be noise controls ({', '.join(controls)}), "
            f"{NOISE_CONTROLS} are allowed; add candidates or train longer"
        )
    return out


@dataclass(frozen=True)
class _Judged:
    frozen: Frozen
    kind: str
    real: bool
    in_sft: bool
    saturated: bool

    @property
    def passes(self) -> bool:
        return not self.frozen.noise_control


def _judged(row: pd.Series, accuracies: pd.Series) -> _Judged:
    bar = float(row["artefact_check"])
    error = math.sqrt(bar * (1 - bar) / int(row["n_test"]))
    scores: dict[Stage, float] = {}
    for stage in STAGES:
        if (row["name"], stage) not in accuracies.index:
            raise BadInput(f"pilot: no accuracy of {row['name']!r} at {stage}; score it first")
        scores[stage] = float(accuracies.loc[(row["name"], stage)])
    z = {stage: (accuracy - bar) / error for stage, accuracy in scores.items()}
    passes = max(z.values()) > LEAST_Z and int(row["n_test"]) >= LEAST_ITEMS
    return _Judged(
        frozen=Frozen(
            name=str(row["name"]),
            category=row["category"],
            bar=bar,
            z=z,
            margin=(max(scores.values()) - bar) / (1 - bar),
            noise_control=not passes,
        ),
        kind=str(row["kind"]),
        real=bool(row["real"]),
        in_sft=bool(row["in_sft"]),
        saturated=max(scores.values()) > SATURATED,
    )


def _rank(one: _Judged) -> tuple[bool, float, str]:
    return (one.saturated, -one.frozen.margin, one.frozen.name)


def _by_z(one: _Judged) -> tuple[float, str]:
    return (-max(one.frozen.z.values()), one.frozen.name)


def _take(passers: list[_Judged], quota: int) -> list[_Judged]:
    """Return at most a quota of passers, in order of rank, under the limits of step 4."""
    most_of_a_kind = math.ceil(0.4 * quota)
    taken: list[_Judged] = []

    def room(one: _Judged) -> bool:
        same = sum(other.kind == one.kind for other in taken)
        return one not in taken and same < most_of_a_kind and len(taken) < quota

    for one in [one for one in passers if one.real]:
        if len(taken) < math.ceil(quota / 2) and room(one):
            taken.append(one)
    for one in passers:
        if room(one):
            taken.append(one)
    for one in passers:
        if one not in taken and len(taken) < quota:
            taken.append(one)
    taken.sort(key=_rank)
    for wanted in (True, False):
        others = [one for one in passers if one.in_sft == wanted]
        if others and not any(one.in_sft == wanted for one in taken):
            _replace(taken, others)
    return sorted(taken, key=_rank)


def _replace(taken: list[_Judged], others: list[_Judged]) -> None:
    """Put the best other in the place of the last one taken, real data not against generated."""
    for place in reversed(range(len(taken))):
        for other in others:
            if other.real or not taken[place].real:
                taken[place] = other
                return
