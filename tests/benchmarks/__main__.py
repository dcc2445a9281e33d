"""Items a second beside lm-evaluation-harness's `hf` model: `make bench`.

The two alternate in one process; a pair is one run of each on the same requests, and a ratio is
the median over pairs. Theirs has the batch size that was fastest on a share of the requests. Both
take strings, and both are read from the same folder in float32.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import numpy as np
import torch
from workloads import MODELS, WORKLOADS, Pair, Words, save_model

from transfer.loglikelihood import Checkpoint

BATCHES = (4, 8, 16, 32, 64)
"""Batch sizes that theirs is tried with."""

BARS = {
    "short 4-choice": {"1.3M": 6, "60M": 5.5},
    "HellaSwag-like": {"1.3M": 3.5, "60M": 3.4},
    "5-shot, shared prefix": {"1.3M": 12, "60M": 8},
    "passages": {"1.3M": 30, "60M": 20},
    "BoolQ-like": {"1.3M": 7, "60M": 3.2},
}
"""Ratios that were asked for on the machine this was written on (2 cores, float32)."""


ITEMS = {
    "short 4-choice": {"1.3M": 240, "60M": 48},
    "HellaSwag-like": {"1.3M": 240, "60M": 24},
    "5-shot, shared prefix": {"1.3M": 96, "60M": 12},
    "passages": {"1.3M": 96, "60M": 12},
    "BoolQ-like": {"1.3M": 240, "60M": 36},
}
"""Items of a workload: what theirs does in seconds."""


class Row(NamedTuple):
    """What was measured on one workload with one model."""

    ours: float
    theirs: float
    ratio: float
    batch: int
    saved: float
    peak_share: float
    gap: float
    changed: int


def theirs_of(folder: Path) -> Any:
    """Return their model."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=8)


def run_theirs(model: Any, pairs: Sequence[Pair], batch: int) -> np.ndarray:
    """Return their log-likelihoods."""
    model.batch_size_per_gpu = batch
    requests = [SimpleNamespace(args=pair) for pair in pairs]
    return np.array([value for value, _ in model.loglikelihood(requests, disable_tqdm=True)])


def run_ours(checkpoint: Checkpoint, pairs: Sequence[Pair]) -> np.ndarray:
    """Return our log-likelihoods; nothing is remembered from an earlier run."""
    checkpoint.encoder.forget()
    return checkpoint.loglikelihoods(checkpoint.encode(pairs))


def timed(run: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return seconds and the result."""
    begun = time.perf_counter()
    values = run()
    return time.perf_counter() - begun, values


def matmul_peak(size: int = 1536, seconds: float = 1.0) -> float:
    """Return the FLOP/s of a large float32 matrix product, the best of a second."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best


def measure(
    checkpoint: Checkpoint, model: Any, kind: str, items: int, pairs: int, peak: float
) -> Row:
    """Return the measurements of one workload."""
    make, options = WORKLOADS[kind]
    requests = make(items, Words(1))
    few = requests[: max(options * 6, len(requests) // 4)]
    run_ours(checkpoint, few)
    batch = min(BATCHES, key=lambda size: timed(lambda: run_theirs(model, few, size))[0])
    runs = []
    for _ in range(pairs):
        mine, values = timed(lambda: run_ours(checkpoint, requests))
        other, expected = timed(lambda: run_theirs(model, requests, batch))
        runs.append((mine, other))
    usage = checkpoint.engine.usage
    body = sum(p.numel() for n, p in checkpoint.model.model.named_parameters() if "embed" not in n)
    head = checkpoint.model.get_output_embeddings().weight.numel()
    flops = 2 * (body * usage.run + head * usage.predicted)
    seconds = median(mine for mine, _ in runs)
    chosen = [x.reshape(-1, options).argmax(1) for x in (values, expected)]
    return Row(
        items / seconds,
        items / median(other for _, other in runs),
        median(other / mine for mine, other in runs),
        batch,
        1 - usage.run / usage.asked,
        flops / seconds / peak,
        float(np.abs(values - expected).max()),
        int((chosen[0] != chosen[1]).sum()),
    )


def memory(side: str, vocabulary: int, context: int) -> None:
    """Print the peak memory of scoring one long item, in a process of its own."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from workloads import TOKENIZER

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        config = LlamaConfig(
            **{**MODELS["1.3M"], "vocab_size": vocabulary}, max_position_embeddings=context
        )
        LlamaForCausalLM(config).save_pretrained(folder)
        AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(folder)
        words = Words(0)
        pairs = [(words.some(2 * context), f" {words.some(3)}") for _ in range(2)]
        if side == "ours":
            checkpoint = Checkpoint(folder)
            before = resident()
            checkpoint.loglikelihoods(checkpoint.encode(pairs))
        else:
            model = theirs_of(folder)
            before = resident()
            run_theirs(model, pairs, 1)
    print(f"{before:.0f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


def resident() -> float:
    """Return the memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def print_memory(vocabulary: int = 150_000, context: int = 4096) -> None:
    """Print the peak memory of both, each in a process of its own."""
    print(
        f"\nPeak memory above the loaded model: vocabulary {vocabulary:,}, context {context:,} "
        f"tokens (its logits alone would be {4 * vocabulary * context / 2**20:,.0f} MiB)"
    )
    for side in ("ours", "theirs"):
        done = subprocess.run(
            [sys.executable, __file__, "--memory", side, str(vocabulary), str(context)],
            check=True,
            capture_output=True,
            text=True,
        )
        before, peak = map(float, done.stdout.split()[-2:])
        print(f"  {side:7} {peak - before:7,.0f} MiB")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    parser.add_argument("--pairs", type=int, default=3, help="runs of each, alternating")
    parser.add_argument("--items", type=int, help="items of a workload")
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--no-memory", action="store_true", help="leave the memory table out")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    if asked.memory:
        return memory(asked.memory[0], int(asked.memory[1]), int(asked.memory[2]))
    peak = matmul_peak()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32")
    print(f"matrix-multiply peak: {peak / 1e9:.0f} GFLOP/s\n")
    print(
        f"{'workload':22} {'model':>5} {'ours/s':>8} {'theirs/s':>8} {'batch':>5} {'ratio':>6} "
        f"{'bar':>5} {'saved':>6} {'of peak':>7} {'largest gap':>11} {'changed':>7}"
    )
    for name in asked.models:
        with tempfile.TemporaryDirectory() as place:
            folder = save_model(name, Path(place))
            checkpoint, model = Checkpoint(folder), theirs_of(folder)
            for kind in asked.workloads:
                items = asked.items or ITEMS[kind][name]
                row = measure(checkpoint, model, kind, items, asked.pairs, peak)
                print(
                    f"{kind:22} {name:>5} {row.ours:8.1f} {row.theirs:8.1f} {row.batch:5} "
                    f"{row.ratio:6.1f} {BARS[kind][name]:5} {row.saved:6.0%} {row.peak_share:7.0%} "
                    f"{row.gap:11.1e} {row.changed:7}",
                    flush=True,
                )
    if not asked.no_memory:
        print_memory()
    return None


if __name__ == "__main__":
    main()
