"""The fine-tuning set: training items of benchmarks as questions and answers, and instructions.

A training item of a benchmark becomes a prompt, its context, and a completion, its gold option:
the form in which a fine-tuned model is scored. About a third of the set are instructions of
Natural Instructions v1, as BIG-bench ships them. Tasks that ask for a wrong answer are left out,
and so is every row that shares ten words in a row, or a whole short context, with a test item.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol

from rich.console import Console
from rich.progress import Progress

from transfer.corpus.archives import members
from transfer.corpus.cleaning import WordCodes, words
from transfer.corpus.decontamination import overlaps, runs_of
from transfer.corpus.fetch import fetch
from transfer.corpus.steps import digest
from transfer.errors import BadInput
from transfer.files import replacing, sha256
from transfer.suite import Suite
from transfer.workspace import Workspace

GENERAL = "natural_instructions"
GENERAL_SHARE = 1 / 3
"""Share of the set that is no benchmark's training split."""

PILOT_BENCHMARKS = 13
"""How many benchmarks of the fine-tuning set are reckoned with until the suite names its own."""

MEMBERS = re.compile(r"natural_instructions/subtask[^/]*/task\.json$")
WRONG = re.compile(
    r"_(wrong_answer|incorrect_answer|incorrect_option)_generation|incorrect_answer$"
)
LONG, SHORT = 10, 5
_VERSION = 1


class Instruction(NamedTuple):
    """One turn of a chat, and where it is from."""

    prompt: str
    completion: str
    source: str


def build_instructions(suite: Suite, workspace: Workspace, seed: int = 0) -> Path:
    """Write the fine-tuning set and return its path; it is kept when nothing it is made of changed.

    `instructions.jsonl` has `suite.sft.examples` lines of `prompt`, `completion` and `source`, in
    random order; `instructions.json` beside it says how many came from each source, how many
    there were, and how many were dropped for their length or for overlap with test items.

    Benchmarks share two thirds of the set equally as far as their training splits go, the tasks of
    Natural Instructions share the rest. While the suite has no benchmarks, all candidates that
    would be in the set are, each with as many rows as if there were 13 of them; the set is longer.

    Parameters
    ----------
    suite
        Names the benchmarks (`in_sft`) and the number of examples.
    workspace
        Holds the benchmark items and the tokenizer.
    seed
        Of the draw and of the order.

    Raises
    ------
    BadInput
        If training items or the tokenizer are missing, or there is too little to fill the set.
    """
    names, pilot = _benchmarks(suite)
    inputs = _inputs(suite, workspace, names, seed)
    record = workspace.instructions.with_suffix(".json")
    if record.exists() and workspace.instructions.exists():
        known = json.loads(record.read_text(encoding="utf-8"))
        if (known["inputs"], known["sha256"]) == (inputs, sha256(workspace.instructions)):
            return workspace.instructions

    random = Random(seed)
    fits = _Fits(workspace, suite.sft.max_length)
    benchmarks = suite.sft.examples - round(GENERAL_SHARE * suite.sft.examples)
    pools = {name: _Pool(_answered(name, suite, workspace), random, [fits]) for name in names}
    if pilot:
        chosen = drawn(pools, benchmarks // PILOT_BENCHMARKS * len(names))
    else:
        chosen = drawn(pools, benchmarks)
    clean = _Clean(workspace)
    general = {
        name: _Pool(rows, random, [fits, clean]) for name, rows in _general(suite, workspace)
    }
    chosen += drawn(general, suite.sft.examples - (benchmarks if pilot else len(chosen)))
    if not chosen:
        raise BadInput(f"suite {suite.name}: no benchmark is in_sft and no instructions; add some")
    random.shuffle(chosen)
    with replacing(workspace.instructions) as beside:
        beside.write_text(
            "".join(json.dumps(row._asdict(), ensure_ascii=False) + "\n" for row in chosen),
            encoding="utf-8",
        )
    facts = {
        "inputs": inputs,
        "sha256": sha256(workspace.instructions),
        "seed": seed,
        "examples": len(chosen),
        "sources": {name: pool.counts for name, pool in (pools | general).items()},
    }
    with replacing(record) as beside:
        beside.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return workspace.instructions


def drawn(pools: Mapping[str, Iterator[Instruction]], total: int) -> list[Instruction]:
    """Return rows taken from the pools in turn, one each, until there are `total` or none left."""
    chosen: list[Instruction] = []
    left = list(pools.values())
    while left and len(chosen) < total:
        for pool in list(left):
            if len(chosen) == total:
                break
            if (row := next(pool, None)) is None:
                left.remove(pool)
            else:
                chosen.append(row)
    return chosen


class _Pool:
    """The rows of one source in random order, those that pass; counts what it was asked for."""

    def __init__(self, rows: list[Instruction], random: Random, rules: Sequence[_Rule]) -> None:
        self.rows = random.sample(rows, len(rows))
        self.rules = rules
        self.at = 0
        self.counts = {"available": len(rows), "used": 0} | {rule.name: 0 for rule in rules}

    def __iter__(self) -> Iterator[Instruction]:
        return self

    def __next__(self) -> Instruction:
        for row in self.rows[self.at :]:
            self.at += 1
            for rule in self.rules:
                if not rule.passes(row):
                    self.counts[rule.name] += 1
                    break
            else:
                self.counts["used"] += 1
                return row
        raise StopIteration


class _Rule(Protocol):
    name: str

    def passes(self, row: Instruction) -> bool: ...


class _Fits:
    """Whether a row is short enough for the recipe, in tokens of the chat."""

    name = "dropped_long"

    def __init__(self, workspace: Workspace, longest: int) -> None:
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(workspace.tokenizer)
        self.longest = longest

    def passes(self, row: Instruction) -> bool:
        chat = [
            {"role": "user", "content": row.prompt},
            {"role": "assistant", "content": row.completion},
        ]
        text = self.tokenizer.apply_chat_template(chat, tokenize=False)
        return len(self.tokenizer(text)["input_ids"]) <= self.longest


class _Clean:
    """Whether a row shares nothing with a test item that was not made from our own templates.

    It may not hold ten words in a row of an item (its context and gold option), nor the whole of a
    context of five to nine words.
    """

    name = "dropped_overlap"

    def __init__(self, workspace: Workspace) -> None:
        from transfer.benchmarks import CANDIDATES

        self.codes = WordCodes()
        texts: list[str] = []
        self.short: dict[tuple[str, ...], list[list[str]]] = {}
        for path in sorted(workspace.benchmarks.glob("*-test.jsonl")):
            name = path.name.removesuffix("-test.jsonl")
            if name in CANDIDATES and not CANDIDATES[name].real:
                continue
            for item in _lines(path):
                texts.append(f"{item['context']} {item['options'][item['gold']]}")
                context = words(item["context"])
                if SHORT <= len(context) < LONG:
                    self.short.setdefault(tuple(context[:SHORT]), []).append(context)
        self.forbidden = runs_of(texts, self.codes)

    def passes(self, row: Instruction) -> bool:
        text = f"{row.prompt} {row.completion}"
        if overlaps(text, self.forbidden, self.codes):
            return False
        found = words(text)
        return not any(
            found[at : at + len(context)] == context
            for at in range(len(found) - SHORT + 1)
            for context in self.short.get(tuple(found[at : at + SHORT]), ())
        )


def candidates_in_sft() -> list[str]:
    """Return the candidate benchmarks whose training split is in the set if they are chosen."""
    from transfer.benchmarks import CANDIDATES

    return [name for name, candidate in CANDIDATES.items() if candidate.in_sft]


def _benchmarks(suite: Suite) -> tuple[list[str], bool]:
    """Return the benchmarks of the set, and whether they are candidates only."""
    if suite.benchmarks:
        return [benchmark.name for benchmark in suite.benchmarks if benchmark.in_sft], False
    return candidates_in_sft(), True


def _inputs(suite: Suite, workspace: Workspace, names: list[str], seed: int) -> str:
    """Return a digest of everything that the set is made of."""
    if not (workspace.tokenizer / "tokenizer.json").exists():
        raise BadInput(
            f"{workspace.tokenizer}: no tokenizer; run `transfer suite prepare {suite.name}`"
        )
    tests = sorted(workspace.benchmarks.glob("*-test.jsonl"))
    training = [workspace.benchmarks / f"{name}-train.jsonl" for name in names]
    if absent := [path for path in training if not path.exists()]:
        raise BadInput(f"{absent[0]}: no training items; run `transfer suite prepare {suite.name}`")
    sources = [source.sha256 for source in suite.sources if source.name == "bigbench"]
    return digest(
        _VERSION,
        names,
        {path.name: sha256(path) for path in (*tests, *training)},
        sha256(workspace.tokenizer / "tokenizer.json"),
        sources,
        suite.sft.model_dump(include={"examples", "max_length"}),
        not suite.benchmarks,
        seed,
    )


def _answered(name: str, suite: Suite, workspace: Workspace) -> list[Instruction]:
    """Return the training items of a benchmark with their gold options."""
    return [
        Instruction(item["context"], item["options"][item["gold"]], name)
        for item in _lines(workspace.benchmarks / f"{name}-train.jsonl")
    ]


def _general(suite: Suite, workspace: Workspace) -> Iterator[tuple[str, list[Instruction]]]:
    """Yield the tasks of Natural Instructions; each row starts with what the task is called.

    Of several right answers the first is taken.
    """
    if not any(source.name == "bigbench" for source in suite.sources):
        return
    archive = fetch(suite.source("bigbench"), workspace.downloads)
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        bar = progress.add_task("natural instructions", total=None)
        for member, content in members(archive, MEMBERS):
            task = member.split("/")[-2].removeprefix("subtask")
            progress.advance(bar)
            if WRONG.search(task):
                continue
            title = task[4:].replace("_", " ")
            yield f"{GENERAL}/{task}", _rows_of(json.loads(content)["examples"], title, task)


def _rows_of(examples: list[dict[str, Any]], title: str, task: str) -> list[Instruction]:
    rows = []
    for example in examples:
        targets = example["target"]
        answer = str(targets[0] if isinstance(targets, list) else targets).strip()
        if answer:
            rows.append(Instruction(f"{title}: {example['input']}", answer, f"{GENERAL}/{task}"))
    return rows


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                item = json.loads(line)
                item["options"][item["gold"]]
                item["context"]
            except (ValueError, KeyError, IndexError, TypeError):
                raise BadInput(
                    f"{path}, line {number}: not an item with context, options and gold; "
                    "build the benchmark again"
                ) from None
            yield item
