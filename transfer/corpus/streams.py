"""Build clean documents, one Parquet file a stream, and read them back.

A text of the suite is named after its stream, or `<stream>.<part>` when several archives make
one stream. Every document has an `id`, the first 16 hex digits of its SHA-256, and that id alone
decides its `split`, so a document never moves when sources are added.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.progress import Progress

from transfer.corpus import code, curated, web
from transfer.corpus.archives import members
from transfer.corpus.cleaning import (
    SHORTEST,
    Deduplicator,
    cleaned,
    is_english,
    is_plain_code,
    words,
)
from transfer.corpus.fetch import fetch
from transfer.corpus.markup import pieces
from transfer.corpus.reading import Reader
from transfer.corpus.steps import Step, digest
from transfer.entries import Text
from transfer.errors import BadInput
from transfer.files import replacing
from transfer.suite import Suite
from transfer.workspace import Workspace

Split = Literal["pretrain", "test", "train"]
READERS: dict[str, Reader] = web.READERS | curated.READERS | code.READERS
_VERSION = 1


def stream_of(text: Text) -> str:
    """Return the stream that a text's documents are written into."""
    return text.name.partition(".")[0]


def split_of(identifier: str) -> Split:
    """Return the split of a document: one in 20 for tests, one in 20 for fine-tuning items."""
    remainder = int(identifier, 16) % 20
    return "test" if remainder == 0 else "train" if remainder == 1 else "pretrain"


def documents(workspace: Workspace, stream: str, split: Split | None = None) -> pd.DataFrame:
    """Return the documents of a stream: columns `id`, `text`, `split`.

    Raises
    ------
    BadInput
        If the stream has not been built.
    """
    path = workspace.documents / f"{stream}.parquet"
    if not path.exists():
        raise BadInput(
            f"{path}: no documents of stream {stream!r}; check the name under texts in the suite "
            f"file, then run `transfer suite prepare {workspace.suite}`"
        )
    frame = pd.read_parquet(path)
    return frame if split is None else frame[frame["split"] == split].reset_index(drop=True)


def build_documents(suite: Suite, workspace: Workspace) -> Step:
    """Fetch every text's archive and write the cleaned documents of every stream.

    Duplicates are looked for across all streams, in the order of the suite file, so all streams
    are built together. Streams are written as soon as their last archive is read.

    Returns
    -------
    Step
        Its `facts` hold, for each text, documents and bytes read, kept, and dropped by rule.
    """
    unknown = [text.name for text in suite.texts if not _has_reader(text)]
    if unknown:
        raise BadInput(
            f"texts: no parser reads {unknown[0]!r}; parsers are {', '.join(sorted(READERS))}"
        )
    pins = {source.name: source.sha256 for source in suite.sources}
    step = Step(
        workspace,
        "documents",
        digest(_VERSION, [(text.model_dump(), pins[text.source]) for text in suite.texts]),
    )
    streams = list(dict.fromkeys(stream_of(text) for text in suite.texts))
    if step.done and all((workspace.documents / f"{name}.parquet").exists() for name in streams):
        return step
    facts: dict[str, dict[str, int]] = {}
    held: dict[str, list[tuple[str, str, Split]]] = {name: [] for name in streams}
    waiting = Counter(stream_of(text) for text in suite.texts)
    seen = Deduplicator()
    with Progress(transient=True) as progress:
        task = progress.add_task("documents", total=len(suite.texts))
        for source, texts in _by_source(suite.texts).items():
            path = fetch(suite.source(source), workspace.downloads)
            for text, files in _read(path, texts):
                progress.update(task, description=f"documents of {text.name}")
                kept, counts = _kept(text, READERS[_reader_of(text)].parse(files), seen)
                facts[text.name] = counts
                stream = stream_of(text)
                held[stream] += kept
                waiting[stream] -= 1
                if not waiting[stream]:
                    _write(workspace.documents / f"{stream}.parquet", held.pop(stream))
                progress.advance(task)
    step.finish({"texts": {text.name: facts[text.name] for text in suite.texts}})
    return step


def _has_reader(text: Text) -> bool:
    return _reader_of(text) in READERS


def _reader_of(text: Text) -> str:
    """A part is read as its stream is, or, in a stream of mixed archives, by its own name."""
    stream, _, part = text.name.partition(".")
    return part if part and stream not in READERS else stream


def _by_source(texts: Iterable[Text]) -> dict[str, list[Text]]:
    grouped: dict[str, list[Text]] = {}
    for text in texts:
        grouped.setdefault(text.source, []).append(text)
    return grouped


def _read(path: Path, texts: list[Text]) -> Iterator[tuple[Text, list[tuple[str, bytes]]]]:
    """Yield the members that each text reads, after one pass over their archive."""
    patterns = {text.name: READERS[_reader_of(text)].members for text in texts}
    union = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in patterns.values()))
    found = list(members(path, union))
    for text in texts:
        files = [(name, content) for name, content in found if patterns[text.name].search(name)]
        if not files:
            raise BadInput(
                f"texts: {text.name!r} found nothing to read in {path.name}; check its source, "
                f"or the pattern {patterns[text.name].pattern!r} of its parser"
            )
        yield text, files


def _kept(
    text: Text, parsed: Iterable[str], seen: Deduplicator
) -> tuple[list[tuple[str, str, Split]], dict[str, int]]:
    counts = Counter[str]()
    kept = []
    candidates: Iterable[str] = (piece for raw in parsed for piece in pieces(cleaned(raw)))
    if text.cap_mb is not None:
        candidates = sorted(candidates, key=_identifier)
    for candidate in candidates:
        counts["read"] += 1
        counts["read_bytes"] += len(candidate.encode())
        if text.cap_mb is not None and counts["kept_bytes"] > text.cap_mb * 1e6:
            counts["over_cap"] += 1
            continue
        if len(candidate) < SHORTEST:
            counts["too_short"] += 1
            continue
        tokens = words(candidate)
        plain = is_plain_code(candidate) if text.kind == "code" else is_english(candidate, tokens)
        if not plain:
            counts["other_language"] += 1
        elif not seen.is_new(tokens):
            counts["duplicate"] += 1
        else:
            identifier = _identifier(candidate)
            kept.append((identifier, candidate, split_of(identifier)))
            counts["kept"] += 1
            counts["kept_bytes"] += len(candidate.encode())
    return kept, dict(counts)


def _identifier(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(path: Path, rows: list[tuple[str, str, Split]]) -> None:
    frame = pd.DataFrame(rows, columns=["id", "text", "split"])
    with replacing(path) as beside:
        frame.to_parquet(beside, compression="zstd", index=False)
