"""Score runs: from a checkpoint to the items file, with what made it.

A run of the pretraining stage is scored on plain contexts, one of the fine-tuning stage with the
chat template.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from transfer.errors import BadInput
from transfer.files import sha256
from transfer.loglikelihood import Checkpoint
from transfer.loglikelihood.checkpoint import tokenizer_hash, weights_hash
from transfer.loglikelihood.devices import device_name
from transfer.loglikelihood.tree import truncated
from transfer.scoring.processes import Processes
from transfer.scoring.requests import Items, RequestsOf
from transfer.scoring.values import loglikelihoods, package_versions
from transfer.suite import Run, Suite, repository
from transfer.tables import read_items, write_items
from transfer.workspace import Workspace


class Scored(NamedTuple):
    """A table that was written, and what it took, in seconds.

    `build` and `tokenise` are 0 where an earlier checkpoint of the call had the same tokenizer.
    """

    out: Path
    items: int
    truncated: int
    build: float
    tokenise: float
    forward: float
    write: float


def score_run(
    suite: Suite, run: Run, workspace: Workspace, benchmarks: Sequence[str] | None = None
) -> Path:
    """Return the items table of a run, scoring it if it is not there yet.

    A table of other weights, items, prompts, benchmarks or package versions is written anew.

    Parameters
    ----------
    suite, run, workspace
        Whose checkpoint, and where.
    benchmarks
        Names; those of the suite when None, or all candidates while the suite has none.
    """
    out, folder = workspace.items(run), workspace.checkpoint(run)
    if not (folder / "run.json").exists():
        raise BadInput(f"{folder}: no such run; train {run.name} first")
    return score_folder(suite, run, folder, read_benchmarks(suite, workspace, benchmarks), out)


def score_folder(
    suite: Suite,
    run: Run,
    folder: Path,
    items: Mapping[str, Items] | RequestsOf,
    out: Path,
) -> Path:
    """Return the items table of a checkpoint of a run, scoring it if it is not there yet.

    Parameters
    ----------
    suite, run
        Whose checkpoint; a run of the fine-tuning stage is asked questions in the chat template.
    folder
        The checkpoint; that of the run, or one that was kept on its way.
    items
        The items of each benchmark by name, or what makes requests of them, where several
        checkpoints share a tokenizer.
    out
        The table. One of another checkpoint, of other items or prompts is written anew.
    """
    requests = items if isinstance(items, RequestsOf) else RequestsOf(items)
    items = requests.benchmarks
    chat = questions(suite, items) if run.stage == "sft" else []
    if out.exists():
        now = _made_of(folder, items, chat, "float32")
        _, metadata = read_items(out)
        # A table that was written before a key was known is not taken for another.
        if all(metadata.get(key, value) == value for key, value in now.items()):
            return out
    _write(Checkpoint(folder), out, suite, requests, chat, _run_keys(run, folder))
    return out


def score_to_tables(
    outs: Mapping[Path, Path],
    suite: Suite,
    benchmarks: Sequence[str] | None = None,
    chat: bool = False,
    dtype: str = "float32",
    pickles: bool = False,
) -> Iterator[Scored]:
    """Write the items tables of checkpoints, and yield each as it is written.

    A checkpoint that is no run of a suite goes into its table as a mixture of the folder's name,
    scale `own`, seed 0.

    Requests are built and tokenised once for all checkpoints that have the same tokenizer.

    Parameters
    ----------
    outs
        The table to write, by the folder of the checkpoint.
    suite
        Whose benchmarks.
    benchmarks
        Names; all when None.
    chat
        Whether questions are put into the chat template.
    dtype
        `float32`, `bfloat16` or `float16`.
    pickles
        Whether weights that are only there as a pickle are opened.
    """
    begun = time.perf_counter()
    items = read_benchmarks(suite, Workspace(suite.name), benchmarks)
    if not items:
        raise BadInput("no benchmark to score; name one")
    asked = questions(suite, items) if chat else ()
    requests = RequestsOf(items)
    reading = time.perf_counter() - begun
    for folder, out in outs.items():
        name = folder.resolve().name
        run = Run(mixture=name, scale="own", seed=0, stage="sft" if chat else "pretrain")
        keys = _run_keys(run, folder)
        # Without a name, so that the model is gone before the next one is read.
        scored = _write(Checkpoint(folder, dtype, pickles), out, suite, requests, asked, keys)
        yield scored._replace(build=scored.build + reading)
        reading = 0.0


def questions(suite: Suite, names: Iterable[str]) -> list[str]:
    """Return the benchmarks that are put as questions: in the chat template after fine-tuning."""
    from transfer.benchmarks import CANDIDATES

    frozen = {benchmark.name: benchmark.prompt for benchmark in suite.benchmarks}
    return [n for n in names if (frozen.get(n) or CANDIDATES[n].prompt) == "question"]


def read_benchmarks(
    suite: Suite, workspace: Workspace, names: Sequence[str] | None = None
) -> dict[str, Items]:
    """Return the test items of benchmarks by name.

    Raises
    ------
    BadInput
        If a name is not known or its items have not been built.
    """
    from transfer.benchmarks import CANDIDATES, items

    known = [benchmark.name for benchmark in suite.benchmarks] or list(CANDIDATES)
    for name in names or ():
        if name not in known and name not in CANDIDATES:
            raise BadInput(f"benchmark {name!r} is not in the suite; it has {', '.join(known)}")
    return {
        name: items(name, "test", suite.name, workspace)
        for name in (known if names is None else names)
    }


def _write(
    checkpoint: Checkpoint,
    out: Path,
    suite: Suite,
    requests_of: RequestsOf,
    chat: Collection[str],
    keys: Mapping[str, Any],
) -> Scored:
    items = requests_of.benchmarks
    dtype = str(checkpoint.model.dtype).removeprefix("torch.")
    parts = out.with_name(f".{out.name}.parts")
    requests, new = requests_of(checkpoint, chat)
    begun = time.perf_counter()
    frame = requests.table(loglikelihoods(checkpoint, requests, parts))
    done = time.perf_counter()
    metadata = {
        "suite": suite.name,
        "suite_sha256": suite.sha256,
        **keys,
        **_made_of(checkpoint.folder, items, chat, dtype),
        "device": device_name(checkpoint.device),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if Processes().rank == 0:
        write_items(out, frame, metadata)
        shutil.rmtree(parts, ignore_errors=True)
    return Scored(
        out,
        len(frame),
        # Of all requests, whatever was left of them.
        truncated(requests.encoded, checkpoint.longest),
        requests.build_seconds if new else 0.0,
        requests.tokenise_seconds if new else 0.0,
        done - begun,
        time.perf_counter() - done,
    )


def _made_of(
    folder: Path, items: Mapping[str, Items], chat: Collection[str], dtype: str
) -> dict[str, Any]:
    """Return what the values of a table depend on."""
    return {
        "chat": list(chat),
        "checkpoint_sha256": weights_hash(folder),
        "config_sha256": sha256(folder / "config.json"),
        "tokenizer_sha256": tokenizer_hash(folder),
        "items_sha256": _hashes(items),
        "task_versions": {name: _task_version(name) for name in items},
        "package_versions": package_versions(),
        "dtype": dtype,
    }


def _run_keys(run: Run, folder: Path) -> dict[str, Any]:
    """Return mixture, scale, seed, stage and step, as the checkpoint's own record says them."""
    keys = {**run.model_dump(), "step": None}
    record = folder / "run.json"
    if record.exists():
        try:
            said = json.loads(record.read_text(encoding="utf-8"))
            keys |= {name: said[name] for name in ("mixture", "scale", "seed")}
            keys["stage"] = said.get("stage", run.stage)
            keys["step"] = said.get("step")
        except (json.JSONDecodeError, KeyError) as error:
            raise BadInput(f"{record}: cannot be read ({error}); train the run again") from None
    return keys


def _hashes(items: Mapping[str, Items]) -> dict[str, str]:
    from transfer.benchmarks import items_hash

    return {name: items_hash(rows) for name, rows in items.items()}


def _task_version(name: str) -> str | None:
    """Return the version that a benchmark's task file states."""
    path = repository() / "data" / "benchmarks" / f"{name}.yaml"
    if not path.exists():
        return None
    task = yaml.load(path.read_text(encoding="utf-8"), Loader=_Task)
    return str((task.get("metadata") or {}).get("version"))


class _Task(yaml.SafeLoader):
    """Reads task files whose tags name functions, without calling any."""


_Task.add_multi_constructor("!", lambda loader, tag, node: None)
