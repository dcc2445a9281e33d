"""Where a suite's large files live: outside the repository, under one folder.

`$TRANSFER_HOME`, or `~/.cache/transfer` where it is not set, holds downloads, documents, token
shards, benchmark items and checkpoints. Only tables are copied from there into `data/`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from transfer.suite import Run


def home() -> Path:
    """Return the folder of all workspaces, `$TRANSFER_HOME` or `~/.cache/transfer`."""
    return Path(os.environ.get("TRANSFER_HOME", "~/.cache/transfer")).expanduser().absolute()


@dataclass(frozen=True)
class Workspace:
    """The folders of one suite; nothing is created until it is written to."""

    suite: str

    @property
    def downloads(self) -> Path:
        """Archives as fetched, shared by all suites."""
        return home() / "downloads"

    @property
    def root(self) -> Path:
        """Everything made for this suite."""
        return home() / self.suite

    @property
    def documents(self) -> Path:
        """Cleaned documents, one Parquet file a text stream."""
        return self.root / "documents"

    @property
    def benchmarks(self) -> Path:
        """Benchmark items, `<benchmark>-<split>.jsonl`."""
        return self.root / "benchmarks"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer in Hugging Face format."""
        return self.root / "tokenizer"

    def shards(self, mixture: str) -> Path:
        """Token shards of one mixture."""
        return self.root / "shards" / mixture

    @property
    def instructions(self) -> Path:
        """The fine-tuning set, `instructions.jsonl`."""
        return self.root / "instructions.jsonl"

    def checkpoint(self, run: Run) -> Path:
        """The folder of one run: its checkpoint in Hugging Face format, and its loss curve."""
        return self.root / "runs" / run.name

    def items(self, run: Run) -> Path:
        """The items table of one run."""
        return self.root / "items" / f"{run.name}.parquet"

    def snapshots(self, run: Run) -> Path:
        """Checkpoints on the way of one run, one folder a step, `step-<number>`."""
        return self.root / "snapshots" / run.name

    def control(self, run: Run) -> Path:
        """The items table of one run on items whose contexts were swapped."""
        return self.root / "control" / f"{run.name}.parquet"

    def trajectory(self, run: Run) -> Path:
        """The measures of one run on its way: a measures table with `step` and `tokens`."""
        return self.root / "trajectory" / f"{run.name}.parquet"

    def log(self, run: Run, step: str) -> Path:
        """What one job of the grid printed; `step` is train, score, control or trajectory."""
        return self.root / "logs" / f"{run.name}-{step}.log"

    def lock(self, run: Run, step: str) -> Path:
        """A file that is locked while the job runs."""
        return self.root / "locks" / f"{run.name}-{step}.lock"

    def failure(self, run: Run, step: str) -> Path:
        """What a failed job said; gone when it is done again."""
        return self.root / "failures" / f"{run.name}-{step}.txt"
