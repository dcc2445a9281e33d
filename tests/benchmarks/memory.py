"""Peak memory of scoring items of long contexts under a large vocabulary, a process a side."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from speed import run_theirs, theirs_of
from workloads import MODELS, TOKENIZER, Words

from transfer.heap import keep_freed_memory
from transfer.loglikelihood import Checkpoint


class Row(NamedTuple):
    """The peak above the loaded model, in MiB, and what the logits of one request would take."""

    side: str
    vocabulary: int
    context: int
    logits_mib: float
    peak_mib: float


def memory(vocabulary: int = 150_000, context: int = 4096) -> Iterator[Row]:
    """Yield the peaks of both sides, each measured in a process of its own."""
    for side in ("ours", "theirs"):
        done = subprocess.run(
            [sys.executable, __file__, side, str(vocabulary), str(context)],
            check=True,
            capture_output=True,
            text=True,
        )
        before, peak = map(float, done.stdout.split()[-2:])
        yield Row(side, vocabulary, context, 4 * vocabulary * context / 2**20, peak - before)


def resident() -> float:
    """Return the memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main(side: str, vocabulary: int, context: int) -> None:
    """Score two long items, and print the memory before, and the most there was."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sizes = {**MODELS["1.3M"], "vocab_size": vocabulary, "max_position_embeddings": context}
        LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(folder)
        AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(folder)
        words = Words(0)
        pairs = [(words.some(2 * context), f" {words.some(3)}") for _ in range(2)]
        if side == "ours":
            keep_freed_memory()
            checkpoint = Checkpoint(folder)
            before = resident()
            checkpoint.loglikelihoods(checkpoint.encode(pairs))
        else:
            model = theirs_of(folder)
            before = resident()
            run_theirs(model, pairs, 1)
    print(f"{before:.0f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
