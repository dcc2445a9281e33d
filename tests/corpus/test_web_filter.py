import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.made_archives import TEACHING, prose
from transfer.corpus import documents, filter_web
from transfer.corpus.web_filter import fit, top_share

SIZES = st.lists(st.integers(1, 100), min_size=1, max_size=30)


@given(SIZES, st.randoms(use_true_random=False), st.floats(0, 1))
def test_top_share_takes_the_best_that_fit(sizes, draw, share):
    scores = list(range(len(sizes)))
    draw.shuffle(scores)
    kept = top_share(pd.Series(scores), pd.Series(sizes), share)
    total = sum(size for size, inside in zip(sizes, kept, strict=True) if inside)
    assert total <= share * sum(sizes)
    if not kept.all():
        best_left = max(score for score, inside in zip(scores, kept, strict=True) if not inside)
        assert all(score > best_left for score, k in zip(scores, kept, strict=True) if k)
        assert total + sizes[scores.index(best_left)] > share * sum(sizes)


def test_classifier_learns_topics_but_not_length_case_or_digits():
    raw = [prose(seed) for seed in range(300)]
    taught = [prose(seed, 6, TEACHING) for seed in range(1000, 1300)]
    _, accuracy = fit(taught, raw, seed=0)
    assert accuracy > 0.95
    longer = [prose(seed, 16).upper() + " 12345" for seed in range(2000, 2300)]
    _, accuracy = fit(longer, [prose(seed, 8) for seed in range(3000, 3300)], seed=0)
    assert accuracy < 0.65


def test_variants_mark_a_fifth_of_the_pool(built):
    suite, workspace = built
    facts = filter_web(suite, workspace).facts
    pool = pd.read_parquet(workspace.root / "corpus" / "web.parquet")
    expected = pd.concat([documents(workspace, s, "pretrain") for s in ("newsgroups", "howto")])
    assert sorted(pool["id"]) == sorted(expected["id"])
    for variant in ("V2", "V3"):
        share = pool.loc[pool[variant], "bytes"].sum() / pool["bytes"].sum()
        assert 0.17 < share <= 0.2
        assert facts[variant]["mb"] == pytest.approx(
            sum(facts["stream_mb"][variant].values()), abs=2e-3
        )
        assert pool.loc[pool[variant], f"{variant}_score"].min() >= (
            pool.loc[~pool[variant], f"{variant}_score"].max()
        )
    both, either = pool["V2"] & pool["V3"], pool["V2"] | pool["V3"]
    overlap = pool.loc[both, "bytes"].sum() / pool.loc[either, "bytes"].sum()
    assert facts["jaccard_bytes"] == pytest.approx(overlap, abs=1e-4)
    assert np.isfinite(pool[["V2_score", "V3_score"]]).all().all()
