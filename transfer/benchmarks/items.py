"""Building benchmark items, reading them, and swapping their contexts."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from transfer.benchmarks.candidates import CANDIDATES, Built, CandidateSpec
from transfer.benchmarks.packages import Inputs
from transfer.benchmarks.rounds import Item, Split, rng, words
from transfer.errors import BadInput
from transfer.files import replacing
from transfer.suite import Suite
from transfer.workspace import Workspace

CAPS: dict[Split, int] = {"test": 1000, "train": 4000}
MOST_WORDS = 180


def build(suite: Suite, workspace: Workspace, names: Sequence[str] | None = None) -> dict[str, int]:
    """Write `<name>-test.jsonl` and `<name>-train.jsonl`; return the number of test items.

    Parameters
    ----------
    suite
        Names the packages that the items are read from.
    workspace
        Where the items go; its documents must have been built for benchmarks that use them.
    names
        Candidates to build; all of them when None.

    Raises
    ------
    BadInput
        If a name is not a candidate, or a source cannot be read.
    """
    from rich.progress import Progress

    inputs = Inputs(suite, workspace)
    wanted = [spec(name) for name in names] if names is not None else list(CANDIDATES.values())
    counts, tested = {}, TestText()
    for name, candidate in CANDIDATES.items():
        there = (workspace.benchmarks / f"{name}-test.jsonl").exists()
        if candidate.real and candidate not in wanted and there:
            tested.add(name, items(name, "test", workspace.suite, workspace))
    with Progress(transient=True) as progress:
        bar = progress.add_task("benchmarks", total=2 * len(wanted))
        for candidate in wanted:
            progress.update(bar, description=f"{candidate.name}, test")
            made = made_items(candidate, inputs, "test")
            _write(workspace, candidate.name, "test", made)
            counts[candidate.name] = len(made)
            if candidate.real:
                tested.add(candidate.name, made)
            progress.advance(bar)
        for candidate in wanted:
            progress.update(bar, description=f"{candidate.name}, train")
            made = made_items(candidate, inputs, "train")
            if candidate.real:
                made = [row for row in made if not tested.shared(candidate.name, row)]
            _write(workspace, candidate.name, "train", made)
            progress.advance(bar)
    return counts


def _write(workspace: Workspace, name: str, split: Split, made: list[dict[str, Any]]) -> None:
    path = workspace.benchmarks / f"{name}-{split}.jsonl"
    with replacing(path) as beside:
        beside.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8"
        )


class TestText:
    """Which runs of ten words are in the test items of which benchmark.

    Sources overlap (a blog is a passage of one benchmark and a document of another), so training
    items are held against the test items of all other benchmarks. Within a benchmark the splits
    are already apart by passage or key.
    """

    __test__ = False
    WORDS = 10

    def __init__(self) -> None:
        self._owners: dict[int, set[str]] = {}

    def add(self, name: str, made: Iterable[dict[str, Any]]) -> None:
        """Note the test items of a benchmark."""
        for row in made:
            for gram in self._grams(row):
                self._owners.setdefault(gram, set()).add(name)

    def shared(self, name: str, row: dict[str, Any]) -> bool:
        """Return whether a training item shares ten words with another benchmark's test items."""
        return any(self._owners.get(gram, set()) - {name} for gram in self._grams(row))

    def _grams(self, row: dict[str, Any]) -> set[int]:
        text = words(f"{row['context']} {row['options'][row['gold']]}")
        return {
            zlib.crc32(" ".join(text[at : at + self.WORDS]).encode())
            for at in range(len(text) - self.WORDS + 1)
        }


def spec(name: str) -> CandidateSpec:
    """Return the candidate of a name."""
    if name not in CANDIDATES:
        raise BadInput(f"benchmark {name!r} is not known; it is one of {', '.join(CANDIDATES)}")
    return CANDIDATES[name]


def generate(name: str, count: int) -> list[dict[str, Any]]:
    """Return the first test items of a benchmark that our own templates make.

    They need no package and no text: the same items on every machine.

    Raises
    ------
    BadInput
        If the benchmark is not known, or is made from text of others.
    """
    from transfer.suite import load_suite

    candidate = spec(name)
    if candidate.real:
        raise BadInput(f"benchmark {name!r} is not generated; give one without sources")
    inputs = Inputs(load_suite("mini"), Workspace("mini"))
    return rows(candidate.build(inputs, "test"), CAPS["test"])[:count]


def made_items(candidate: CandidateSpec, inputs: Inputs, split: Split) -> list[dict[str, Any]]:
    """Return the items of one split as rows: at most the cap, whole rounds, in a fixed order."""
    return rows(candidate.build(inputs, split), CAPS[split])


def rows(built: Built, cap: int) -> list[dict[str, Any]]:
    """Return items as rows: whole rounds while they fit, malformed and repeated ones left out."""
    out: list[dict[str, Any]] = []
    seen: set[str] = set()
    for entry in built:
        members = [entry] if isinstance(entry, Item) else entry
        if len(out) + len(members) > cap:
            break
        keys = [item.id for item in members]
        repeated = len(set(keys)) < len(keys) or seen.intersection(keys)
        if repeated or not all(well_formed(item) for item in members):
            continue
        seen.update(keys)
        out += [
            {
                "id": key,
                "context": item.context,
                "options": list(item.options),
                "gold": item.gold,
            }
            for key, item in zip(keys, members, strict=True)
        ]
    return out


def well_formed(item: Item) -> bool:
    """Return whether an item's options differ in lower case and its context is short enough."""
    lowered = {option.lower().strip() for option in item.options}
    return (
        len(lowered) == len(item.options)
        and "" not in lowered
        and bool(item.context.strip())
        and item.context == item.context.strip()
        and len(item.context.split()) <= MOST_WORDS
    )


def items(
    name: str, split: Split = "test", suite: str = "mini", workspace: Workspace | None = None
) -> list[dict[str, Any]]:
    """Return the items of a benchmark: rows with `id`, `context`, `options`, `gold`.

    Raises
    ------
    BadInput
        If the items have not been built, naming the command that builds them.
    """
    path = (workspace or Workspace(suite)).benchmarks / f"{name}-{split}.jsonl"
    if not path.exists():
        raise BadInput(
            f"benchmark {name!r}: no items at {path}; build them with "
            f"`transfer suite prepare {suite}`"
        )
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream if line.strip()]


def items_hash(built: Iterable[Mapping[str, Any]]) -> str:
    """Return the SHA-256 over the items' ids, contexts, options and gold indices."""
    digest = hashlib.sha256()
    for row in built:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=True).encode())
    return digest.hexdigest()


def swapped(built: Sequence[dict[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """Return control items: every context replaced by another item's, the options kept.

    A reader who needs the context falls to chance on them. The same context (as of items that
    share a premise) never comes back to the item that it was taken from, where the contexts
    allow it. Ids are kept, with `-swapped` added.
    """
    order = sorted(range(len(built)), key=lambda index: built[index]["id"])
    rng("swapped", seed).shuffle(order)
    most = Counter(row["context"] for row in built).most_common(1)
    shift = 1
    contexts = [built[index]["context"] for index in order]
    if most and most[0][1] > 1:
        order.sort(key=lambda index: built[index]["context"])
        contexts = [built[index]["context"] for index in order]
        shift = most[0][1] % len(order)
    out: list[dict[str, Any]] = [{} for _ in built]
    for place, index in enumerate(order):
        row = built[index]
        out[index] = row | {
            "id": f"{row['id']}-swapped",
            "context": contexts[(place + shift) % len(order)],
        }
    return out
