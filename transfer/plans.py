"""What a run is made of: its part of the suite file, and the hashes of what it reads.

A finished run has this in its `run.json`, and its tables name its weights, so that a changed suite
file, shard, tokenizer, parent or benchmark is noticed before anything is made from both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from transfer.errors import BadInput
from transfer.files import sha256
from transfer.suite import Run, Suite
from transfer.tables import read_metadata
from transfer.workspace import Workspace


def plan(suite: Suite, run: Run, workspace: Workspace) -> dict[str, Any]:
    """Return what a run is to be made of.

    Raises
    ------
    BadInput
        If the shard, the tokenizer, the parent or the instructions are missing, or the shard or
        the parent is of another tokenizer than the workspace's.
    """
    return recipe(suite, run) | inputs(run, workspace)


def recipe(suite: Suite, run: Run) -> dict[str, Any]:
    """Return the part of the suite file that a run depends on."""
    scale = suite.scale(run.scale)
    if run.stage == "pretrain":
        return {
            "scale": scale.model_dump(exclude={"seeds"}, exclude_defaults=True),
            "recipe": suite.pretrain.model_dump(),
        }
    return {
        "learning_rate": scale.sft_learning_rate,
        "recipe": suite.finetuning(scale).model_dump(),
    }


def inputs(run: Run, workspace: Workspace) -> dict[str, str]:
    """Return the hashes of what a run reads; see `plan`."""
    tokenizer = tokenizer_file(workspace)
    if run.stage == "pretrain":
        shard = shard_file(workspace, run.mixture)
        manifest = shard.with_name("manifest.json")
        made = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
        _same_tokenizer(made.get("tokenizer_sha256"), tokenizer, shard)
        return {"shard_sha256": _hash(shard), "tokenizer_sha256": _hash(tokenizer)}
    parent = workspace.checkpoint(run.parent)
    if not (parent / "model.safetensors").exists():
        raise BadInput(f"{parent}: no pretrained run; train {run.parent.name} first")
    if not workspace.instructions.exists():
        raise BadInput(
            f"{workspace.instructions}: no instructions; run "
            f"`transfer suite prepare {workspace.suite}`"
        )
    said = record(parent)
    _same_tokenizer(said["plan"].get("tokenizer_sha256"), tokenizer, parent)
    return {
        "parent_sha256": said["checkpoint_sha256"],
        "instructions_sha256": _hash(workspace.instructions),
    }


def record(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint's `run.json` says of it.

    Raises
    ------
    BadInput
        If it is missing, cannot be read, or has no plan or hash.
    """
    try:
        said = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        said["plan"], said["checkpoint_sha256"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError):
        raise BadInput(
            f"{folder}: no readable run.json; remove the folder to train the run again"
        ) from None
    return said


def changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the keys of `now` that `was` has otherwise or not at all."""
    return [key for key in now if was.get(key) != now[key]]


def refuse_other(folder: Path, now: Mapping[str, Any]) -> None:
    """Raise BadInput if a finished run was made of something else than a plan says."""
    if other := changed(record(folder)["plan"], now):
        raise BadInput(
            f"{folder}: trained with another {other[0]} than now; remove the folder to "
            "train the run again, or restore what changed"
        )


def refuse_changed(suite: Suite, runs: Iterable[Run], workspace: Workspace) -> None:
    """Raise BadInput at the first finished run or table that today's suite would not make.

    Runs of a grid are made over days. What is finished is never looked at again by the workflow,
    so this is where a change on the way is noticed.
    """
    tables = {"items": workspace.items, "control": workspace.control}
    for run in runs:
        folder = workspace.checkpoint(run)
        parent = workspace.checkpoint(run.parent)
        if not all((one / "model.safetensors").exists() for one in (folder, parent)):
            # What is to be made is looked at once it is there.
            continue
        refuse_other(folder, plan(suite, run, workspace))
        weights = record(folder)["checkpoint_sha256"]
        for kind, place in tables.items():
            if (path := place(run)).exists():
                refuse_stale(path, weights, _benchmarks(suite, workspace, kind == "control"))


def refuse_stale(path: Path, weights: str, items: Mapping[str, str]) -> None:
    """Raise BadInput if a table is of other weights or items than these.

    Parameters
    ----------
    path : Path
        An items table.
    weights : str
        The hash of the checkpoint.
    items : mapping
        The hash of each benchmark's items; those that cannot be had are left out.
    """
    said = read_metadata(path)
    other = ["weights"] if said["checkpoint_sha256"] != weights else []
    other += [f"items of {name}" for name in changed(said["items_sha256"], items)]
    if other:
        raise BadInput(
            f"{path}: scored with other {other[0]} than those that are there now; remove it to "
            "score the run again, or restore what changed"
        )


def shard_file(workspace: Workspace, mixture: str) -> Path:
    """Return the token shard of a mixture, or raise BadInput."""
    found = sorted(workspace.shards(mixture).glob("*.npy"))
    if not found:
        raise BadInput(
            f"{workspace.shards(mixture)}: no token shard; "
            f"run `transfer suite prepare {workspace.suite}`"
        )
    return found[0]


def tokenizer_file(workspace: Workspace) -> Path:
    """Return the file of the workspace's tokenizer, or raise BadInput."""
    path = workspace.tokenizer / "tokenizer.json"
    if not path.exists():
        raise BadInput(
            f"{workspace.tokenizer}: no tokenizer; run `transfer suite prepare {workspace.suite}`"
        )
    return path


def _same_tokenizer(said: str | None, tokenizer: Path, made: Path) -> None:
    if said is not None and said != _hash(tokenizer):
        raise BadInput(
            f"{made}: made with another tokenizer than {tokenizer}; finish `transfer suite "
            "prepare`, or restore the tokenizer"
        )


def _hash(path: Path) -> str:
    state = path.stat()
    return _hash_of(path, state.st_mtime_ns, state.st_size)


@cache
def _hash_of(path: Path, changed: int, size: int) -> str:
    return sha256(path)


def _benchmarks(suite: Suite, workspace: Workspace, control: bool) -> dict[str, str]:
    """Return the hash of the items of each benchmark of the suite that is built."""
    there = {
        benchmark.name: workspace.benchmarks / f"{benchmark.name}-test.jsonl"
        for benchmark in suite.benchmarks
    }
    files = tuple(
        (name, path, path.stat().st_mtime_ns) for name, path in there.items() if path.exists()
    )
    return _item_hashes(suite.name, files, control)


@cache
def _item_hashes(
    suite: str, files: Sequence[tuple[str, Path, int]], control: bool
) -> dict[str, str]:
    from transfer.benchmarks import items, items_hash, swapped

    found = {}
    for name, _, _ in files:
        rows = items(name, "test", suite, Workspace(suite))
        found[name] = items_hash(swapped([dict(row) for row in rows]) if control else rows)
    return found
