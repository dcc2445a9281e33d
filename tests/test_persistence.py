"""What is said of rankings that persist is what intervals and seeds allow."""

import numpy as np
import pandas as pd

from transfer import persistence


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
    said = persistence.by_scale(table, mean, "accuracy")
    assert "over 3 benchmarks" in said
    assert "For 1 of them the interval lies above zero, for 1 below, and for 1" in said
    assert "1 more could not be measured" in said


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
    said = persistence.by_scale(rows, mean, "accuracy")
    assert "Of the 2 that are clear of zero, 1 are more signal than noise." in said
    several = persistence.by_scale(rows.assign(seeds=3), mean, "accuracy")
    assert several == said
    one = persistence.by_scale(rows.assign(seeds=1), mean, "accuracy")
    assert (
        "more signal than the noise of items; that of seeds is not known, for there is one." in one
    )
    assert "clear of zero" not in persistence.by_scale(rows.drop(columns="mark"), mean, "accuracy")


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
    said = persistence.by_scale(rows, mean, "accuracy", told)
    assert "Over those whose ranking is more signal than noise at both stages, 1 of 2," in said
    assert "**0.80 [0.50, 0.90]**; on the others r, high or low, says little" in said
    none = persistence.by_scale(rows.assign(mark="not measurable"), mean, "accuracy", told)
    assert none.endswith("No ranking is more signal than noise at both stages.")
    everything = persistence.by_scale(rows.assign(mark="measurable"), mean, "accuracy", told)
    assert everything.endswith("**0.80 [0.50, 0.90]**.")


def test_a_mean_without_an_interval_decides_nothing():
    rows = pd.DataFrame(
        {"scale": "S", "benchmark": ["a", "b"], "value": [0.9, np.nan], "low": np.nan}
    ).assign(high=np.nan)
    mean = pd.DataFrame({"scale": ["S"], "value": [0.9], "low": [np.nan], "high": [np.nan]})
    assert persistence.by_scale(rows, mean, "accuracy") == (
        "- At scale S the mean r of accuracy is 0.90, over 1 benchmarks. There are too few "
        "mixtures for an interval, so it decides nothing."
    )


def test_what_holds_from_run_to_run_is_set_against_one_run():
    table = pd.DataFrame(
        {
            "scale": ["S"] * 3 + ["M"] * 3 + ["L"] * 3,
            "quantity": ["within", "between", "luck"] * 3,
            "value": [0.5, 0.1, 0.4, 0.6, 0.5, 0.1, *[np.nan] * 3],
            "low": [0.4, -0.1, 0.2, 0.4, 0.3, -0.1, *[np.nan] * 3],
            "high": [0.6, 0.3, 0.6, 0.8, 0.7, 0.3, *[np.nan] * 3],
        }
    )
    lines = persistence.from_run_to_run(table).splitlines()
    assert "mean r is 0.50 [0.40, 0.60] where both scores are of one run" in lines[0]
    assert "and **0.10 [-0.10, 0.30]** where" in lines[0].replace("−", "-")
    assert "0.40 [0.20, 0.60], is luck that a run carries" in lines[0]
    assert "may be luck that a run carries through its fine-tuning, or none." in lines[1]
    assert lines[2] == (
        "- At scale L there is one seed: what its runs share with no other run is in every r."
    )
    few = persistence.from_run_to_run(table.assign(low=np.nan, high=np.nan))
    assert "0.40, cannot be told from none with so few mixtures." in few
    assert "the mean r of some is" in persistence.from_run_to_run(table, "of some")


def test_the_headline_says_no_more_than_the_scales_allow():
    rows = pd.DataFrame(
        {
            "scale": ["S", "S", "M", "M"],
            "benchmark": ["a", "b"] * 2,
            "mark": ["measurable", "not measurable", "measurable", "measurable"],
            "seeds": [3, 3, 1, 1],
            "low": [0.1, 0.2, 0.3, -0.1],
        }
    )
    told = pd.DataFrame(
        {"scale": ["S", "M"], "value": [0.9, 0.8], "low": [0.7, 0.3], "high": [0.95, 0.9]}
    )
    said = persistence.headline(rows, told)
    assert "signal than noise, fine-tuning keeps it on average.** That is so for 1 of 2" in said
    assert "is 0.90 [0.70, 0.95] at scale S (1 of 2 benchmarks), these benchmarks taken" in said
    assert "of the 1 r, 1 is surely above zero. On the other" in said
    assert said.endswith("it is 0.80 [0.30, 0.90] at scale M (2 of 2 benchmarks).")
    # A scale with one seed decides nothing beside one with several.
    assert "keeps it on average.**" in persistence.headline(rows, told.assign(value=[0.9, 0.6]))
    several = rows.assign(seeds=3)
    assert "keeps it on average in part.**" in persistence.headline(
        several, told.assign(value=[0.9, 0.6])
    )
    assert "it is undecided whether" in persistence.headline(several, told.assign(low=[0.7, -0.1]))
    assert "By that of items alone, fine" in persistence.headline(rows.assign(seeds=1), told)
    assert "above what noise would allow" not in said
    high = several.assign(value=[0.9, 0.2, 0.8, 0.7], ceiling=[0.8, 0.1, 0.9, 0.6])
    assert "On 2 of these 3 r is above what noise would allow" in persistence.headline(high, told)
    # Of scales with several seeds alone.
    alone = high.assign(seeds=rows["seeds"])
    assert "On 1 of these 1 r is above what noise would allow" in persistence.headline(alone, told)
    nowhere = told.assign(value=np.nan, low=np.nan, high=np.nan)
    assert persistence.headline(rows, nowhere).startswith("On no benchmark")
    assert persistence.headline(rows, None) == ""
    assert persistence.headline(rows.drop(columns="mark"), told) == ""
