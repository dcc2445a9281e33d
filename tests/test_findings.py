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


def test_persistence_counts_each_benchmark_once():
    table = pd.DataFrame(
        {
            "scale": "S",
            "benchmark": list("abcd"),
            "value": [0.8, -0.8, 0.1, np.nan],
            "low": [0.5, -0.9, -0.4, np.nan],
            "high": [0.9, -0.5, 0.5, np.nan],
        }
    )
    mean = pd.DataFrame({"scale": ["S"], "value": [0.03], "low": [-0.1], "high": [0.2]})
    said = findings.persistence(table, mean, "accuracy")
    assert "over 3 benchmarks" in said
    assert "For 1 of them the interval lies above zero, for 1 below, and for 1" in said
    assert "1 more could not be measured" in said


def test_one_scale_says_what_it_cannot_say():
    assert "cannot be answered yet" in comparisons.scales_compared(["S"], None, "accuracy")


def test_two_scales_say_the_direction():
    change = pd.DataFrame(
        {"smaller": ["S"], "larger": ["M"], "value": [0.2], "low": [0.1], "high": [0.3]}
    )
    assert "rises: 0.20 [0.10, 0.30]" in comparisons.scales_compared(["S", "M"], change, "accuracy")


def test_stronger_is_undecided_when_the_interval_holds_zero():
    row = pd.DataFrame({"scale": ["S"], "value": [0.3], "low": [-0.1], "high": [0.6]})
    assert "undecided" in findings.stronger(row, "confidence", "accuracy")
    row["low"] = 0.05
    assert "confidence persists more than accuracy" in findings.stronger(
        row, "confidence", "accuracy"
    )
    part = row.assign(value=0.02, low=-0.2, high=0.2)
    assert findings.stronger(row, "confidence", "accuracy", part).endswith(
        "0.30 [0.05, 0.60], and 0.02 [−0.20, 0.20] where the ranking by accuracy is more "
        "signal than noise."
    )
    nothing = part.assign(value=np.nan)
    assert "signal than noise" not in findings.stronger(row, "confidence", "accuracy", nothing)


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


def test_benchmarks_that_are_clear_of_zero_are_told_from_noise_or_not():
    rows = pd.DataFrame(
        {
            "scale": "S",
            "benchmark": ["a", "b", "c"],
            "value": [0.8, 0.7, 0.1],
            "low": [0.5, 0.4, -0.5],
            "high": [0.9, 0.9, 0.6],
            "mark": ["measurable", "not measurable", "measurable"],
        }
    )
    mean = pd.DataFrame({"scale": ["S"], "value": [0.5], "low": [0.2], "high": [0.7]})
    said = findings.persistence(rows, mean, "accuracy")
    assert "Of the 2 that are clear of zero, 1 are more signal than noise." in said
    several = findings.persistence(rows.assign(seeds=3), mean, "accuracy")
    assert several == said
    one = findings.persistence(rows.assign(seeds=1), mean, "accuracy")
    assert (
        "more signal than the noise of items; that of seeds is not known, for there is one." in one
    )
    assert "clear of zero" not in findings.persistence(rows.drop(columns="mark"), mean, "accuracy")


def test_the_mean_over_what_can_be_measured_stands_beside_that_over_all():
    rows = pd.DataFrame(
        {
            "scale": "S",
            "benchmark": ["a", "b"],
            "value": [0.8, 0.2],
            "low": [0.5, -0.4],
            "high": [0.9, 0.5],
            "mark": ["measurable", "not measurable"],
        }
    )
    mean = pd.DataFrame({"scale": ["S"], "value": [0.5], "low": [0.2], "high": [0.7]})
    told = mean.assign(value=0.8, low=0.5, high=0.9)
    said = findings.persistence(rows, mean, "accuracy", told)
    assert "Over those whose ranking is more signal than noise at both stages, 1 of 2," in said
    assert "**0.80 [0.50, 0.90]**; on the others r, high or low, says little" in said
    none = findings.persistence(rows.assign(mark="not measurable"), mean, "accuracy", told)
    assert none.endswith("No ranking is more signal than noise at both stages.")
    everything = findings.persistence(rows.assign(mark="measurable"), mean, "accuracy", told)
    assert everything.endswith("**0.80 [0.50, 0.90]**.")


def test_the_headline_says_no_more_than_the_scales_allow():
    rows = pd.DataFrame(
        {
            "scale": ["S", "S", "M", "M"],
            "benchmark": ["a", "b"] * 2,
            "mark": ["measurable", "not measurable", "measurable", "measurable"],
            "seeds": [3, 3, 1, 1],
        }
    )
    told = pd.DataFrame(
        {"scale": ["S", "M"], "value": [0.9, 0.8], "low": [0.7, 0.3], "high": [0.95, 0.9]}
    )
    said = findings.headline(rows, told)
    assert "signal than noise, fine-tuning keeps it.** The mean" in said
    assert "is 0.90 [0.70, 0.95] at scale S (1 of 2 benchmarks). On the" in said
    assert said.endswith("it is 0.80 [0.30, 0.90] at scale M (2 of 2 benchmarks).")
    # A scale with one seed decides nothing beside one with several.
    assert "keeps it.**" in findings.headline(rows, told.assign(value=[0.9, 0.6]))
    several = rows.assign(seeds=3)
    assert "keeps it in part.**" in findings.headline(several, told.assign(value=[0.9, 0.6]))
    assert "it is undecided whether" in findings.headline(several, told.assign(low=[0.7, -0.1]))
    assert "By that of items alone, fine" in findings.headline(rows.assign(seeds=1), told)
    assert "above what noise would allow" not in said
    high = several.assign(value=[0.9, 0.2, 0.8, 0.7], ceiling=[0.8, 0.1, 0.9, 0.6])
    assert "On 2 of these 3 r is above what noise would allow" in findings.headline(high, told)
    # Of scales with several seeds alone.
    alone = high.assign(seeds=rows["seeds"])
    assert "On 1 of these 1 r is above what noise would allow" in findings.headline(alone, told)
    nowhere = told.assign(value=np.nan, low=np.nan, high=np.nan)
    assert findings.headline(rows, nowhere).startswith("On no benchmark")
    assert findings.headline(rows, None) == ""
    assert findings.headline(rows.drop(columns="mark"), told) == ""


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
