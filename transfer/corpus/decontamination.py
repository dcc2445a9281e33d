"""Take test items out of the pretraining text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import Progress

from transfer.corpus.cleaning import WordCodes, shingle_hashes, words
from transfer.corpus.steps import Step, digest
from transfer.corpus.streams import build_documents, documents, stream_of
from transfer.errors import BadInput
from transfer.files import replacing, sha256
from transfer.suite import Suite
from transfer.workspace import Workspace

OVERLAP = 10
_VERSION = 1


def decontaminate(suite: Suite, workspace: Workspace) -> Step:
    """Find the pretraining documents that share any ten words in a row with a test item.

    A test item is its context and its gold option, joined by a space, read from every
    `benchmarks/*-test.jsonl`. Writes `corpus/contaminated.parquet` (`stream`, `id`); those
    documents are left out of the shards. Documents held out for tests and for fine-tuning items
    are not pretrained on in any case.

    Returns
    -------
    Step
        Its `facts` hold the items and the distinct runs of ten words by benchmark, the documents
        and bytes dropped by stream, and `dropped_sha256` over the dropped ids.

    Raises
    ------
    BadInput
        If there are no test items yet, or a line of them cannot be read.
    """
    paths = sorted(workspace.benchmarks.glob("*-test.jsonl"))
    if not paths:
        raise BadInput(
            f"{workspace.benchmarks}: no test items to take out of the text; "
            f"run `transfer suite prepare {suite.name}` first"
        )
    done = build_documents(suite, workspace)
    items = {path.name.removesuffix("-test.jsonl"): sha256(path) for path in paths}
    step = Step(workspace, "decontamination", digest(_VERSION, done.inputs, items))
    path = workspace.root / "corpus" / "contaminated.parquet"
    if step.done and path.exists():
        return step
    codes = WordCodes()
    runs: dict[str, np.ndarray] = {}
    benchmarks = {}
    for source in paths:
        name = source.name.removesuffix("-test.jsonl")
        texts = list(_item_texts(source))
        runs[name] = runs_of(texts, codes)
        benchmarks[name] = {"items": len(texts), "runs": len(runs[name])}
    forbidden = np.unique(np.concatenate(list(runs.values())))
    streams = list(dict.fromkeys(stream_of(text) for text in suite.texts))
    dropped: list[tuple[str, str]] = []
    counts: dict[str, dict[str, int]] = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("decontamination", total=len(streams))
        for stream in streams:
            progress.update(task, description=f"decontamination of {stream}")
            frame = documents(workspace, stream, "pretrain")
            found = Counter[str]()
            for identifier, text in zip(frame["id"], frame["text"], strict=True):
                if overlaps(text, forbidden, codes):
                    dropped.append((stream, identifier))
                    found["documents"] += 1
                    found["bytes"] += len(text.encode())
            if found:
                counts[stream] = dict(found)
            progress.advance(task)
    with replacing(path) as beside:
        pd.DataFrame(dropped, columns=["stream", "id"]).to_parquet(beside, index=False)
    step.finish(
        {"benchmarks": benchmarks, "dropped": counts, "dropped_sha256": digest(sorted(dropped))}
    )
    return step


def runs_of(texts: Iterable[str], codes: WordCodes) -> np.ndarray:
    """Return the sorted distinct hashes of all runs of ten words in some texts."""
    found = [shingle_hashes(codes.of(words(text)), OVERLAP) for text in texts]
    return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.uint64)


def overlaps(text: str, forbidden: np.ndarray, codes: WordCodes) -> bool:
    """Return whether a text holds any run of ten words of a sorted array of hashes."""
    hashes = shingle_hashes(codes.of(words(text)), OVERLAP)
    if not len(hashes) or not len(forbidden):
        return False
    at = np.searchsorted(forbidden, hashes)
    return bool((forbidden[np.minimum(at, len(forbidden) - 1)] == hashes).any())


def contaminated(workspace: Workspace) -> set[tuple[str, str]]:
    """Return stream and id of every document that `decontaminate` dropped."""
    frame = pd.read_parquet(workspace.root / "corpus" / "contaminated.parquet")
    return set(zip(frame["stream"], frame["id"], strict=True))


def _item_texts(path: Path) -> Sequence[str]:
    texts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            try:
                item: dict[str, Any] = json.loads(line)
                texts.append(f"{item['context']} {item['options'][item['gold']]}")
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise BadInput(
                    f"{path}, line {number}: not an item with context, options and gold "
                    f"({error!r}); build the benchmark again"
                ) from error
    return texts
