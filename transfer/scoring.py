"""Score checkpoints: the log-likelihood of every option of every benchmark item.

The requests are those that lm-evaluation-harness makes of the task files under `data/benchmarks`:
the context, and each option after a space; with the chat template, the context as the user's turn
and each option as the beginning of the answer. A run of the pretraining stage is scored on plain
contexts, one of the fine-tuning stage with the chat template.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from transfer.errors import BadInput
from transfer.files import replacing, sha256
from transfer.loglikelihood import Checkpoint
from transfer.suite import Run, Suite, repository, suite_hash, suite_path
from transfer.tables import read_items, write_items
from transfer.workspace import Workspace

PACKAGES = ("torch", "transformers", "tokenizers")
Items = Sequence[Mapping[str, Any]]


def score_items(
    checkpoint: Checkpoint, name: str, items: Items, chat: bool = False
) -> pd.DataFrame:
    """Return the items table of one benchmark.

    Parameters
    ----------
    checkpoint
        The model.
    name
        The benchmark's name, for the table and for messages.
    items
        Mappings with `id`, `context`, `options` and `gold`.
    chat
        Whether the context is put into the chat template.

    Returns
    -------
    DataFrame
        One row an item: `benchmark, item, gold`, and one list entry an option of `loglikelihood`
        (nats), `n_tokens`, `n_bytes` (of the option without the space before it) and
        `unconditional` (nats, the option, with its space, after an empty context; in a chat
        lm-evaluation-harness takes it without the space).

    Raises
    ------
    BadInput
        If an item cannot be read, an option has no tokens, or the model returns NaN.
    """
    pairs: list[tuple[str, str]] = []
    sizes: list[int] = []
    for row in items:
        try:
            context, options, space = row["context"], list(row["options"]), "" if chat else " "
            answerable = 0 <= row["gold"] < len(options)
        except (KeyError, TypeError) as error:
            raise BadInput(
                f"benchmark {name}, item {row.get('id')!r}: lacks {_key(error)}; build it again"
            ) from None
        if not answerable:
            raise BadInput(
                f"benchmark {name}, item {row['id']!r}: gold is no option; build it again"
            )
        if empty := [at for at, option in enumerate(options) if not option]:
            raise BadInput(
                f"benchmark {name}, item {row['id']!r}: option {empty[0]} is empty; mend the item"
            )
        text = checkpoint.chat(context) if chat else context
        pairs.extend((text, space + option) for option in options)
        sizes.append(len(options))
    conditional = checkpoint.encode(pairs)
    # With its space in a chat too, so that the option has the same tokens in both.
    alone = checkpoint.encode([("", " " + option.removeprefix(" ")) for _, option in pairs])
    owner = np.repeat(np.arange(len(items)), sizes)
    for at, (given, neutral) in enumerate(zip(conditional, alone, strict=True)):
        if not given.continuation or not neutral.continuation:
            raise BadInput(
                f"benchmark {name}, item {items[owner[at]]['id']!r}: option {pairs[at][1]!r} has "
                "no token of its own; mend the option or the tokenizer"
            )
    values = checkpoint.loglikelihoods([*conditional, *alone])
    for at in np.flatnonzero(~np.isfinite(values)).tolist():
        raise BadInput(
            f"{checkpoint.folder}: benchmark {name}, item {items[owner[at % len(pairs)]]['id']!r}: "
            "the model returns NaN; look at its loss curve and train it again"
        )
    ends = np.cumsum(sizes)[:-1]
    split = {
        "loglikelihood": values[: len(pairs)].astype(np.float32),
        "n_tokens": np.array([len(pair.continuation) for pair in conditional], dtype=np.int32),
        "n_bytes": np.array(
            [len(option.encode()) for row in items for option in row["options"]], dtype=np.int32
        ),
        "unconditional": values[len(pairs) :].astype(np.float32),
    }
    return pd.DataFrame(
        {
            "benchmark": name,
            "item": [row["id"] for row in items],
            "gold": np.array([row["gold"] for row in items], dtype=np.int32),
        }
        | {column: np.split(entries, ends) for column, entries in split.items()}
    )


def score(
    folder: Path,
    benchmarks: Mapping[str, Items],
    chat: bool | Collection[str] = False,
    parts: Path | None = None,
) -> pd.DataFrame:
    """Return the items table of a checkpoint on several benchmarks.

    Parameters
    ----------
    folder
        The checkpoint, in Hugging Face format.
    benchmarks
        The items of each benchmark by name.
    chat
        Whether contexts are put into the chat template, or the names of the benchmarks whose are.
    parts
        A folder that keeps the finished benchmarks, so that a killed run goes on after them.
        Parts of another checkpoint or of other items in it are not used.
    """
    checkpoint = Checkpoint(folder)
    weights = [sha256(path) for path in sorted(folder.glob("*.safetensors"))]
    done = []
    with _progress() as progress:
        bar = progress.add_task(folder.name, total=len(benchmarks))
        for name, items in benchmarks.items():
            progress.update(bar, description=f"{folder.name}  {name}")
            asked = chat if isinstance(chat, bool) else name in chat
            key = hashlib.sha256(json.dumps([weights, asked, list(items)]).encode()).hexdigest()
            part = parts / f"{name}-{key[:16]}.parquet" if parts else None
            if part is not None and part.exists():
                done.append(pd.read_parquet(part))
            else:
                done.append(score_items(checkpoint, name, items, asked))
                if part is not None:
                    with replacing(part) as beside:
                        done[-1].to_parquet(beside)
            progress.advance(bar)
    if not done:
        raise BadInput("no benchmark to score; name one")
    return pd.concat(done, ignore_index=True)


def score_run(
    suite: Suite, run: Run, workspace: Workspace, benchmarks: Sequence[str] | None = None
) -> Path:
    """Return the items table of a run, scoring it if it is not there yet.

    A table of other weights, other items, other prompts or other benchmarks is written anew.

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
    suite: Suite, run: Run, folder: Path, items: Mapping[str, Items], out: Path
) -> Path:
    """Return the items table of a checkpoint of a run, scoring it if it is not there yet.

    Parameters
    ----------
    suite, run
        Whose checkpoint; a run of the fine-tuning stage is asked questions in the chat template.
    folder
        The checkpoint; that of the run, or one that was kept on its way.
    items
        The items of each benchmark by name.
    out
        The table. One of other weights, items or prompts is written anew.
    """
    chat = questions(suite, items) if run.stage == "sft" else []
    if out.exists():
        weights = sha256(folder / "model.safetensors")
        now = {"checkpoint_sha256": weights, "items_sha256": _hashes(items), "chat": chat}
        _, metadata = read_items(out)
        if all(metadata.get(key) == value for key, value in now.items()):
            return out
    _write(folder, out, suite, items, chat, _run_keys(run, folder))
    return out


def score_to_table(
    folder: Path,
    out: Path,
    suite: Suite,
    benchmarks: Sequence[str] | None = None,
    chat: bool = False,
) -> int:
    """Write the items table of any checkpoint and return its number of rows.

    A checkpoint that is no run of a suite goes into the table as a mixture of the folder's name,
    scale `own`, seed 0.
    """
    run = Run(mixture=folder.name, scale="own", seed=0, stage="sft" if chat else "pretrain")
    items = read_benchmarks(suite, Workspace(suite.name), benchmarks)
    asked = questions(suite, items) if chat else ()
    return _write(folder, out, suite, items, asked, _run_keys(run, folder))


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
    folder: Path,
    out: Path,
    suite: Suite,
    items: Mapping[str, Items],
    chat: Collection[str],
    keys: Mapping[str, Any],
) -> int:
    parts = out.with_name(f".{out.name}.parts")
    frame = score(folder, items, chat, parts)
    weights = folder / "model.safetensors"
    metadata = {
        "suite": suite.name,
        "suite_sha256": suite_hash(suite.name) if suite_path(suite.name).exists() else None,
        **keys,
        "chat": list(chat),
        "checkpoint_sha256": sha256(weights) if weights.exists() else None,
        "items_sha256": _hashes(items),
        "task_versions": {name: _task_version(name) for name in items},
        "package_versions": {name: version(name) for name in PACKAGES},
        "dtype": "float32",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_items(out, frame, metadata)
    shutil.rmtree(parts, ignore_errors=True)
    return len(frame)


def _run_keys(run: Run, folder: Path) -> dict[str, Any]:
    """Return mixture, scale, seed, stage and step, as the checkpoint's own record says them."""
    keys = {**run.model_dump(), "step": None}
    record = folder / "run.json"
    if record.exists():
        try:
            said = json.loads(record.read_text(encoding="utf-8"))
            keys |= {name: said[name] for name in ("mixture", "scale", "seed")}
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


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        "benchmarks",
        TimeRemainingColumn(),
        console=console,
        # A notebook keeps what is printed; its reader wants the result.
        disable=console.is_jupyter,
    )


def _key(error: Exception) -> str:
    return str(error).strip("'") if isinstance(error, KeyError) else "options as a list"
