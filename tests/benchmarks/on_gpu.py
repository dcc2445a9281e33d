"""Items a second on a GPU, and how exact they are, beside lm-evaluation-harness's `hf` model.

Both are models of lm-evaluation-harness over one model on the device, take strings, and alternate.
Theirs has the batch size that was fastest on a share of the requests.
"""

from __future__ import annotations

import copy
import gc
import os
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
from transformers import AutoTokenizer
from workloads import (
    MODELS,
    TOKENIZER,
    WORKLOADS,
    Pair,
    Words,
    asked,
    changed,
    flops,
    random_model,
)

BATCHES = (16, 64, 256)
"""Batch sizes that theirs is tried with."""

LARGER = {
    "1B": {
        "vocab_size": 32000,
        "hidden_size": 2048,
        "intermediate_size": 5632,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
    },
}

KINDS = (("60M", "float32"), ("1B", "bfloat16"))
"""Models, and what they compute in."""

ITEMS = {
    "short 4-choice": 1000,
    "HellaSwag-like": 500,
    "5-shot, shared prefix": 150,
    "passages": 150,
    "BoolQ-like": 750,
}
"""Items of a workload: what theirs does in seconds."""


class Difference(NamedTuple):
    """How far log-likelihoods are from those with products in float64, in nats, at most.

    `ours` and `theirs` from what the same weights give with matrix products, attention and softmax
    in float64 (norms and rotations that a model computes in float32 stay so), `between` the two;
    `changed` counts requests of another `is_greedy`.
    """

    kind: str
    name: str
    requests: int
    ours: float
    theirs: float
    between: float
    changed: int


class Row(NamedTuple):
    """What was measured on one workload with one model.

    Rates are items a second, medians over pairs of runs; `ratio` is the median of the pairs'
    ratios, `lowest` and `highest` their ends. `saved` is the share of tokens that were not run,
    `of_peak` the share of the matrix-multiply peak in the model's type that unique tokens reach,
    and `peak_mib` and `their_peak_mib` the most memory of the device above the loaded model.
    """

    workload: str
    model: str
    dtype: str
    way: str
    items: int
    pairs: int
    ours: float
    theirs: float
    batch: int
    ratio: float
    lowest: float
    highest: float
    saved: float
    of_peak: float
    largest_difference: float
    changed: int
    peak_mib: float
    their_peak_mib: float


def model_on_device(name: str, dtype: str) -> Any:
    """Return a random Llama of one of the sizes."""
    with torch.device("cuda"):
        model = random_model((MODELS | LARGER)[name], 0.05 if name in MODELS else 0.02)
        return model.to(getattr(torch, dtype)).eval()


def sides(model: Any) -> tuple[Any, Any]:
    """Return our model of lm-evaluation-harness and theirs, over one model."""
    from lm_eval.models.huggingface import HFLM

    from transfer.harness import TransferLM

    given = {"pretrained": model, "tokenizer": AutoTokenizer.from_pretrained(TOKENIZER)}
    return TransferLM(**given), HFLM(**given, batch_size=8)


def run(side: Any, pairs: Sequence[Pair], batch: int | None = None) -> tuple[float, np.ndarray]:
    """Return seconds and log-likelihoods."""
    if batch is not None:
        side.batch_size_per_gpu = batch
    begun = time.perf_counter()
    values = side.loglikelihood(asked(pairs), disable_tqdm=True)
    return time.perf_counter() - begun, np.array([value for value, _ in values])


def peak_of(side: Any, pairs: Sequence[Pair], batch: int | None = None) -> tuple[float, Any]:
    """Return the most memory above what there was, in MiB, and log-likelihoods."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    values = run(side, pairs, batch)[1]
    return (torch.cuda.max_memory_allocated() - before) / 2**20, values


def exact(items: int) -> Iterator[Difference]:
    """Yield the differences of small models of every kind, and of workloads with the 60M model."""
    from test_architectures import ALONE, SHAPES, SHARES, both, model_of

    shapes = [pair for shape in SHAPES.values() for pair in shape]
    for name, sizes in (SHARES | ALONE).items():
        model = model_of(name, sizes)
        yield compare("architecture, float32", name, *both(model, batch_size=16), shapes)
    for dtype in ("float32", "bfloat16"):
        ours, theirs = sides(model_on_device("60M", dtype))
        for kind, (make, _) in WORKLOADS.items():
            yield compare(f"workload, {dtype}", kind, ours, theirs, make(items, Words(1)))


def compare(kind: str, name: str, ours: Any, theirs: Any, pairs: Sequence[Pair]) -> Difference:
    """Return how far both sides are from the same weights with products in float64."""
    given = {"tokenizer": theirs.tokenizer, "max_length": theirs.max_length, "batch_size": 16}
    exact_model = copy.deepcopy(theirs.model).double()
    # Grouped products are not there in float64.
    exact_model.set_experts_implementation("eager")
    reference = type(theirs)(pretrained=exact_model, **given)
    made = []
    for side in (ours, theirs, reference):
        # Their cache mixes up two requests of equal tokens that are cut at different places.
        side.logits_cache = False
        made.append(side.loglikelihood(asked(pairs, name), disable_tqdm=True))
    mine, other, right = (np.array([value for value, _ in one]) for one in made)
    return Difference(
        kind,
        name,
        len(pairs),
        float(np.abs(mine - right).max()),
        float(np.abs(other - right).max()),
        float(np.abs(mine - other).max()),
        sum(a != b for (_, a), (_, b) in zip(made[0], made[1], strict=True)),
    )


def best_batch(theirs: Any, pairs: Sequence[Pair]) -> int:
    """Return the batch size that is fastest for theirs, of those that fit."""
    tried = []
    run(theirs, pairs[:64], 16)
    for batch in BATCHES:
        try:
            run(theirs, pairs[:batch], batch)
            tried.append((run(theirs, pairs, batch)[0], batch))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
    return min(tried)[1]


def matmul_peak(dtype: str, size: int = 8192) -> float:
    """Return the floating-point operations a second of a large product of random matrices."""
    a, b = (torch.randn(size, size, device="cuda", dtype=getattr(torch, dtype)) for _ in range(2))
    times = []
    for _ in range(8):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        torch.mm(a, b)
        ended.record()
        torch.cuda.synchronize()
        times.append(begun.elapsed_time(ended) / 1000)
    return 2 * size**3 / median(times[2:])


def speed(workloads: Sequence[str], pairs: int) -> Iterator[Row]:
    """Yield the measurements of workloads under models."""
    for name, dtype in KINDS:
        peak = matmul_peak(dtype)
        ours, theirs = sides(model_on_device(name, dtype))
        for kind in workloads:
            make, options = WORKLOADS[kind]
            requests = make(ITEMS[kind], Words(1))
            few = requests[: max(2 * max(BATCHES), len(requests) // 6)]
            batch = best_batch(theirs, few)
            run(ours, few)
            our_peak, values = peak_of(ours, requests)
            their_peak, expected = peak_of(theirs, requests, batch)
            mine, other = [], []
            for _ in range(pairs):
                mine.append(run(ours, requests)[0])
                other.append(run(theirs, requests, batch)[0])
            ratios = [their / our for our, their in zip(mine, other, strict=True)]
            usage = ours.engine.usage
            yield Row(
                kind,
                name,
                dtype,
                ours.engine.way,
                ITEMS[kind],
                pairs,
                ITEMS[kind] / median(mine),
                ITEMS[kind] / median(other),
                batch,
                median(ratios),
                min(ratios),
                max(ratios),
                1 - usage.run / usage.asked,
                flops(ours.model, usage) / median(mine) / peak,
                float(np.abs(values - expected).max()),
                changed(values, expected, options),
                our_peak,
                their_peak,
            )
        del ours, theirs
        gc.collect()
