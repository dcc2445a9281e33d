"""What swapped contexts cost, against counts made by hand and by simulation."""

import numpy as np
import pandas as pd
import pytest

from transfer.controls import context_use, unread
from transfer.errors import BadInput

OWN = {"reads": "sum", "guesses": "byte"}


def table(accuracies, n=1000):
    return pd.DataFrame(
        [
            {
                "mixture": mixture,
                "scale": "S",
                "seed": 0,
                "stage": "sft",
                "benchmark": benchmark,
                "category": "NLI",
                "normalization": normalization,
                "n_items": n,
                "accuracy": value,
            }
            for (mixture, benchmark), value in accuracies.items()
            for normalization in ("sum", "byte")
        ]
    )


def test_the_loss_is_the_difference_and_its_range_over_models():
    own = table({("A", "reads"): 0.6, ("B", "reads"): 0.8, ("A", "guesses"): 0.5})
    swapped = table({("A", "reads"): 0.5, ("B", "reads"): 0.5, ("A", "guesses"): 0.49})
    # Another normalization than the benchmark's own does not count.
    own.loc[own["normalization"] != own["benchmark"].map(OWN), "accuracy"] = 0.0
    lost = context_use(own, swapped, OWN).set_index("benchmark")
    assert lost.loc["reads", ["value", "low", "high"]].tolist() == pytest.approx([0.2, 0.1, 0.3])
    assert lost.loc["reads", "error"] == pytest.approx(np.sqrt((0.21 + 0.25) / 1000))
    assert unread(lost).index.tolist() == ["guesses"]


def test_the_error_is_the_spread_over_fresh_items():
    draws = np.random.default_rng(0)
    n, own, swapped = 400, 0.7, 0.4
    gaps = (draws.binomial(n, own, 20_000) - draws.binomial(n, swapped, 20_000)) / n
    lost = context_use(table({("A", "reads"): own}, n), table({("A", "reads"): swapped}, n), OWN)
    assert lost["error"].item() == pytest.approx(gaps.std(), rel=0.02)


def test_tables_of_other_runs_are_refused():
    with pytest.raises(BadInput, match="no run is in the measures and in the control table"):
        context_use(table({("A", "reads"): 0.5}), table({("B", "reads"): 0.5}), OWN)
