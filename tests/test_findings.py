"""Sentences say what intervals allow and no more."""

import numpy as np
import pandas as pd
import pytest

from transfer import comparisons, findings


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 0.9, "persists"),
        (-0.9, -0.1, "reverses"),
        (-0.1, 0.9, "undecided"),
        (np.nan, np.nan, "not measured"),
    ],
)
def test_verdict_follows_the_interval(low, high, said):
    assert findings.verdict(low, high) == said


def test_a_wide_interval_is_undecided_however_high_r_is():
    table = pd.DataFrame(
        {"scale": "S", "benchmark": ["x"], "value": [0.8], "low": [-0.05], "high": [0.95]}
    )
    assert "persists on none" in findings.predictors(table)
    assert "it is undecided on 1." in findings.predictors(table)


def test_a_ranking_that_is_noise_predicts_nothing_however_high_its_r():
    table = pd.DataFrame(
        {
            "scale": "S",
            "benchmark": ["a", "b", "c", "d"],
            "value": [0.9, 0.8, -0.8, 0.1],
            "low": [0.5, 0.4, -0.9, -0.5],
            "high": [0.95, 0.9, -0.3, 0.6],
            "mark": ["not measurable", "measurable", "measurable", "not measurable"],
        }
    )
    assert findings.predictors(table) == (
        "At scale S the ranking of mixtures persists on b (r above 0.7 on b); it reverses on c; "
        "it is undecided on none. On the other 2 the ranking is mostly noise, though on a the "
        "interval is clear of zero."
    )
    assert "persists on a and b (r above 0.7 on all of them)" in findings.predictors(
        table.drop(columns="mark")
    )


def test_one_scale_says_what_it_cannot_say():
    assert "cannot be answered yet" in comparisons.scales_compared(["S"], None, "accuracy")


def test_two_scales_say_the_direction():
    change = pd.DataFrame(
        {"smaller": ["S"], "larger": ["M"], "value": [0.2], "low": [0.1], "high": [0.3]}
    )
    assert "rises: 0.20 [0.10, 0.30]" in comparisons.scales_compared(["S", "M"], change, "accuracy")
    unsure = comparisons.scales_compared(["S", "M"], change.assign(p=0.06), "accuracy")
    assert "may rise or fall: 0.20 [0.10, 0.30], p = 0.060." in unsure
    sure = comparisons.scales_compared(["S", "M"], change.assign(p=0.04), "accuracy")
    assert "rises: 0.20 [0.10, 0.30], p = 0.040." in sure


def test_stronger_is_undecided_when_the_interval_holds_zero():
    row = pd.DataFrame({"scale": ["S"], "value": [0.3], "low": [-0.1], "high": [0.6]})
    assert "undecided" in findings.stronger(row, "confidence", "accuracy")
    row["low"] = 0.05
    assert "confidence persists more than accuracy" in findings.stronger(
        row, "confidence", "accuracy"
    )
    part = row.assign(value=0.02, low=-0.2, high=0.2)
    assert findings.stronger(row, "confidence", "accuracy", part).endswith(
        "0.30 [0.05, 0.60], and 0.02 [−0.20, 0.20] where the ranking by accuracy is measurable."
    )
    nothing = part.assign(value=np.nan)
    assert "measurable" not in findings.stronger(row, "confidence", "accuracy", nothing)


def test_clear_of_chance_needs_the_margin():
    table = pd.DataFrame(
        {
            "scale": "S",
            "stage": "sft",
            "benchmark": ["a", "b"],
            "accuracy": [0.60, 0.52],
            "chance": 0.5,
            "n_items": 1000,
        }
    )
    assert "1 of 2 benchmarks" in findings.clear_of_chance(table)
    table["accuracy"] = [0.60, 0.45]
    assert "1 of 2 (and as far below it on b) benchmarks" in findings.clear_of_chance(table)


def test_an_interval_too_small_for_two_places_has_four():
    assert findings.number(-0.0012, -0.003, 0.001) == "−0.0012 [−0.0030, 0.0010]"
    assert findings.number(0.001, -0.01, 0.2) == "0.00 [−0.01, 0.20]"
    assert findings.number(0.0, 0.0, 0.0) == "0.00 [0.00, 0.00]"
    assert findings.number(0.5) == "0.50"
    assert findings.number(-0.001, -0.01, 0.2) == "0.00 [−0.01, 0.20]"


def test_names_reads_as_english():
    assert findings.names([]) == "none"
    assert findings.names(["a"]) == "a"
    assert findings.names(["a", "b", "c"]) == "a, b and c"


def test_a_claim_has_one_line_with_its_verdicts_counted():
    card = pd.DataFrame(
        {
            "claim": ["C1", "C1", "C1", "C2"],
            "statement": ["first", "first", "first", "second"],
            "verdict": ["undecided", "agrees", "undecided", "disagrees"],
        }
    )
    short = findings.claims_in_short(card)
    assert short["claim"].tolist() == ["C1", "C2"]
    assert short["here"].tolist() == ["undecided (2), agrees (1)", "disagrees"]


def test_witnesses_are_said_beside_chance():
    shared = pd.DataFrame(
        {
            "scale": ["S", "S", "M"],
            "stage": ["pretrain", "sft", "pretrain"],
            "value": [0.62, 0.5, np.nan],
            "by_chance": [0.3, 0.31, np.nan],
            "p": [0.001, 0.04, np.nan],
            "n": [20, 20, 1],
        }
    )
    assert findings.witnesses(shared) == (
        "At scale S one component over mixtures holds, of the variance of 20 standardized "
        "benchmarks, 62% before fine-tuning (by chance 30%, p = 0.001) and 50% after fine-tuning "
        "(by chance 31%, p = 0.040)."
    )


def test_alignment_names_the_benchmarks_that_turn_its_sign():
    table = pd.DataFrame(
        {
            "scale": "S",
            "stage": "sft",
            "category": ["NLI", "Science"],
            "value": [0.5, -0.8],
            "low": [0.1, -0.9],
            "high": [0.8, -0.7],
        }
    )
    left = pd.DataFrame(
        {
            "scale": "S",
            "stage": "sft",
            "category": ["NLI", "Science", "Science"],
            "benchmark": ["a", "b", "c"],
            "value": [0.4, 0.82, -0.9],
        }
    )
    said = findings.alignment(table, left)
    assert "positive in NLI (0.50 [0.10, 0.80])" in said
    assert "negative in Science (−0.80 [−0.90, −0.70]; 0.82 without b)" in said


def test_mixtures_that_lie_in_groups_show_the_gap_between_them():
    levels = pd.DataFrame(
        {
            "scale": ["S"] * 4 + ["M"],
            "stage": ["pretrain"] * 4 + ["sft"],
            "mixture": ["a", "b", "c", "d", "a"],
            "value": [0.50, 0.31, 0.52, 0.30, 0.4],
        }
    )
    said = comparisons.mixtures_apart(levels, "accuracy")
    assert said == (
        "- At scale S, pretrain: mean accuracy from 0.300 (d) to **0.520** (c); "
        "the widest gap is 0.190, between b and a."
    )


def test_a_small_number_is_not_shown_as_none():
    frame = pd.DataFrame({"p": [0.0004, 0.25, 0.0, np.nan], "product": [-0.0012, -3e-6, 3e-6, 3.0]})
    shown = findings.table(frame)._repr_html_()
    for cell in ("0.0004", "0.25", "0.00", "–", "−0.0012", "&gt;−0.0001", "&lt;0.0001", "3.00"):
        assert f"<td>{cell}</td>" in shown


def test_steps_between_runs_are_said_or_cannot_be_had():
    table = pd.DataFrame(
        {
            "metric": "accuracy",
            "smaller": ["S", "M"],
            "larger": ["M", "L"],
            "value": [0.1, np.nan],
            "low": [-0.1, np.nan],
            "high": [0.3, np.nan],
        }
    )
    said = comparisons.between_runs_compared(table)
    assert "From S to M the mean r of accuracy between runs may rise or fall: 0.10" in said
    assert said.endswith(
        "From M to L the mean r of accuracy between runs cannot be compared: "
        "one of them has one seed."
    )
