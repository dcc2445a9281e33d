"""What scoring checkpoints on all benchmarks of the suite takes, and how exact it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from speed import run_theirs, theirs_of
from workloads import TOKENIZER, asked

from transfer.heap import keep_freed_memory
from transfer.loglikelihood import Checkpoint
from transfer.scoring import Items, read_benchmarks, score_items, score_to_tables
from transfer.suite import load_suite, repository
from transfer.workspace import Workspace

CHECKPOINTS = repository() / "data" / "mini" / "checkpoints"


class Seconds(NamedTuple):
    """Seconds of one checkpoint on all benchmarks, by what they were spent on."""

    checkpoint: str
    benchmarks: int
    items: int
    build: float
    tokenise: float
    forward: float
    write: float


class Difference(NamedTuple):
    """The largest difference to `hf`, in nats, over requests of one kind under one model.

    `changed` counts requests of another `is_greedy`, and items of another selected option.
    """

    kind: str
    name: str
    requests: int
    largest_nats: float
    changed: int


class Half(NamedTuple):
    """How far log-likelihoods in bfloat16 are from float32, in nats, and the options selected."""

    checkpoint: str
    benchmark: str
    items: int
    mean_nats: float
    percentile_99_nats: float
    largest_nats: float
    changed: int


def built() -> dict[str, Items]:
    """Return the items of the suite's benchmarks that are in the workspace."""
    suite, space = load_suite("mini"), Workspace("mini")
    names = [
        benchmark.name
        for benchmark in suite.benchmarks
        if (space.benchmarks / f"{benchmark.name}-test.jsonl").exists()
    ]
    return dict(read_benchmarks(suite, space, names))


def seconds(checkpoints: Sequence[str]) -> Iterator[Seconds]:
    """Yield the seconds of each checkpoint; requests are made for the first alone."""
    keep_freed_memory()
    suite, benchmarks = load_suite("mini"), list(built())
    with tempfile.TemporaryDirectory() as place:
        outs = {CHECKPOINTS / name: Path(place) / f"{name}.parquet" for name in checkpoints}
        scored = score_to_tables(outs, suite, benchmarks)
        for name, one in zip(checkpoints, scored, strict=True):
            yield Seconds(
                name,
                len(benchmarks),
                one.items,
                one.build,
                one.tokenise,
                one.forward,
                one.write,
            )


def architectures() -> Iterator[Difference]:
    """Yield the differences of random small models, over every shape of request of the tests."""
    from test_architectures import ALONE, SHAPES, SHARES, both, model_of

    pairs = [pair for shape in SHAPES.values() for pair in shape]
    for name, sizes in (SHARES | ALONE).items():
        ours, theirs = both(model_of(name, sizes))
        # Their cache mixes up two requests of equal tokens that are cut at different places.
        theirs.logits_cache = False
        yield compare("architecture", name, ours, theirs, pairs)


def tasks(items: int) -> Iterator[Difference]:
    """Yield the differences of a trained checkpoint, over items of each benchmark."""
    checkpoint, model = Checkpoint(TOKENIZER), theirs_of(TOKENIZER)
    for name, rows in built().items():
        pairs = [
            (row["context"], f" {option}") for row in rows[:items] for option in row["options"]
        ]
        mine = checkpoint.loglikelihoods(checkpoint.encode(pairs))
        other = run_theirs(model, pairs, 32)
        gap = float(np.abs(mine - other).max())
        ends = np.cumsum([len(row["options"]) for row in rows[:items]])[:-1]
        changed = sum(
            int(a.argmax() != b.argmax())
            for a, b in zip(np.split(mine, ends), np.split(other, ends), strict=True)
        )
        yield Difference("benchmark", name, len(pairs), gap, changed)


def compare(
    kind: str, name: str, ours: Any, theirs: Any, pairs: Sequence[tuple[str, str]]
) -> Difference:
    """Return the difference of two models of lm-evaluation-harness."""
    requests = asked(pairs, name)
    mine, other = (model.loglikelihood(requests, disable_tqdm=True) for model in (ours, theirs))
    gap = max(abs(a - b) for (a, _), (b, _) in zip(mine, other, strict=True))
    changed = sum(a != b for (_, a), (_, b) in zip(mine, other, strict=True))
    return Difference(kind, name, len(pairs), gap, changed)


def halves(items: int, names: Mapping[str, Items] | None = None) -> Iterator[Half]:
    """Yield how far bfloat16 is from float32 on items of each benchmark."""
    exact, half = Checkpoint(TOKENIZER), Checkpoint(TOKENIZER, "bfloat16")
    for name, rows in (names or built()).items():
        tables = [score_items(one, name, rows[:items]) for one in (exact, half)]
        values = [list(table["loglikelihood"]) for table in tables]
        gaps = np.abs(np.concatenate(values[0]) - np.concatenate(values[1]))
        changed = sum(int(a.argmax() != b.argmax()) for a, b in zip(*values, strict=True))
        yield Half(
            TOKENIZER.name,
            name,
            len(values[0]),
            float(gaps.mean()),
            float(np.percentile(gaps, 99)),
            float(gaps.max()),
            changed,
        )
