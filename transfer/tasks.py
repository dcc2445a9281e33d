"""Scores checkpoints on any task of lm-evaluation-harness, as that tool's own results.

The model is `transfer.harness.TransferLM`, so that every shared token is run once; everything else
is the harness's: tasks, prompts, measures, and the folder of results that `transfer import` reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rich.console import Console

from transfer.errors import BadInput
from transfer.files import make_folder, replacing, sha256
from transfer.hub import checkpoint_folder
from transfer.plans import changed

ASKED = "asked.json"
TASK_FILES = (".yaml", ".yml", "_yaml", ".py", ".jsonl", ".csv")
"""How the names of files end of which tasks of one's own are made."""


class Conditions(NamedTuple):
    """How tasks are put to a model.

    Attributes
    ----------
    tasks : sequence of str
        Tasks, groups or tags of the harness.
    include : Path, optional
        A folder with task files of one's own.
    shots : int, optional
        Examples before each item; the task's own number where not given.
    limit : int, optional
        Items of each task; all where not given.
    dtype : str
    """

    tasks: Sequence[str]
    include: Path | None = None
    shots: int | None = None
    limit: int | None = None
    dtype: str = "float32"


def evaluate(name: str, out: Path, conditions: Conditions, chat: bool = False) -> Path | None:
    """Score a checkpoint and return the folder of its results; None if it has these already.

    Beside them stands `asked.json`: conditions, task files and weights. Results without it are what
    a killed process left, and are made again.

    Parameters
    ----------
    name : str
        A folder or a hub id; see `transfer.hub.checkpoint_folder`. The results carry this name.
    out : Path
        The folder of all results.
    conditions : Conditions
    chat : bool
        Whether prompts are put into the chat template.

    Raises
    ------
    BadInput
        If the checkpoint cannot be read, a task is not known, the folder has results of other
        tasks, task files, conditions or weights, or not all could be written.
    """
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.utils import sanitize_model_name

    import transfer.harness  # noqa: F401  Makes the model known.
    from transfer.loglikelihood.checkpoint import check_dtype, check_folder, weights_hash

    check_dtype(conditions.dtype)
    folder = out / sanitize_model_name(name)
    checkpoint = checkpoint_folder(name)
    check_folder(checkpoint, pickles=False)
    asked = {
        "tasks": sorted(conditions.tasks),
        "shots": conditions.shots,
        "limit": conditions.limit,
        "dtype": conditions.dtype,
        "chat": chat,
        "include_sha256": _hash_of(conditions.include),
        "checkpoint_sha256": weights_hash(checkpoint),
    }
    if (folder / ASKED).exists():
        was = json.loads((folder / ASKED).read_text(encoding="utf-8"))
        if other := changed(was, asked):
            raise BadInput(
                f"{folder}: has results of other {other[0]} ({was.get(other[0])}); give another "
                "--out, or remove the folder"
            )
        return None
    _check(checkpoint, chat)
    make_folder(out)
    tracker = EvaluationTracker(output_path=str(out))
    manager = _manager(conditions.include, frozenset(conditions.tasks))
    for task in conditions.tasks:
        if task not in manager.all_tasks:
            raise BadInput(
                f"task {task!r} is not known; give --include FOLDER, or see `lm_eval ls`"
            )
    results = simple_evaluate(
        model="transfer",
        model_args={"pretrained": str(checkpoint), "dtype": conditions.dtype},
        tasks=list(conditions.tasks),
        num_fewshot=conditions.shots,
        limit=conditions.limit,
        task_manager=manager,
        apply_chat_template=chat,
        log_samples=True,
        evaluation_tracker=tracker,
        bootstrap_iters=0,
    )
    if results is None:
        # Another process of this launch writes them.
        return folder
    samples = results.pop("samples")
    # The name that was given, not the folder that it stands for here.
    tracker.general_config_tracker.model_name = name
    tracker.general_config_tracker.model_name_sanitized = sanitize_model_name(name)
    with TemporaryDirectory(prefix=".saving-", dir=out.parent) as saving:
        tracker.output_path = saving
        tracker.save_results_aggregated(results=results, samples=samples)
        for task, entries in samples.items():
            tracker.save_results_samples(task_name=task, samples=entries)
        made = Path(saving) / folder.name
        # The tracker logs what it could not write, and goes on.
        for pattern in ("results_*.json", *(f"samples_{task}_*.jsonl" for task in samples)):
            if not any(made.glob(pattern)):
                raise BadInput(f"{out}: {pattern} could not be written; is there room on the disk?")
        (made / ASKED).write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")
        with replacing(folder) as beside:
            made.rename(beside)
    return folder


def _check(checkpoint: Path, chat: bool) -> None:
    """Raise if a checkpoint cannot be scored; what only its weights tell is told as it is read."""
    from transfer.loglikelihood import checkpoint as checks

    checks.check_config(checkpoint)
    tokenizer = checks.read_tokenizer(checkpoint)
    checks.prefix_of(tokenizer, checkpoint)
    if chat:
        checks.check_chat(tokenizer, checkpoint)


def _hash_of(include: Path | None) -> str | None:
    """Return the SHA-256 over the names and contents of the task files in a folder."""
    if include is None:
        return None
    if not include.is_dir():
        raise BadInput(f"{include}: no such folder; check --include")
    total = hashlib.sha256()
    for path in sorted(path for path in include.rglob("*") if path.name.endswith(TASK_FILES)):
        total.update(f"{path.relative_to(include).as_posix()} {sha256(path)}\n".encode())
    return total.hexdigest()


@lru_cache
def _manager(include: Path | None, tasks: frozenset[str]) -> Any:
    """Return what knows the tasks; the harness's own are looked through only where needed."""
    from lm_eval.tasks import TaskManager

    if include is not None:
        own = TaskManager(include_path=str(include), include_defaults=False)
        if tasks <= set(own.all_tasks):
            return own
    return TaskManager(include_path=str(include) if include else None)


def score_tasks(
    checkpoints: Sequence[str],
    out: Path,
    conditions: Conditions,
    mapping: Path | None,
    chat: bool,
    force: bool,
    console: Console,
) -> None:
    """Score checkpoints, or the runs of a mapping file; those of a mapping are imported then.

    Parameters
    ----------
    checkpoints : sequence of str
        Folders and hub ids; all runs of the mapping where there are none.
    out : Path
        Results go to `out/results`, tables to `out`. A checkpoint whose results are there is not
        scored again; those of other tasks or conditions are refused.
    conditions : Conditions
    mapping : Path, optional
    chat : bool
        Use the chat template for all; a mapping says it run by run.
    force : bool
        Replace tables that are there.
    console : Console

    Raises
    ------
    BadInput
        If there is no checkpoint, or something cannot be scored or imported.
    """
    from transfer.importers import command, read_mapping

    file = read_mapping(mapping) if mapping else None
    chats = {run.run: run.chat for run in file.runs} if file else {}
    names = list(checkpoints) or list(chats)
    if not names:
        raise BadInput("give checkpoints, or --mapping with runs")
    results = out / "results"
    for name in names:
        made = evaluate(name, results, conditions, chat or chats.get(name, False))
        console.print(f"{'scored' if made else 'there already'}: {name}", markup=False)
    if mapping is None:
        console.print(f"wrote {results}; next: transfer import {results} --out {out}", markup=False)
        return
    switches = command.Switches(force=force)
    command.run([results], out, mapping, None, {}, switches, console)
