from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from scipy.stats import norm

from transfer.benchmarks.freezing import LEAST_Z, Frozen, freeze
from transfer.entries import CATEGORIES
from transfer.errors import BadInput

QUOTAS = {"Commonsense": 3, "Science": 2, "NLI": 2, "Semantic": 2}


def table(**changes: dict[str, Any]) -> pd.DataFrame:
    """Five candidates a category, all alike but for the changes."""
    rows = [
        {
            "name": f"{category}{number}",
            "category": category,
            "kind": f"kind{number}",
            "real": True,
            "in_sft": number % 2 == 0,
            "n_test": 1000,
            "artefact_check": 0.25,
        }
        | changes.get(f"{category}{number}", {})
        for category in CATEGORIES
        for number in range(5)
    ]
    return pd.DataFrame(rows)


def pilot(**accuracy: float) -> pd.DataFrame:
    rows = [
        {
            "benchmark": f"{category}{number}",
            "stage": stage,
            "accuracy": accuracy.get(f"{category}{number}", 0.5 - 0.01 * number),
        }
        for category in CATEGORIES
        for number in range(5)
        for stage in ("pretrain", "sft")
    ]
    return pd.DataFrame(rows)


def names(frozen: list[Frozen], category: str) -> list[str]:
    return [one.name for one in frozen if one.category == category]


def test_takes_the_clearest() -> None:
    frozen = freeze(table(), pilot(), QUOTAS)
    assert names(frozen, "Commonsense") == ["Commonsense0", "Commonsense1", "Commonsense2"]
    assert names(frozen, "NLI") == ["NLI0", "NLI1"]
    assert not any(one.noise_control for one in frozen)
    assert [one.category for one in frozen] == sorted(
        (one.category for one in frozen), key=CATEGORIES.index
    )


def test_three_standard_errors_is_the_bar() -> None:
    error = (0.25 * 0.75 / 1000) ** 0.5
    just_under, just_over = 0.25 + 2.99 * error, 0.25 + 3.01 * error
    scores = {f"NLI{number}": 0.25 for number in range(5)}
    frozen = freeze(table(), pilot(**scores | {"NLI3": just_over, "NLI4": just_under}), QUOTAS)
    assert names(frozen, "NLI") == ["NLI3", "NLI4"]
    over, under = [one for one in frozen if one.category == "NLI"]
    assert not over.noise_control
    assert under.noise_control
    assert over.z["sft"] == pytest.approx(3.01)
    assert norm.sf(LEAST_Z) < 0.0014


def test_an_artefact_raises_the_bar() -> None:
    frozen = freeze(table(NLI0={"artefact_check": 0.5}), pilot(), QUOTAS)
    assert names(frozen, "NLI") == ["NLI1", "NLI2"]


def test_one_stage_is_enough() -> None:
    scores = pilot(NLI0=0.25, NLI1=0.25)
    scores.loc[(scores["benchmark"] == "NLI0") & (scores["stage"] == "sft"), "accuracy"] = 0.9
    assert names(freeze(table(), scores, QUOTAS), "NLI")[0] == "NLI0"


def test_too_few_items_fail() -> None:
    frozen = freeze(table(NLI0={"n_test": 499}), pilot(), QUOTAS)
    assert "NLI0" not in names(frozen, "NLI")


def test_saturated_ones_come_last() -> None:
    frozen = freeze(table(), pilot(NLI4=0.99), QUOTAS)
    assert names(frozen, "NLI") == ["NLI0", "NLI1"]


def test_at_least_half_is_real_where_it_can_be() -> None:
    made = {f"NLI{number}": {"real": False} for number in range(4)}
    made["NLI4"] = {"in_sft": False}
    assert names(freeze(table(**made), pilot(), QUOTAS), "NLI") == ["NLI0", "NLI4"]
    # NLI1 is needed as the one held out, and takes the place of a generated one.
    made["NLI4"] = {"in_sft": True}
    assert names(freeze(table(**made), pilot(), QUOTAS), "NLI") == ["NLI1", "NLI4"]
    none = {f"NLI{number}": {"real": False} for number in range(5)}
    assert len(names(freeze(table(**none), pilot(), QUOTAS), "NLI")) == 2


def test_kinds_differ_where_they_can() -> None:
    alike = {f"Commonsense{number}": {"kind": "cloze"} for number in range(4)}
    frozen = freeze(table(**alike), pilot(), QUOTAS)
    assert names(frozen, "Commonsense") == ["Commonsense0", "Commonsense1", "Commonsense4"]
    alike["Commonsense4"] = {"kind": "cloze"}
    frozen = freeze(table(**alike), pilot(), QUOTAS)
    assert names(frozen, "Commonsense") == ["Commonsense0", "Commonsense1", "Commonsense2"]


def test_both_in_and_out_of_the_tuning_set() -> None:
    inside = {f"NLI{number}": {"in_sft": number < 4} for number in range(5)}
    assert names(freeze(table(**inside), pilot(), QUOTAS), "NLI") == ["NLI0", "NLI4"]


def test_too_many_noise_controls_are_refused() -> None:
    scores = {f"{category}{number}": 0.25 for category in CATEGORIES for number in range(5)}
    with pytest.raises(BadInput, match="9 benchmarks would be noise controls"):
        freeze(table(), pilot(**scores), QUOTAS)


def test_a_missing_score_is_named() -> None:
    scores = pilot()
    scores = scores[scores["benchmark"] != "Science2"]
    with pytest.raises(BadInput, match="'Science2' at pretrain"):
        freeze(table(), scores, QUOTAS)
