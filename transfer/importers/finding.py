"""Looks through folders for results, and says of every file what it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from transfer.errors import BadInput
from transfer.importers import harness, olmes
from transfer.importers.documents import read_json
from transfer.importers.evaluation import Evaluation

MOST_FILES = 200_000


@dataclass
class Found:
    """What was found: evaluations, files that are something else, and files that are broken."""

    evaluations: list[Evaluation] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def find(sources: Iterable[Path]) -> Found:
    """Return the evaluations in files and folders.

    Links to folders are not followed. A file of samples is `others` where no results file names
    it, so that it can be listed.

    Raises
    ------
    BadInput
        If a source is not there, or holds too many files.
    """
    found = Found()
    seen: set[Path] = set()
    used: set[Path] = set()
    loose: list[Path] = []
    for source in sources:
        if not source.exists():
            raise BadInput(f"{source}: no such file or folder; check the path")
        root = source if source.is_dir() else source.parent
        for path in _files(source):
            if path in seen:
                continue
            seen.add(path)
            if len(seen) > MOST_FILES:
                raise BadInput(f"{source}: more than {MOST_FILES:,} files; give fewer folders")
            if path.suffix != ".json":
                loose.append(path)
                continue
            try:
                there = _evaluations(path, root)
            except BadInput as error:
                found.broken.append(str(error))
                continue
            if there is None:
                loose.append(path)
                continue
            found.evaluations += there
            used |= {entry.samples for entry in there if entry.samples is not None}
    found.others = [path for path in loose if path not in used]
    return found


def _evaluations(path: Path, root: Path) -> list[Evaluation] | None:
    content = read_json(path)
    if harness.is_results(content):
        return harness.read_results(path, content, root)
    if olmes.is_metrics(content):
        return olmes.read_metrics(path, content, root)
    return None


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    for folder, folders, files in os.walk(source):
        folders.sort()
        yield from (Path(folder) / name for name in sorted(files))
