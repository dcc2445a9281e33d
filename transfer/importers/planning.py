"""What would become what: every evaluation with its run and its benchmark, or why it has none."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from transfer.entries import STAGES
from transfer.errors import BadInput
from transfer.importers.documents import shown
from transfer.importers.evaluation import Evaluation, share
from transfer.importers.finding import Found
from transfer.importers.known import BENCHMARKS, UNNAMED, Known
from transfer.importers.mapping import MappingFile
from transfer.importers.naming import Naming, RunKey
from transfer.importers.noting import listed, note_lacking_items, note_other_files
from transfer.suite import Suite


@dataclass(frozen=True)
class Cell:
    """One benchmark of one run, from one evaluation or, pooled, from several."""

    run: RunKey
    benchmark: str
    evaluations: tuple[Evaluation, ...]
    accuracies: Mapping[str, float]
    whole: Evaluation | None = None

    @property
    def has_items(self) -> bool:
        """Whether every item's scores are there."""
        return all(entry.read is not None for entry in self.evaluations)

    @property
    def n_items(self) -> int | None:
        """The items of all its evaluations, where all say how many."""
        counts = [entry.n_items for entry in self.evaluations]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None


@dataclass
class Plan:
    """What an import would write, and everything that has no place in it.

    Attributes
    ----------
    cells : list of Cell
    unmatched : list of str
        Results without a run, without an accuracy, or twice; rows of the mapping without a result;
        files that are broken. Nothing is written while there are any, unless it is asked for.
    notes : list of str
        What is worth knowing and stands in the way of nothing.
    """

    mapping: MappingFile
    suite: Suite | None = None
    cells: list[Cell] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def runs(self) -> list[RunKey]:
        """The runs, in the order in which they were found."""
        return list(dict.fromkeys(cell.run for cell in self.cells))

    @property
    def stages(self) -> list[str]:
        """The stages in order; see `ordered`."""
        return self.ordered(run.stage for run in self.runs)

    def ordered(self, stages: Iterable[str]) -> list[str]:
        """Return stages in the mapping's order, pretrain before sft where it has none."""
        there = list(dict.fromkeys(stages))
        order = self.mapping.stages or STAGES
        first = [stage for stage in order if stage in there]
        return [*first, *(stage for stage in there if stage not in first)]

    def check_order(self, stages: Iterable[str]) -> None:
        """List stages as unmatched where nothing says in which order they come."""
        there = list(dict.fromkeys(stages))
        if len(there) > 1 and not set(there) <= set(self.mapping.stages or STAGES):
            self.unmatched.append(
                f"nothing says in which order the stages {listed(there)} come; give "
                "--stages EARLIEST,...,LAST, or stages in the mapping file"
            )

    def check_names(self, **there: Iterable[str]) -> None:
        """Note names of the mapping's benchmarks, mixtures and scales that nothing has."""
        for section, names in there.items():
            known = set(names)
            unused = [name for name in getattr(self.mapping, section) if name not in known]
            if unused:
                self.notes.append(
                    f"mapping: {section}: nothing that is imported is called "
                    f"{listed(unused, ' or ')}; check the spelling"
                )

    def known(self, benchmark: str) -> Known:
        """Return category and default normalization: the mapping's, the suite's, the paper's."""
        usual = BENCHMARKS.get(benchmark, Known(UNNAMED, "sum"))
        for entry in self.suite.benchmarks if self.suite else ():
            if entry.name == benchmark:
                usual = Known(entry.category, entry.normalization)
        named = self.mapping.benchmarks.get(benchmark)
        if named is None:
            return usual
        return Known(named.category or usual.category, named.normalization or usual.normalization)


def plan(
    found: Found,
    mapping: MappingFile,
    suite: Suite | None = None,
    subtasks: bool = False,
    latest: bool = False,
) -> Plan:
    """Return what the evaluations that were found would become.

    Parameters
    ----------
    found : Found
    mapping : MappingFile
    suite : Suite, optional
        Names categories and normalizations.
    subtasks : bool
        Keep the tasks of a group as benchmarks of their own instead of the group.
    latest : bool
        Of a task that was evaluated twice for a run, take the last results file by name, whose
        date is in it; otherwise both are listed as unmatched.
    """
    made = Plan(mapping, suite)
    made.unmatched += found.broken
    naming = Naming(mapping)
    by_run: dict[RunKey, list[Evaluation]] = {}
    lost: dict[Path, None] = {}
    for entry in found.evaluations:
        try:
            run = naming.run(entry.names)
            run = run if run is not None else naming.by_pattern(entry.labels)
        except BadInput as error:
            made.unmatched.append(str(error))
            continue
        if run is None:
            lost[entry.source] = None
        else:
            by_run.setdefault(run, []).append(entry)
    made.unmatched += [f"{path}: no row and no pattern says which run it is of" for path in lost]
    made.unmatched += [f"mapping: run {shown(name)} has no results" for name in naming.unused]
    made.unmatched = list(dict.fromkeys(made.unmatched))
    for run, entries in by_run.items():
        once = _once(run, entries, latest, made)
        made.unmatched += [entry.problem for entry in once.values() if entry.problem]
        made.cells += _cells(run, once, mapping, subtasks, made)
    _compare(made)
    note_lacking_items(made, found)
    made.check_order(run.stage for run in made.runs)
    runs = made.runs
    made.check_names(
        benchmarks=[cell.benchmark for cell in made.cells],
        mixtures=[run.mixture for run in runs],
        scales=[run.scale for run in runs],
    )
    note_other_files(made, found)
    return made


def _once(
    run: RunKey, entries: Iterable[Evaluation], latest: bool, made: Plan
) -> dict[str, Evaluation]:
    """Return the evaluations of a run by task, each task once."""
    by_task: dict[str, Evaluation] = {}
    for entry in sorted(entries, key=lambda entry: entry.source.name):
        earlier = by_task.get(entry.task)
        if earlier is None or latest:
            if earlier is not None:
                made.notes.append(f"{earlier.source}: {entry.task} of {run} is older, left out")
            by_task[entry.task] = entry
        else:
            made.unmatched.append(
                f"{entry.source}: {shown(entry.task)} of {run} is in {earlier.source.name} too; "
                "remove one, or take the last with --latest"
            )
    return by_task


def _cells(
    run: RunKey,
    entries: Mapping[str, Evaluation],
    mapping: MappingFile,
    subtasks: bool,
    made: Plan,
) -> list[Cell]:
    """Return the benchmarks of a run: single tasks, groups, and groups of the mapping."""
    left = dict(entries)
    cells = []
    for name, patterns in mapping.groups.items():
        parts = [
            task
            for task in left
            if any(fnmatch.fnmatchcase(task, pattern) for pattern in patterns)
            and not left[task].parts
        ]
        if not parts:
            made.unmatched.append(f"mapping: group {shown(name)} has no task in {run}")
            continue
        entries_ = tuple(left.pop(task) for task in parts)
        if lacking := [entry.task for entry in entries_ if entry.read is None]:
            made.unmatched.append(
                f"mapping: group {shown(name)} of {run}: {listed(lacking)} has no items, of which "
                "a group is made; add its file of samples, or take it out of the group"
            )
            continue
        cells.append(Cell(run, name, entries_, {}))
    inner = {part for entry in entries.values() for part in entry.parts}
    groups = [task for task, entry in entries.items() if entry.parts and task not in inner]
    for name in groups:
        cells += _group(run, name, left, subtasks, made)
    for task, entry in left.items():
        if entry.parts or entry.problem:
            continue
        accuracies = _accuracies(entry, mapping, made)
        if accuracies:
            cells.append(Cell(run, task, (entry,), accuracies))
    return cells


def _group(
    run: RunKey, name: str, left: dict[str, Evaluation], subtasks: bool, made: Plan
) -> list[Cell]:
    """Return a group as one benchmark and take its tasks out of what is left; or leave them."""
    entry = left.get(name)
    if entry is None:
        return []
    leaves = _leaves(name, left)
    if subtasks or not (entry.accuracies or entry.problem) or not leaves:
        for inner in _inner(name, left):
            left.pop(inner)
        return []
    for inner in [*_inner(name, left), *leaves]:
        left.pop(inner, None)
    if entry.problem:
        return []
    return [Cell(run, name, tuple(leaves.values()), entry.accuracies, entry)]


def _inner(name: str, left: Mapping[str, Evaluation]) -> list[str]:
    """Return a group and the groups within it."""
    names, waiting = [], [name]
    while waiting:
        one = waiting.pop()
        if one in left and one not in names and left[one].parts:
            names.append(one)
            waiting += left[one].parts
    return names


def _leaves(name: str, left: Mapping[str, Evaluation]) -> dict[str, Evaluation]:
    """Return the tasks at the bottom of a group."""
    return {
        part: left[part]
        for inner in _inner(name, left)
        for part in left[inner].parts
        if part in left and not left[part].parts
    }


def _accuracies(entry: Evaluation, mapping: MappingFile, made: Plan) -> Mapping[str, float]:
    """Return what counts as the accuracy of a task: what the mapping names, or what is one."""
    named = mapping.benchmarks.get(entry.task)
    if named is not None and named.metric:
        if named.metric in entry.others:
            where = f"{entry.source}: task {shown(entry.task)}"
            try:
                return {"sum": share(entry.others[named.metric], named.metric, where)}
            except BadInput as error:
                made.unmatched.append(str(error))
                return {}
        made.unmatched.append(
            f"{entry.source}: {shown(entry.task)} has no metric {shown(named.metric)}; it has "
            f"{listed([*entry.others])}"
        )
        return {}
    if not entry.accuracies:
        made.unmatched.append(
            f"{entry.source}: {shown(entry.task)} has no accuracy; name one of its measures as "
            f"metric under benchmarks in the mapping file ({listed([*entry.others])})"
        )
    return entry.accuracies


def _compare(made: Plan) -> None:
    """Note benchmarks without a category, runs of other length, and runs that lack a benchmark."""
    by_name: dict[str, list[Cell]] = {}
    for cell in made.cells:
        by_name.setdefault(cell.benchmark, []).append(cell)
    if unnamed := [name for name in by_name if made.known(name).category == UNNAMED]:
        made.notes.append(
            f"no category for {listed(unnamed)}: put into {UNNAMED!r}; name one under benchmarks "
            "in the mapping file"
        )
    runs = len(made.runs)
    for name, cells in by_name.items():
        counts = sorted({cell.n_items for cell in cells if cell.n_items is not None})
        if len(counts) > 1:
            made.notes.append(
                f"{shown(name)}: runs have {listed([str(n) for n in counts])} items; "
                "compare runs on the same items"
            )
        if len(cells) < runs:
            made.notes.append(f"{shown(name)}: {runs - len(cells)} of {runs} runs lack it")
