"""Items a second beside lm-evaluation-harness's `hf` model.

The two alternate, each in a process of its own, as their commands are; a pair is one run of each on
the same requests, and a ratio is the median over pairs. Theirs has the batch size that was fastest
on a share of the requests. Both take strings, and both are read from the same folder in float32.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import numpy as np
import torch
from workloads import WORKLOADS, Pair, Words, asked, changed, flops, save_model

from transfer.heap import keep_freed_memory
from transfer.loglikelihood import Checkpoint, Engine

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


SKETCH = {
    "short 4-choice": {"1.3M": 4.4, "60M": 4.9},
    "HellaSwag-like": {"1.3M": 2.5, "60M": 3.0},
    "5-shot, shared prefix": {"1.3M": 7.5, "60M": 6.7},
    "passages": {"1.3M": 19, "60M": 18},
    "BoolQ-like": {"1.3M": 4.8, "60M": 2.7},
}
"""Ratios that a first sketch of the tree reached, on workloads of the same names."""


class Row(NamedTuple):
    """What was measured on one workload with one model.

    Rates are items a second on all cores, medians over pairs of runs; `ratio` is the median of the
    pairs' ratios, `lowest` and `highest` their ends. `one_core` is the ratio of seconds of
    processor time with one thread each, which other work on the machine changes little, and
    `of_peak` the share of one core's matrix-multiply peak that unique tokens reach. `saved` is the
    share of tokens that were not run, `load` the machine's load average at the end.
    """

    workload: str
    model: str
    items: int
    pairs: int
    ours: float
    theirs: float
    batch: int
    ratio: float
    lowest: float
    highest: float
    one_core: float
    bar: float
    sketch: float
    saved: float
    of_peak: float
    largest_difference: float
    changed: int
    load: float


def theirs_of(folder: Path) -> Any:
    """Return their model."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=8)


def run_theirs(model: Any, pairs: Sequence[Pair], batch: int) -> np.ndarray:
    """Return their log-likelihoods."""
    model.batch_size_per_gpu = batch
    values = model.loglikelihood(asked(pairs), disable_tqdm=True)
    return np.array([value for value, _ in values])


class Theirs:
    """Their model in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _load_theirs, (folder,))

    def timed(self, pairs: Sequence[Pair], batch: int, alone: bool = False) -> Any:
        """Return seconds and log-likelihoods; `alone`, of processor time with one thread."""
        return self._pool.submit(_time_theirs, pairs, batch, alone).result()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


def _load_theirs(folder: Path) -> None:
    warnings.simplefilter("ignore")
    _loaded["model"] = theirs_of(folder)


def _time_theirs(pairs: Sequence[Pair], batch: int, alone: bool) -> tuple[float, np.ndarray]:
    with one_thread() if alone else contextlib.nullcontext():
        clock = time.process_time if alone else time.perf_counter
        return timed(lambda: run_theirs(_loaded["model"], pairs, batch), clock)


_loaded: dict[str, Any] = {}


def run_ours(checkpoint: Checkpoint, pairs: Sequence[Pair]) -> np.ndarray:
    """Return our log-likelihoods; nothing is remembered from an earlier run."""
    checkpoint.encoder.forget()
    return checkpoint.loglikelihoods(checkpoint.encode(pairs))


def matmul_peak(size: int = 1536, seconds: float = 1.0) -> float:
    """Return the FLOP/s of a large float32 matrix product on one core, the best of a second.

    Of PyTorch's own product and of oneDNN's, in turns: the better one is what the machine can do.
    """
    a, b = torch.randn(size, size), torch.randn(size, size)
    products = [lambda: torch.mm(a, b)]
    if torch.backends.mkldnn.is_available():
        products.append(lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""))
    best, until = float("inf"), time.process_time() + seconds
    with one_thread(), torch.inference_mode():
        while time.process_time() < until:
            for product in products:
                begun = time.process_time()
                product()
                best = min(best, time.process_time() - begun)
    return 2 * size**3 / best


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Have PyTorch take one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def timed(
    run: Callable[[], np.ndarray], clock: Callable[[], float] = time.perf_counter
) -> tuple[float, np.ndarray]:
    """Return seconds and the result."""
    begun = clock()
    values = run()
    return clock() - begun, values


def measure(
    checkpoint: Checkpoint,
    theirs: Theirs,
    name: str,
    kind: str,
    items: int,
    pairs: int,
    peak: float,
) -> Row:
    """Return the measurements of one workload."""
    make, options = WORKLOADS[kind]
    requests = make(items, Words(1))
    few = requests[: max(options * 4, len(requests) // 4)]
    run_ours(checkpoint, few)
    # Twice each, in turns: a slow moment of the machine must not choose a slow batch for theirs.
    tried = [(theirs.timed(few, n)[0], n) for _ in range(2) for n in BATCHES]
    batch = min(tried)[1]
    engine, clock = checkpoint.engine, time.process_time
    with one_thread():
        checkpoint.engine = Engine(engine.model, engine.longest, threads=1)
        alone = [timed(lambda: run_ours(checkpoint, requests), clock) for _ in range(2)]
        cost, values = min(alone, key=lambda one: one[0])
        their_cost, expected = theirs.timed(requests, batch, alone=True)
        usage, checkpoint.engine = checkpoint.engine.usage, engine
    mine, other = [], []
    for _ in range(pairs):
        mine.append(timed(lambda: run_ours(checkpoint, requests))[0])
        other.append(theirs.timed(requests, batch)[0])
    ratios = [their / our for our, their in zip(mine, other, strict=True)] or [np.nan]
    return Row(
        kind,
        name,
        items,
        pairs,
        items / median(mine or [np.nan]),
        items / median(other or [np.nan]),
        batch,
        median(ratios),
        min(ratios),
        max(ratios),
        their_cost / cost,
        BARS[kind][name],
        SKETCH[kind][name],
        1 - usage.run / usage.asked,
        flops(checkpoint.model, usage) / cost / peak,
        float(np.abs(values - expected).max()),
        changed(values, expected, options),
        os.getloadavg()[0],
    )


def speed(
    models: Sequence[str], workloads: Sequence[str], pairs: int, items: int | None, peak: float
) -> Iterator[Row]:
    """Yield the measurements of workloads under models."""
    keep_freed_memory()
    for name in models:
        with tempfile.TemporaryDirectory() as place:
            folder = save_model(name, Path(place))
            checkpoint = Checkpoint(folder)
            with contextlib.closing(Theirs(folder)) as theirs:
                for kind in workloads:
                    number = items or ITEMS[kind][name]
                    yield measure(checkpoint, theirs, name, kind, number, pairs, peak)
