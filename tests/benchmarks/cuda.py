"""Items a second on a GPU, beside lm-evaluation-harness's `hf` model.

Both are models of lm-evaluation-harness over one model on the device, take strings, and alternate.
Theirs has the batch size that was fastest on a share of the requests.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Sequence
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from workloads import MODELS, TOKENIZER, WORKLOADS, Pair, Words

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
    "short 4-choice": 2000,
    "HellaSwag-like": 1000,
    "5-shot, shared prefix": 300,
    "passages": 300,
    "BoolQ-like": 1500,
}
"""Items of a workload: what theirs does in seconds."""


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


def model_on_device(name: str, dtype: str, positions: int = 2048) -> Any:
    """Return a random Llama of one of the sizes."""
    torch.manual_seed(0)
    config = LlamaConfig(
        **(MODELS | LARGER)[name],
        max_position_embeddings=positions,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        initializer_range=0.05 if name in MODELS else 0.02,
    )
    with torch.device("cuda"):
        return LlamaForCausalLM(config).to(getattr(torch, dtype)).eval()


def sides(model: Any, **ours: Any) -> tuple[Any, Any]:
    """Return our model of lm-evaluation-harness and theirs, over one model."""
    from lm_eval.models.huggingface import HFLM

    from transfer.harness import TransferLM

    given = {"pretrained": model, "tokenizer": AutoTokenizer.from_pretrained(TOKENIZER)}
    return TransferLM(**given, **ours), HFLM(**given, batch_size=8)


def run(side: Any, pairs: Sequence[Pair], batch: int | None = None) -> tuple[float, np.ndarray]:
    """Return seconds and log-likelihoods."""
    if batch is not None:
        side.batch_size_per_gpu = batch
    requests = [SimpleNamespace(args=pair, task_name="made", doc_id=0) for pair in pairs]
    torch.cuda.synchronize()
    begun = time.perf_counter()
    values = side.loglikelihood(requests, disable_tqdm=True)
    torch.cuda.synchronize()
    return time.perf_counter() - begun, np.array([value for value, _ in values])


def peak_of(side: Any, pairs: Sequence[Pair], batch: int | None = None) -> tuple[float, Any]:
    """Return the most memory above what there was, in MiB, and log-likelihoods."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    values = run(side, pairs, batch)[1]
    return (torch.cuda.max_memory_allocated() - before) / 2**20, values


def best_batch(theirs: Any, pairs: Sequence[Pair]) -> int:
    """Return the batch size that is fastest for theirs, of those that fit."""
    tried = []
    run(theirs, pairs[:64], 16)
    for batch in BATCHES:
        try:
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
            few = requests[: max(options * 4, len(requests) // 6)]
            batch = best_batch(theirs, few)
            run(ours, few)
            our_peak, values = peak_of(ours, requests)
            their_peak, expected = peak_of(theirs, requests, batch)
            mine, other = [], []
            for _ in range(pairs):
                mine.append(run(ours, requests)[0])
                other.append(run(theirs, requests, batch)[0])
            ratios = [their / our for our, their in zip(mine, other, strict=True)]
            model, usage = ours.model, ours.engine.usage
            body = sum(p.numel() for n, p in model.model.named_parameters() if "embed" not in n)
            head = model.get_output_embeddings().weight.numel()
            flops = 2 * (body * usage.run + head * usage.predicted)
            chosen = [x.reshape(-1, options).argmax(1) for x in (values, expected)]
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
                flops / median(mine) / peak,
                float(np.abs(values - expected).max()),
                int((chosen[0] != chosen[1]).sum()),
                our_peak,
                their_peak,
            )
        del ours, theirs, model
        gc.collect()
