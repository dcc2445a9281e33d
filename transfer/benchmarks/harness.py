"""The benchmarks as tasks of lm-evaluation-harness.

A task file holds no text: `custom_dataset` calls `load`, which reads the items from the workspace.
So `lm_eval --include_path data/benchmarks --tasks transfer_mini` runs where items are built.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from transfer.benchmarks.candidates import CandidateSpec
from transfer.benchmarks.items import generate, items, spec, swapped
from transfer.files import replacing

VERSION = 1


def load(name: str, suite: str = "mini", control: bool = False, **_: Any) -> Any:
    """Return the items of a benchmark as a DatasetDict with the split `test`.

    lm-evaluation-harness calls it with what a task file has under `metadata` and
    `dataset_kwargs`.

    Parameters
    ----------
    name
        The benchmark.
    suite
        The suite whose workspace holds the items.
    control
        Whether to swap the contexts between items (`transfer.benchmarks.swapped`).

    Raises
    ------
    BadInput
        If the items have not been built, naming the command that builds them.
    """
    from datasets import Dataset, DatasetDict

    rows = items(name, "test", suite)
    return DatasetDict(test=Dataset.from_list(swapped(rows) if control else rows))


def task_file(candidate: CandidateSpec, tag: str = "transfer_mini") -> str:
    """Return the YAML text of a benchmark's task file.

    The metrics are accuracy by summed log-likelihood, and by log-likelihood per character and
    per byte; where the default normalization is `unconditional`, also by mutual information,
    which is the same thing.
    """
    metrics = ["acc", "acc_norm", "acc_bytes"]
    if candidate.normalization == "unconditional":
        metrics.append("acc_mutual_info")
    listed = "".join(
        f"  - metric: {metric}\n    aggregation: mean\n    higher_is_better: true\n"
        for metric in metrics
    )
    return (
        f"# {candidate.title} ({candidate.category}). Licence: {candidate.licence}.\n"
        f"task: {candidate.name}\n"
        f"tag: {tag}\n"
        "custom_dataset: !function transfer.benchmarks.harness.load\n"
        "dataset_kwargs:\n"
        f"  name: {candidate.name}\n"
        "output_type: multiple_choice\n"
        "test_split: test\n"
        "doc_to_text: context\n"
        "doc_to_choice: options\n"
        "doc_to_target: gold\n"
        'target_delimiter: " "\n'
        "metric_list:\n"
        f"{listed}"
        "metadata:\n"
        f"  version: {VERSION}\n"
    )


def write_task_files(folder: Path, names: Sequence[str], tag: str = "transfer_mini") -> None:
    """Write `<name>.yaml` for each benchmark and remove the task files of all others."""
    for path in folder.glob("*.yaml"):
        if path.stem not in names:
            path.unlink()
    for name in names:
        with replacing(folder / f"{name}.yaml") as beside:
            beside.write_text(task_file(spec(name), tag), encoding="utf-8")


def write_generated(folder: Path, names: Sequence[str], count: int) -> Path:
    """Write task files over the first items of benchmarks that our own templates make.

    Unlike those under `data/benchmarks` they need no workspace: the items lie beside them.

    Parameters
    ----------
    folder
        Made if it is not there.
    names
        Benchmarks that `transfer.benchmarks.generate` makes.
    count
        Items of each.

    Returns
    -------
    Path
        The folder, for `--include_path` or `--include`.
    """
    for name in names:
        data = folder / f"{name}.jsonl"
        with replacing(data) as beside:
            rows = generate(name, count)
            beside.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {
                "data_files": {"test": str(data)},
                "cache_dir": str(folder / "cache"),
            },
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "context",
            "doc_to_choice": "options",
            "doc_to_target": "gold",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }
        with replacing(folder / f"{name}.yaml") as beside:
            beside.write_text(yaml.safe_dump(task), encoding="utf-8")
    return folder
