"""Values of requests under a checkpoint, without losing what was computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from transfer.errors import BadInput
from transfer.files import sha256
from transfer.loglikelihood import Checkpoint
from transfer.scoring.journal import Journal
from transfer.scoring.processes import Processes
from transfer.scoring.requests import Items, Requests, RequestsOf

PACKAGES = ("torch", "transformers", "tokenizers")


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
        One row an item, as `Requests.table` says.

    Raises
    ------
    BadInput
        If an item cannot be read, an option has no tokens, or the model returns NaN or
        infinity.
    """
    requests = Requests(checkpoint, {name: items}, chat)
    return requests.table(loglikelihoods(checkpoint, requests, None))


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
        A folder that keeps what is computed, so that a killed run goes on where it was. Values of
        another checkpoint, of other items or of other package versions in it are not used.
    """
    ((_, table),) = score_each({folder: chat}, benchmarks, parts)
    return table


def score_each(
    folders: Mapping[Path, bool | Collection[str]],
    benchmarks: Mapping[str, Items],
    parts: Path | None = None,
) -> Iterator[tuple[Path, pd.DataFrame]]:
    """Yield checkpoints and their items tables.

    Requests are built and tokenised once for all that have a tokenizer and `chat` in common.

    Parameters
    ----------
    folders
        For each checkpoint, whether contexts are put into the chat template, or the names of the
        benchmarks whose are.
    benchmarks, parts
        As in `score`.
    """
    if not benchmarks:
        raise BadInput("no benchmark to score; name one")
    requests_of = RequestsOf(benchmarks)
    for folder, chat in folders.items():
        checkpoint = Checkpoint(folder)
        requests, _ = requests_of(checkpoint, chat)
        table = requests.table(loglikelihoods(checkpoint, requests, parts))
        # So that the model is gone before the next one is read.
        del checkpoint
        yield folder, table


def loglikelihoods(checkpoint: Checkpoint, requests: Requests, parts: Path | None) -> np.ndarray:
    """Return the log-likelihood of every request, in nats."""
    checkpoint.refuse_lengths(requests.encoded)
    processes = Processes()
    values = np.full(len(requests.encoded), np.nan)
    journal = Journal(parts, key(checkpoint, requests) if parts else "", processes.rank)
    journal.read(values)
    # Before anyone writes, so that all share out the same rest.
    processes.wait()
    left = processes.share(requests.encoded, np.flatnonzero(np.isnan(values)))
    encoded = [requests.encoded[number] for number in left.tolist()]
    with journal, _progress(processes.rank > 0) as progress:
        bar = progress.add_task(checkpoint.folder.name, total=len(left))
        for numbers, scores in checkpoint.engine.stream(encoded):
            for at in numbers[~np.isfinite(scores.loglikelihood)].tolist():
                found = "infinity" if at in numbers[np.isinf(scores.loglikelihood)] else "NaN"
                raise BadInput(
                    f"{checkpoint.folder}: {requests.where(int(left[at]))}: the model returns "
                    f"{found}; look at its loss curve and train it again"
                )
            values[left[numbers]] = scores.loglikelihood
            journal.write(left[numbers], scores.loglikelihood)
            progress.advance(bar, len(numbers))
    for numbers, found in processes.gather((left, values[left])):
        values[numbers] = found
    return values


def key(checkpoint: Checkpoint, requests: Requests) -> str:
    """Return a hash of all that the values depend on."""
    known = [
        checkpoint.hash(),
        sha256(checkpoint.folder / "config.json"),
        requests.digest(),
        str(checkpoint.model.dtype),
        package_versions(),
    ]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that values depend on."""
    return {name: version(name) for name in PACKAGES}


def _progress(silent: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        "requests",
        TimeRemainingColumn(),
        console=console,
        # A notebook keeps what is printed; its reader wants the result.
        disable=silent or console.is_jupyter,
    )
