"""Measures against scikit-learn, naive loops and examples by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from transfer import measures
from transfer.errors import BadInput
from transfer.suite import load_suite
from transfer.tables import check_measures, write_items


@pytest.fixture
def mixed():
    """Scores of 400 items with two to five options each, and their gold options."""
    rng = np.random.default_rng(1)
    counts = rng.integers(2, 6, size=400)
    scores = measures.padded([-rng.gamma(2, 3, size=count) for count in counts])
    return scores, rng.integers(counts), counts


def softmax(row):
    row = row[~np.isnan(row)]
    return np.exp(row) / np.exp(row).sum()


def test_by_hand():
    # Probabilities 3/4 and 1/4, then 1/5 and 4/5; the first item is right, the second wrong.
    scores = np.log([[0.75, 0.25], [0.2, 0.8]])
    gold = np.array([0, 0])
    assert measures.accuracy(scores, gold) == 0.5
    assert measures.confidence(scores) == pytest.approx((0.75 + 0.8) / 2)
    assert measures.gold_probability(scores, gold) == pytest.approx((0.75 + 0.2) / 2)
    assert measures.nll(scores, gold) == pytest.approx(-(math.log(0.75) + math.log(0.2)) / 2)
    assert measures.brier(scores, gold) == pytest.approx((2 * 0.25**2 + 2 * 0.8**2) / 2)
    sure = measures.item_confidence(scores)
    right = measures.correct(scores, gold)
    assert measures.ece(sure, right, bins=2) == pytest.approx((0.25 + 0.8) / 2)
    # The surer item is wrong: risk 1 at coverage 1/2, and 1/2 at coverage 1.
    assert measures.aurc(sure, right) == pytest.approx((1 + 0.5) / 2)
    assert measures.auroc(sure, right) == 0.0
    assert measures.chance(scores) == 0.5


def test_normalizations_by_hand():
    ll = np.array([[-6.0, -4.0]])
    tokens, size, alone = np.array([[3, 1]]), np.array([[12, 4]]), np.array([[-9.0, -5.0]])
    given_all = {"n_tokens": tokens, "n_bytes": size, "unconditional": alone}
    assert measures.normalize(ll, "sum", **given_all).tolist() == [[-6, -4]]
    assert measures.normalize(ll, "token", **given_all).tolist() == [[-2, -4]]
    assert measures.normalize(ll, "byte", **given_all).tolist() == [[-0.5, -1]]
    assert measures.normalize(ll, "unconditional", **given_all).tolist() == [[3, 1]]


def test_unknown_normalization():
    with pytest.raises(BadInput, match="normalization 'char' is not known; give sum, token"):
        measures.normalize(np.zeros((1, 2)), "char")


def test_ties_go_to_the_lowest_index_and_are_counted():
    scores = measures.padded([[-1.0, -1.0], [-2.0, -1.0, -1.0], [-1.0, -2.0]])
    assert measures.select(scores).tolist() == [0, 1, 0]
    assert measures.count_ties(scores) == 2


def test_mixed_option_counts_match_a_loop(mixed):
    scores, gold, counts = mixed
    rows = [softmax(row) for row in scores]
    assert measures.accuracy(scores, gold) == np.mean(
        [np.argmax(p) == g for p, g in zip(rows, gold, strict=True)]
    )
    assert measures.confidence(scores) == pytest.approx(np.mean([p.max() for p in rows]))
    by_gold = [p[g] for p, g in zip(rows, gold, strict=True)]
    assert measures.gold_probability(scores, gold) == pytest.approx(np.mean(by_gold))
    assert measures.nll(scores, gold) == pytest.approx(-np.mean(np.log(by_gold)))
    squares = [
        sum((p[k] - (k == g)) ** 2 for k in range(len(p))) for p, g in zip(rows, gold, strict=True)
    ]
    assert measures.brier(scores, gold) == pytest.approx(np.mean(squares))
    assert measures.chance(scores) == pytest.approx(np.mean(1 / counts))


def test_against_sklearn():
    rng = np.random.default_rng(2)
    scores, gold = rng.normal(size=(300, 4)) * 2, rng.integers(4, size=300)
    p = measures.probabilities(scores)
    assert measures.nll(scores, gold) == pytest.approx(metrics.log_loss(gold, p))
    assert measures.brier(scores, gold) == pytest.approx(
        metrics.brier_score_loss(gold, p, scale_by_half=False)
    )
    right, sure = measures.correct(scores, gold), measures.item_confidence(scores)
    assert measures.accuracy(scores, gold) == metrics.accuracy_score(gold, p.argmax(axis=1))
    assert measures.auroc(sure, right) == pytest.approx(metrics.roc_auc_score(right, sure))


def test_auroc_with_ties_against_sklearn():
    rng = np.random.default_rng(3)
    sure, right = rng.integers(3, size=200) / 3, rng.random(200) < 0.4
    assert measures.auroc(sure, right) == pytest.approx(metrics.roc_auc_score(right, sure))


@pytest.mark.parametrize("right", [True, False])
def test_auroc_of_one_class_is_nan(right):
    assert math.isnan(measures.auroc(np.array([0.1, 0.2]), np.array([right, right])))


def test_ece_matches_a_loop_over_bins():
    rng = np.random.default_rng(4)
    sure, right = rng.random(317), rng.random(317) < 0.6
    order = np.argsort(sure)
    total = 0.0
    for part in np.array_split(order, 15):
        total += len(part) / 317 * abs(right[part].mean() - sure[part].mean())
    assert measures.ece(sure, right) == pytest.approx(total)


def test_ece_bias_is_of_the_size_the_docstring_says():
    rng = np.random.default_rng(5)
    values = [
        measures.ece(np.full(500, 0.5) + 1e-6 * rng.random(500), rng.random(500) < 0.5)
        for _ in range(200)
    ]
    assert np.mean(values) == pytest.approx(0.07, abs=0.01)


def test_aurc_matches_a_loop():
    rng = np.random.default_rng(6)
    sure, right = rng.random(100), rng.random(100) < 0.7
    order = np.argsort(-sure)
    risks = [1 - right[order[:k]].mean() for k in range(1, 101)]
    assert measures.aurc(sure, right) == pytest.approx(np.mean(risks))


def test_aurc_with_ties_is_the_mean_over_orders():
    rng = np.random.default_rng(7)
    sure, right = np.array([0.9, 0.9, 0.9, 0.5, 0.5]), np.array([1, 0, 0, 1, 0], bool)
    values = []
    for _ in range(4000):
        order = np.lexsort((rng.random(5), -sure))
        values.append(np.mean([1 - right[order[:k]].mean() for k in range(1, 6)]))
    assert measures.aurc(sure, right) == pytest.approx(np.mean(values), abs=0.01)


def test_nll_stays_finite_where_the_probability_underflows():
    assert measures.nll(np.array([[-2000.0, 0.0]]), np.array([0])) == 2000


@settings(deadline=None, max_examples=50)
@given(
    arrays(float, (20, 3), elements=st.floats(-30, 0, width=32)),
    arrays(int, 20, elements=st.integers(0, 2)),
    st.randoms(use_true_random=False),
)
def test_bounds_and_order_of_items(scores, gold, random):
    found = measures.summarize(scores, gold)
    assert 1 / 3 - 1e-12 <= found["confidence"] <= 1
    assert 0 <= found["brier"] <= 2
    assert found["nll"] >= 0
    for name in ("accuracy", "gold_probability", "ece", "aurc"):
        assert -1e-12 <= found[name] <= 1 + 1e-12
    order = list(range(20))
    random.shuffle(order)
    again = measures.summarize(scores[order], gold[order])
    for name, value in found.items():
        assert again[name] == pytest.approx(value, nan_ok=True, abs=1e-9), name


@settings(deadline=None, max_examples=50)
@given(
    arrays(float, (10, 4), elements=st.floats(-30, 0, width=32)),
    arrays(float, (10, 1), elements=st.floats(-5, 5, width=32)),
)
def test_a_shift_of_all_options_changes_nothing(scores, shift):
    gold = np.zeros(10, int)
    before, after = measures.summarize(scores, gold), measures.summarize(scores + shift, gold)
    assert after["nll"] == pytest.approx(before["nll"], abs=1e-6)
    assert after["confidence"] == pytest.approx(before["confidence"], abs=1e-6)


def items(benchmark="cloze", unconditional=True, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(30):
        count = int(rng.integers(2, 5))
        rows.append(
            {
                "benchmark": benchmark,
                "item": f"i{number}",
                "gold": int(rng.integers(count)),
                "loglikelihood": -rng.gamma(2, 3, count).astype("float32"),
                "n_tokens": rng.integers(1, 5, count),
                "n_bytes": rng.integers(4, 20, count),
                "unconditional": -rng.gamma(2, 3, count).astype("float32")
                if unconditional
                else None,
            }
        )
    return pd.DataFrame(rows)


def test_measure_gives_a_row_a_benchmark_and_normalization():
    frame = pd.concat([items("a"), items("b", unconditional=False)], ignore_index=True)
    table = measures.measure(frame)
    assert table.groupby("benchmark")["normalization"].apply(list).to_dict() == {
        "a": ["sum", "token", "byte", "unconditional"],
        "b": ["sum", "token", "byte"],
    }
    row = table[(table["benchmark"] == "a") & (table["normalization"] == "byte")].iloc[0]
    part = items("a")
    right = [
        int(np.argmax(ll / size) == gold)
        for ll, size, gold in zip(part["loglikelihood"], part["n_bytes"], part["gold"], strict=True)
    ]
    assert row["accuracy"] == pytest.approx(np.mean(right))
    assert row["n_items"] == 30


def test_ties_are_reported_by_benchmark_and_normalization():
    frame = items("a", unconditional=False).head(2).copy()
    lists = frame["loglikelihood"].tolist()
    frame["loglikelihood"] = [np.full(len(lists[0]), -2.0, "float32"), lists[1]]
    table = measures.ties(frame).set_index("normalization")
    assert table.loc["sum", "ties"] == 1
    assert table.loc["sum", "n_items"] == 2


@pytest.fixture
def run_files(tmp_path, suite_file):
    paths = []
    for stage in ("pretrain", "sft"):
        path = tmp_path / f"V1P0-S-s0-{stage}.parquet"
        metadata = {"suite": "tiny", "mixture": "V1P0", "scale": "S", "seed": 0, "stage": stage}
        write_items(path, items(), metadata)
        paths.append(path)
    return paths


@pytest.fixture
def suite_file():
    suite = load_suite("mini")
    return suite.model_copy(update={"benchmarks": (_benchmark("cloze"),)})


def _benchmark(name):
    from transfer.entries import Benchmark

    return Benchmark(
        name=name,
        title="Fill the gap",
        category="Semantic",
        options=4,
        chance=0.25,
        normalization="sum",
        sources=(),
        licence="none needed",
        in_sft=False,
    )


def test_measure_runs_is_a_valid_measures_table(run_files, suite_file):
    table = measures.measure_runs(run_files, suite_file)
    assert len(table) == 2 * 4
    assert set(table["category"]) == {"Semantic"}
    assert len(check_measures(table)) == 8


def test_the_same_run_twice_is_refused(run_files, suite_file):
    with pytest.raises(BadInput, match="the same run as"):
        measures.measure_runs([run_files[0], run_files[0]], suite_file)


def test_a_benchmark_that_the_suite_lacks_is_refused(run_files, suite_file):
    other = suite_file.model_copy(update={"benchmarks": (_benchmark("other"),)})
    with pytest.raises(BadInput, match="benchmark 'cloze' is not in the suite; it has other"):
        measures.measure_runs(run_files, other)


def test_no_runs_are_refused(suite_file):
    with pytest.raises(BadInput, match="no items tables"):
        measures.measure_runs([], suite_file)
