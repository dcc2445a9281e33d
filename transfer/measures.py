"""From option log-likelihoods to accuracy, confidence and calibration.

Scores are a matrix of items by options; an item with fewer options than the matrix is wide has NaN
in the places left over. Each measure is a function of arrays that returns a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track
from scipy.special import logsumexp
from scipy.stats import rankdata

from transfer.entries import NORMALIZATIONS
from transfer.errors import BadInput
from transfer.suite import Suite
from transfer.tables import MEASURES, read_items

ECE_BINS = 15


def padded(lists: Iterable[Sequence[float] | np.ndarray]) -> np.ndarray:
    """Return lists of unequal length as one matrix, (items, options), with NaN where they end."""
    rows = list(lists)
    lengths = np.array([len(row) for row in rows])
    matrix = np.full((len(rows), lengths.max(initial=0)), np.nan)
    inside = np.arange(matrix.shape[1]) < lengths[:, None]
    matrix[inside] = np.concatenate(rows) if rows else []
    return matrix


def normalize(
    loglikelihood: np.ndarray,
    normalization: str,
    n_tokens: np.ndarray | None = None,
    n_bytes: np.ndarray | None = None,
    unconditional: np.ndarray | None = None,
) -> np.ndarray:
    """Return the scores that options are compared by, (items, options), in nats.

    `sum` is the log-likelihood itself; `token` and `byte` divide it by the option's length;
    `unconditional` subtracts the option's log-likelihood after a neutral context (so the score is
    the pointwise mutual information of option and context).
    """
    if normalization == "sum":
        return loglikelihood
    other = {"token": n_tokens, "byte": n_bytes, "unconditional": unconditional}
    if normalization not in other:
        raise BadInput(
            f"normalization {normalization!r} is not known; give {', '.join(NORMALIZATIONS)}"
        )
    by = other[normalization]
    if by is None:
        raise ValueError(f"normalization {normalization!r} needs its array")
    return loglikelihood - by if normalization == "unconditional" else loglikelihood / by


def select(scores: np.ndarray) -> np.ndarray:
    """Return the index of the highest score of each item; of tied ones the lowest index."""
    return np.argmax(np.where(np.isnan(scores), -np.inf, scores), axis=1)


def count_ties(scores: np.ndarray) -> int:
    """Return the number of items whose highest score is shared by two options or more."""
    best = np.nanmax(scores, axis=1, keepdims=True)
    return int(((scores == best).sum(axis=1) > 1).sum())


def log_probabilities(scores: np.ndarray) -> np.ndarray:
    """Return the log of the softmax of the scores over each item's options; −inf where padded."""
    filled = np.where(np.isnan(scores), -np.inf, scores)
    return filled - logsumexp(filled, axis=1, keepdims=True)


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Return the softmax of the scores over each item's options, in [0, 1]; 0 where padded."""
    return np.exp(log_probabilities(scores))


def correct(scores: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return, per item, whether the selected option is the gold one."""
    return select(scores) == gold


def accuracy(scores: np.ndarray, gold: np.ndarray) -> float:
    """Return the share of items whose selected option is the gold one."""
    return float(correct(scores, gold).mean())


def item_confidence(scores: np.ndarray) -> np.ndarray:
    """Return, per item, the softmax probability of the selected option."""
    return probabilities(scores).max(axis=1)


def confidence(scores: np.ndarray) -> float:
    """Return the softmax probability of the selected option, averaged over items.

    This is c of the paper's protocols P2 to P9.
    """
    return float(item_confidence(scores).mean())


def gold_probability(scores: np.ndarray, gold: np.ndarray) -> float:
    """Return the softmax probability of the gold option, averaged over items."""
    return float(_at_gold(probabilities(scores), gold).mean())


def nll(scores: np.ndarray, gold: np.ndarray) -> float:
    """Return the negative log-likelihood of the gold option under the softmax over options.

    In nats, averaged over items; finite where scores are, however small the probability.
    """
    # Zero may come out as -0.0; a table should not show it.
    return float(-_at_gold(log_probabilities(scores), gold).mean()) + 0.0


def brier(scores: np.ndarray, gold: np.ndarray) -> float:
    r"""Return the multi-class Brier score, in [0, 2].

    .. math:: \frac1n \sum_i \sum_k (p_{ik} - [k = g_i])^2
    """
    truth = np.arange(scores.shape[1]) == np.asarray(gold)[:, None]
    return float(((probabilities(scores) - truth) ** 2).sum(axis=1).mean())


def ece(confidences: np.ndarray, is_correct: np.ndarray, bins: int = ECE_BINS) -> float:
    r"""Return the expected calibration error over bins of equal mass, in [0, 1].

    .. math:: \sum_B \frac{|B|}{n} \left|\bar a_B - \bar c_B\right|

    Items are sorted by confidence and cut into `bins` of equal size (to one item; fewer bins than
    asked for where there are fewer items). Items of one confidence count their mean correctness,
    so their order does not matter.

    The estimate is biased. Upwards: in a bin of m items, the mean correctness of a perfectly
    calibrated model still strays from its confidence c by about
    :math:`\sqrt{2 c (1 - c) / (\pi m)}`, and the absolute value does not cancel; 15 bins of 500
    items at c = 0.5 read about 0.07 where the truth is 0. Downwards: errors of opposite sign
    inside one bin cancel.
    """
    order, smoothed = _by_confidence(confidences, is_correct)
    gaps = smoothed - np.asarray(confidences, float)[order]
    parts = np.array_split(gaps, min(bins, len(gaps)))
    return float(sum(abs(part.sum()) for part in parts) / len(gaps))


def whole_bins(confidences: np.ndarray, bins: int) -> list[np.ndarray]:
    """Return the places of items in bins of nearly equal mass, in order of confidence.

    Items of one confidence stay together, in the bin of their middle one, so that the order of the
    items changes nothing. No bin is empty; there are at most `bins`.
    """
    order = np.argsort(confidences, kind="stable")
    _, first, size = np.unique(
        np.asarray(confidences)[order], return_index=True, return_counts=True
    )
    share = np.repeat(np.arange(bins), [len(part) for part in np.array_split(order, bins)])
    of_item = np.repeat(share[first + (size - 1) // 2], size)
    return [part for part in np.split(order, np.flatnonzero(np.diff(of_item)) + 1) if len(part)]


def aurc(confidences: np.ndarray, is_correct: np.ndarray) -> float:
    r"""Return the area under the risk-coverage curve, in [0, 1]; lower is better.

    .. math:: \frac1n \sum_{k=1}^n \frac{\text{errors among the } k \text{ most confident}}{k}

    Items of one confidence are taken in random order, in expectation.
    """
    _, smoothed = _by_confidence(confidences, is_correct)
    wrong = 1 - smoothed[::-1]
    return float((np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean())


def auroc(confidences: np.ndarray, is_correct: np.ndarray) -> float:
    """Return how well confidence tells right from wrong: area under the ROC curve, in [0, 1].

    The probability that a right item has more confidence than a wrong one, ties counting half.
    NaN where all items are right or all are wrong.
    """
    right = np.asarray(is_correct, bool)
    n_right = int(right.sum())
    n_wrong = len(right) - n_right
    if not n_right or not n_wrong:
        return float("nan")
    ranks = rankdata(confidences)
    return float((ranks[right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))


def chance(scores: np.ndarray) -> float:
    """Return the accuracy of guessing: one over the number of options, averaged over items."""
    return float((1 / (~np.isnan(scores)).sum(axis=1)).mean())


def summarize(scores: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Return every measure of one benchmark at one normalization, by its column's name."""
    right = correct(scores, gold)
    sure = item_confidence(scores)
    return {
        "n_items": len(scores),
        "chance": chance(scores),
        "accuracy": float(right.mean()),
        "confidence": float(sure.mean()),
        "gold_probability": gold_probability(scores, gold),
        "nll": nll(scores, gold),
        "brier": brier(scores, gold),
        "ece": ece(sure, right),
        "aurc": aurc(sure, right),
        "auroc": auroc(sure, right),
    }


def benchmark_scores(items: pd.DataFrame, only: str | None = None) -> dict[str, np.ndarray]:
    """Return the score matrices of one benchmark's items, by normalization.

    `token` and `unconditional` are there only if every item has what they need. `only` asks for
    one normalization; the result is empty if the items lack it.
    """
    needs = {"token": "n_tokens", "byte": "n_bytes", "unconditional": "unconditional"}
    there = [
        kind
        for kind in NORMALIZATIONS
        if only in (None, kind)
        and (kind not in needs or (needs[kind] in items and items[needs[kind]].notna().all()))
    ]
    ll = padded(items["loglikelihood"])
    raw = {needs[kind]: padded(items[needs[kind]]) for kind in there if kind in needs}
    return {kind: normalize(ll, kind, **raw) for kind in there}


def measure(items: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of an items table.

    Parameters
    ----------
    items : DataFrame
        As `transfer.tables.read_items` gives it.

    Returns
    -------
    DataFrame
        One row a benchmark and normalization: `benchmark, normalization, n_items, chance,
        accuracy, confidence, gold_probability, nll, brier, ece, aurc, auroc`.
    """
    rows = []
    for benchmark, part in items.groupby("benchmark", sort=False):
        gold = part["gold"].to_numpy()
        for normalization, scores in benchmark_scores(part).items():
            key = {"benchmark": benchmark, "normalization": normalization}
            rows.append(key | summarize(scores, gold))
    return pd.DataFrame(rows)


def ties(items: pd.DataFrame) -> pd.DataFrame:
    """Return how many items of each benchmark tie for the highest score.

    Returns
    -------
    DataFrame
        `benchmark, normalization, n_items, ties`; a tie is won by the option of lowest index.
    """
    rows = [
        (benchmark, normalization, len(scores), count_ties(scores))
        for benchmark, part in items.groupby("benchmark", sort=False)
        for normalization, scores in benchmark_scores(part).items()
    ]
    return pd.DataFrame(rows, columns=["benchmark", "normalization", "n_items", "ties"])


def measure_runs(
    paths: Iterable[Path | str], suite: Suite, progress: Callable | None = None
) -> pd.DataFrame:
    """Return the measures table of some runs.

    Parameters
    ----------
    paths : iterable of Path
        Items tables, one a run.
    suite : Suite
        Names each benchmark's category.
    progress : callable, optional
        Wraps the list of paths; by default a progress bar.

    Raises
    ------
    BadInput
        If a table is bad, a benchmark is not in the suite, or two tables are of one run.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise BadInput("no items tables given; score a checkpoint first")
    seen: dict[tuple, Path] = {}
    tables = []
    for path in (progress or _bar)(files):
        items, metadata = read_items(path)
        run = tuple(str(metadata[key]) for key in ("mixture", "scale", "seed", "stage"))
        if run in seen:
            raise BadInput(f"{path}: the same run as {seen[run]}; give one of the two")
        seen[run] = path
        tables.append(_with_run(measure(items), metadata, suite))
    return pd.concat(tables, ignore_index=True)[MEASURES.names]


def _with_run(rows: pd.DataFrame, metadata: Mapping, suite: Suite) -> pd.DataFrame:
    run = {key: metadata[key] for key in ("suite", "mixture", "scale", "seed", "stage")}
    # Items that were imported say it themselves.
    said = metadata.get("categories") or {}
    categories = [said.get(name) or suite.benchmark(name).category for name in rows["benchmark"]]
    return rows.assign(**run, category=categories)


def _bar(paths: Sequence[Path]) -> Iterable[Path]:
    return track(paths, description="measuring", transient=True, disable=len(paths) < 5)


def _at_gold(matrix: np.ndarray, gold: np.ndarray) -> np.ndarray:
    return np.take_along_axis(matrix, np.asarray(gold)[:, None].astype(int), axis=1)[:, 0]


def _by_confidence(
    confidences: np.ndarray, is_correct: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of rising confidence, and correctness in it, averaged over equal ones."""
    order = np.argsort(confidences, kind="stable")
    _, group = np.unique(np.asarray(confidences)[order], return_inverse=True)
    right = np.asarray(is_correct, float)[order]
    return order, (np.bincount(group, weights=right) / np.bincount(group))[group]
