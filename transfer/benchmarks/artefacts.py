"""What can be had on a benchmark without reading: chance, labels, lengths, and linear readers.

The linear readers see a part of the input only. A benchmark on which one of them does well can be
answered by an artefact of how its items were made, and a language model has to beat it before its
score says anything about reading (Gururangan et al. 2018; Poliak et al. 2018).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from transfer.benchmarks.candidates import CandidateSpec
from transfer.benchmarks.rounds import words

Row = dict[str, Any]


@dataclass(frozen=True)
class Baselines:
    """Accuracies on the test items, of readers that do not read.

    Attributes
    ----------
    chance
        Mean of one over the number of options.
    majority
        Of always giving the most frequent right answer of the training items (of the test items
        where there are none); chance where the options change from item to item.
    longest, shortest
        Of the longest and the shortest option.
    overlap
        Of the option with most of its words in the context. This one sees the whole input; it is
        no artefact but says how far copying goes. Ties count as a share.
    options_only
        Of a linear model on words and word pairs of the options, trained on training items, or in
        five folds over the test items where there are none.
    hypothesis_only
        Of a linear model on the last sentence of the context (the claim or the question), where
        the options are the same labels throughout; else None.
    bag_of_words
        Likewise on the whole context. This one too sees all of the input, if not its order.
    """

    chance: float
    majority: float
    longest: float
    shortest: float
    overlap: float
    options_only: float
    hypothesis_only: float | None
    bag_of_words: float | None

    def check(self, artefact: str) -> float:
        """Return the accuracy that a reader has to beat, by the benchmark's artefact kind."""
        counted = {
            "options": self.options_only,
            "hypothesis": self.hypothesis_only,
            "none": None,
        }
        return max(self.chance, self.majority, counted[artefact] or 0.0)

    def as_dict(self) -> dict[str, float | None]:
        """Return the accuracies rounded to four digits."""
        return {
            key: None if value is None else round(value, 4) for key, value in asdict(self).items()
        }


def baselines(test: Sequence[Row], train: Sequence[Row]) -> Baselines:
    """Return the accuracies of all readers that do not read.

    Parameters
    ----------
    test, train
        Items with `context`, `options` and `gold`. `train` may be empty.
    """
    chance = float(np.mean([1 / len(row["options"]) for row in test]))
    labels = len({tuple(sorted(row["options"])) for row in test}) == 1
    return Baselines(
        chance=chance,
        majority=_majority(test, train) if labels else chance,
        longest=_by(test, lambda row, option: len(option)),
        shortest=_by(test, lambda row, option: -len(option)),
        overlap=_by(test, _overlap),
        options_only=_options_only(test, train),
        hypothesis_only=_labels(test, train, _last_sentence) if labels else None,
        bag_of_words=_labels(test, train, _whole) if labels else None,
    )


def table_row(candidate: CandidateSpec, test: Sequence[Row], train: Sequence[Row]) -> Row:
    """Return a candidate's line in `data/benchmarks/candidates.csv`, hashes left out."""
    found = baselines(test, train)
    return {
        "name": candidate.name,
        "title": candidate.title,
        "category": candidate.category,
        "kind": candidate.kind,
        "real": candidate.real,
        "in_sft": candidate.in_sft,
        "normalization": candidate.normalization,
        "options": Counter(len(row["options"]) for row in test).most_common(1)[0][0],
        "n_test": len(test),
        "n_train": len(train),
        "context_words": float(np.median([len(row["context"].split()) for row in test])),
        **found.as_dict(),
        "artefact": candidate.artefact,
        "artefact_check": round(found.check(candidate.artefact), 4),
        "sources": " ".join(candidate.sources),
        "licence": candidate.licence,
    }


def _majority(test: Sequence[Row], train: Sequence[Row]) -> float:
    answers = Counter(row["options"][row["gold"]] for row in (train or test))
    best = min(answers, key=lambda answer: (-answers[answer], answer))
    return float(np.mean([row["options"][row["gold"]] == best for row in test]))


def _by(test: Sequence[Row], score: Callable[[Row, str], float]) -> float:
    """Return the accuracy of the option with the highest score, ties shared."""
    hits = []
    for row in test:
        scores = [score(row, option) for option in row["options"]]
        best = [index for index, value in enumerate(scores) if value == max(scores)]
        hits.append((row["gold"] in best) / len(best))
    return float(np.mean(hits))


def _overlap(row: Row, option: str) -> float:
    own = set(words(option))
    return len(own & set(words(row["context"]))) / (1 + len(own) ** 0.5)


def _vectors(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        ngram_range=(1, 2), n_features=2**17, alternate_sign=False, token_pattern=r"(?u)\S+"
    ).transform(texts)


def _fitted(texts: Sequence[str], answers: Sequence[Any], strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=500).fit(_vectors(texts), answers)


def _options_only(test: Sequence[Row], train: Sequence[Row]) -> float:
    return _held_out(test, train, _fit_options, _guess_options)


def _fit_options(rows: Sequence[Row]) -> Any:
    texts = [option for row in rows for option in row["options"]]
    right = [index == row["gold"] for row in rows for index in range(len(row["options"]))]
    return _fitted(texts, right, 3.0)


def _guess_options(model: Any, rows: Sequence[Row]) -> list[bool]:
    scores = model.decision_function(_vectors([o for row in rows for o in row["options"]]))
    hits, at = [], 0
    for row in rows:
        size = len(row["options"])
        hits.append(int(np.argmax(scores[at : at + size])) == row["gold"])
        at += size
    return hits


def _whole(row: Row) -> str:
    return str(row["context"])


def _last_sentence(row: Row) -> str:
    return re.split(r"(?<=[.!?]) (?=[A-Z])", row["context"])[-1]


def _labels(test: Sequence[Row], train: Sequence[Row], seen: Callable[[Row], str]) -> float:
    def fit(rows: Sequence[Row]) -> Any:
        answers = [row["options"][row["gold"]] for row in rows]
        return _fitted([seen(row) for row in rows], answers, 10.0)

    def guess(model: Any, rows: Sequence[Row]) -> list[bool]:
        guesses = model.predict(_vectors([seen(row) for row in rows]))
        return [
            bool(guess == row["options"][row["gold"]])
            for guess, row in zip(guesses, rows, strict=True)
        ]

    return _held_out(test, train, fit, guess)


def _held_out(
    test: Sequence[Row],
    train: Sequence[Row],
    fit: Callable[[Sequence[Row]], Any],
    guess: Callable[[Any, Sequence[Row]], list[bool]],
) -> float:
    """Return the accuracy on test items of a model fitted on others.

    Items of one option set stay in one fold, where folds are needed.
    """
    if train:
        return float(np.mean(guess(fit(train), test)))
    sets = sorted({tuple(sorted(row["options"])) for row in test})
    whole = len(sets) < 5
    fold = {options: index % 5 for index, options in enumerate(sets)}
    hits: list[bool] = []
    for number in range(5):
        inside = [
            (place % 5 if whole else fold[tuple(sorted(row["options"]))]) == number
            for place, row in enumerate(test)
        ]
        model = fit([row for row, held in zip(test, inside, strict=True) if not held])
        hits += guess(model, [row for row, held in zip(test, inside, strict=True) if held])
    return float(np.mean(hits))
