"""Guidance says what intervals allow: a side only where the whole interval lies on it."""

import numpy as np
import pandas as pd

from transfer import guidance
from transfer.tiers import with_tiers

NAN = np.nan


def intervals(**columns):
    """Return four rows: above, below, undecided, not measured."""
    rows = {"value": [0.4, -0.4, 0.1, NAN], "low": [0.2, -0.6, -0.3, NAN]}
    return pd.DataFrame(columns | rows | {"high": [0.6, -0.2, 0.5, NAN]})


def test_a_filter_has_three_sides():
    table = intervals(scale="S", stage="sft", contrast="V2-V1", category=list("ABCD"))
    said = guidance.filters(table, "accuracy", "points")
    assert said.startswith("Differences in points")
    assert "\n- At scale S, after fine-tuning, V2 has **higher** accuracy in A (0.40" in said
    assert "**lower** accuracy in B (−0.40 [−0.60, −0.20])" in said
    assert "neither surely higher nor surely lower accuracy in C (0.10" in said
    assert said.endswith("than V1.")
    assert "D (" not in said


def test_a_filter_that_was_not_measured_is_not_judged():
    table = intervals(scale="S", stage="sft", contrast="V2-V1", category=list("ABCD")).iloc[3:]
    assert guidance.filters(table, "accuracy").endswith("V2 and V1 cannot be compared.")
    assert guidance.metrics_compared(table) == "- At scale S the two cannot be compared."


def test_code_counts_benchmarks_on_each_side():
    table = intervals(scale="S", stage="pretrain", benchmark=list("abcd"))
    said = guidance.code(table, "accuracy")
    assert "before fine-tuning" in said
    assert "on **1** of 3 benchmarks (a)" in said
    assert "lower accuracy on **1** (b); on 1 the interval holds zero" in said


def test_trust_names_each_benchmark_once_and_nothing_on_noise():
    table = intervals(scale="S", benchmark=["a", "b", "c", "d"])
    table.loc[4] = ["S", "e", 0.8, 0.5, 0.9]
    table["mark"] = ["not measurable", None, None, None, None]
    said = guidance.trust(with_tiers(table))
    assert "**Trust**: e (0.80 [0.50, 0.90])." in said
    assert "second look**: none." in said
    assert "Cannot be leaned on here, for lack of items, seeds or skill: a." in said
    assert "Do not choose by: b (−0.40 [−0.60, −0.20])." in said
    assert "Undecided by these mixtures: c." in said
    assert "Not measured: d." in said


def test_trust_says_where_r_is_above_its_ceiling():
    table = intervals(scale="S", benchmark=["a", "b", "c", "d"])
    table.loc[4] = ["S", "e", 0.8, 0.5, 0.9]
    said = guidance.trust(with_tiers(table.assign(ceiling=0.7)))
    assert "e (0.80 [0.50, 0.90]). Above its ceiling, by luck or by noise that both" in said
    assert "stages share: e (0.80 above 0.70)." in said
    assert "ceiling" not in guidance.trust(with_tiers(table.assign(ceiling=0.85)))


def test_trust_in_short_counts_all_benchmarks():
    table = intervals(scale="S", benchmark=["a", "b", "c", "d"])
    table.loc[4] = ["S", "e", 0.8, 0.5, 0.9]
    said = guidance.trust_in_short(with_tiers(table))
    assert said.startswith("At scale S trust e; look twice at a. On the other 3 ")
    none = guidance.trust_in_short(with_tiers(table.iloc[1:4]))
    assert none.startswith("At scale S trust none. On the other 3 ")


def test_short_sentences_name_some_of_many_and_count_the_others():
    many = pd.DataFrame({"benchmark": list("abcdefg"), "value": 0.5, "low": 0.2, "high": 0.8})
    pair = many.assign(smaller="S", larger="M")
    assert "(a, b, c, d, e, f and g)" in guidance.across_scales(pair)[0]
    assert "(a, b, c, d and 3 more)" in guidance.across_scales(pair, short=True)[0]
    held = with_tiers(many.assign(scale="S", value=[0.71, 0.72, 0.73, 0.74, 0.75, 0.76, 0.77]))
    assert "trust g, f, e, d and 3 more." in guidance.trust_in_short(held)


def test_trust_that_rests_on_one_seed_says_so():
    table = with_tiers(intervals(scale="S", benchmark=["a", "b", "c", "d"]))
    for say in (guidance.trust, guidance.trust_in_short):
        assert say(table.assign(seeds=1)).endswith(guidance.ONE_SEED)
        assert "if another seed agrees" in say(table.assign(seeds=1))
        assert guidance.ONE_SEED not in say(table.assign(seeds=3))
        assert "another seed" not in say(table.assign(seeds=3))
        assert guidance.ONE_SEED not in say(table)


def test_metrics_are_compared_category_by_category():
    said = guidance.metrics_compared(intervals(scale="S", category=list("ABCD")))
    assert "persists **more** in A" in said
    assert "**less** in B" in said
    assert "neither surely more nor surely less in C" in said


def test_a_difference_of_metrics_where_accuracy_is_noise_is_called_so():
    gaps = intervals(scale="S", category=list("ABCD"))
    r = pd.DataFrame({"scale": "S", "category": list("ABC"), "mark": "measurable"})
    assert guidance.metrics_compared(gaps, r) == guidance.metrics_compared(gaps)
    r.loc[r["category"] == "A", "mark"] = "not measurable"
    said = guidance.metrics_compared(gaps, r)
    assert "No ranking by accuracy in A is more than noise" in said


def test_choices_are_undecided_where_the_interval_holds_zero():
    table = intervals(scale=list("ABCD"))
    lines = guidance.choices_compared(table).splitlines()
    assert "orders more pairs" in lines[0]
    assert "orders fewer pairs" in lines[1]
    assert lines[2].endswith("undecided.")
    assert "cannot be compared" in lines[3]


def test_what_a_coin_could_give_is_validated_at_both_scales():
    table = pd.DataFrame(
        {
            "benchmark": ["a", "b", "c", "d"],
            "value": [0.9, 0.5, 0.2, NAN],
            "low": [0.6, 0.4, 0.1, NAN],
            "high": [1.0, 0.9, 0.4, NAN],
        }
    ).assign(smaller="S", larger="M")
    (said,) = guidance.across_scales(table)
    assert said.startswith("From S to M, ")
    assert "on **1** of 3 benchmarks (a)" in said
    assert "from a coin (b): the order may change" in said
    assert "turns round (c)" in said
    assert "turns round" not in guidance.across_scales(table.iloc[:2])[0]
    assert "on **0** of 1 benchmarks; by" in guidance.across_scales(table.iloc[1:2])[0]
    few = table.assign(low=NAN, high=NAN)
    assert "From S to M it cannot be said on which" in guidance.across_scales(few)[0]
    both = pd.concat([table, table.assign(smaller="M", larger="L")])
    assert [text[:11] for text in guidance.across_scales(both)] == ["From S to M", "From M to L"]


def test_what_chance_alone_would_clear_is_said():
    low = [0.1, -0.2, *[-0.1] * 37, NAN]
    table = pd.DataFrame({"low": low, "high": [0.3, -0.1, *[0.1] * 37, NAN]})
    said = guidance.by_chance(table)
    assert said.startswith("Of these 39 intervals 2 are clear of zero.")
    assert "about 2 would be by chance" in said


def test_names_that_are_markup_are_shown():
    table = intervals(scale="<b>", benchmark=["<i>", "b", "c", "d"])
    assert "<b>" not in guidance.code(table.assign(stage="<u>"), "accuracy")
    assert "<i>" not in guidance.trust(with_tiers(table))
