"""Checks a suite's committed data: hashes, measures from items, and items from checkpoints.

Each check returns the differences that it found, in words; none means that it holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from transfer.committing import whole
from transfer.errors import BadInput
from transfer.files import sha256
from transfer.grid import data_folder
from transfer.measures import measure_runs
from transfer.plans import changed, recipe, record
from transfer.suite import Run, Suite, repository
from transfer.tables import METRICS, read_items, read_measures_table
from transfer.workspace import Workspace

NATS = 1e-4
"""How far a log-likelihood may be off when a checkpoint is scored again.

Beyond it only float32's own step at the value is let pass: 0.00006 from 512 nats on.
"""

TURNED = 2.5
"""Items of a benchmark that may be answered otherwise once log-likelihoods are rounded."""

_KEYS = ["mixture", "scale", "seed", "stage", "benchmark", "normalization"]


class Check(NamedTuple):
    """What was checked, on how much, and what differs."""

    what: str
    number: int
    differences: list[str]
    note: str = ""


class Committed(NamedTuple):
    """The committed data of a suite."""

    suite: Suite
    folder: Path
    runs: pd.DataFrame

    @property
    def names(self) -> list[str]:
        """The names of the committed runs."""
        return [str(name) for name in self.runs["run"]]

    def items(self, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Return the items of a run, and what is known of it."""
        return read_items(self.folder / "items" / f"{name}.parquet")


def verify(suite: Suite, scoring: bool = True, folder: Path | None = None) -> Iterator[Check]:
    """Yield every check of a suite's committed data, one after the other.

    Parameters
    ----------
    suite : Suite
    scoring : bool
        Score the shipped checkpoints again too; needs torch, and takes about a minute each.
    folder : Path, optional
        Where the data are; by default `data/<suite>`.

    Raises
    ------
    BadInput
        If there is no committed data.
    """
    folder = folder or data_folder(suite.name)
    path = folder / "runs.csv"
    if not path.exists():
        raise BadInput(f"{path}: no such file; commit a grid with `transfer suite commit`")
    data = Committed(suite, folder, pd.read_csv(path, keep_default_na=False))
    checks: list[Callable[[Committed], Check]] = [
        check_runs,
        check_lineage,
        check_making,
        check_items,
        check_measures,
        check_conditions,
        check_checkpoints,
    ]
    if scoring:
        checks.append(check_scores)
    for check in checks:
        yield check(data)


def check_runs(data: Committed) -> Check:
    """Every run of the table is in the suite, has its items, and no item file is left over."""
    planned = {run.name for run in data.suite.runs()}
    there = {path.stem for path in (data.folder / "items").glob("*.parquet")}
    wrong = [f"run {name} is not in the suite file" for name in data.names if name not in planned]
    wrong += [f"run {name} has no items" for name in data.names if name not in there]
    wrong += [f"items of {name} have no row in runs.csv" for name in there - set(data.names)]
    left = len(planned) - len(planned & set(data.names))
    return Check("runs and their items", len(data.names), wrong, f"{left} of the grid not there")


def check_lineage(data: Committed) -> Check:
    """Runs of a mixture share a shard, all share tokenizer and instructions; SFT has its parent."""
    wrong: list[str] = []
    pretrained = data.runs[data.runs["stage"] == "pretrain"]
    tuned = data.runs[data.runs["stage"] == "sft"]
    for mixture, rows in pretrained.groupby("mixture"):
        wrong += _several(rows, "shard_sha256", f"mixture {mixture!s}")
    wrong += _several(pretrained, "tokenizer_sha256", "the suite")
    wrong += _several(tuned, "instructions_sha256", "the suite")
    weights = dict(zip(data.runs["run"], data.runs["checkpoint_sha256"], strict=True))
    for row in tuned.to_dict("records"):
        parent = Run.parse(str(row["run"])).parent.name
        if weights.get(parent) != row["parent_sha256"]:
            wrong.append(f"run {row['run']} was fine-tuned from other weights than {parent}'s")
    space = Workspace(data.suite.name)
    here = {
        "tokenizer_sha256": space.tokenizer / "tokenizer.json",
        "instructions_sha256": space.instructions,
    }
    there = {column: path for column, path in here.items() if path.exists()}
    for column, path in there.items():
        said = {value for value in data.runs[column] if value}
        if said and said != {sha256(path)}:
            wrong.append(f"{path} is not the one that the runs were made with ({column})")
    note = f"and {len(there)} files of the workspace" if there else "no workspace to compare with"
    return Check("shards, tokenizer, instructions, parents", len(data.names), wrong, note)


def check_making(data: Committed) -> Check:
    """The text, tokenizer and instructions that the folder describes are those of the runs."""
    told: list[tuple[str, str, str, str]] = []
    corpus, instructions = data.folder / "corpus.json", data.folder / "instructions.json"
    if corpus.exists():
        said = json.loads(corpus.read_text())
        told.append((corpus.name, "tokenizer_sha256", "", said["tokenizer"]["sha256"]))
        for mixture, made in said["mixtures"].items():
            told.append((corpus.name, "shard_sha256", mixture, made["sha256"]))
    if instructions.exists():
        said = json.loads(instructions.read_text())
        told.append((instructions.name, "instructions_sha256", "", said["sha256"]))
    wrong = []
    for name, column, mixture, described in told:
        rows = data.runs[data.runs["mixture"] == mixture] if mixture else data.runs
        if {value for value in rows[column] if value} - {described}:
            of = f" of {mixture}" if mixture else ""
            wrong.append(f"{name} describes another {column}{of} than runs.csv names")
    note = "" if told else "no corpus.json or instructions.json beside them"
    return Check("what text and instructions are said to be", len(told), wrong, note)


def check_items(data: Committed) -> Check:
    """Items are of the checkpoint that the run's row names, and the same items for all runs."""
    table = pd.read_csv(repository() / "data" / "benchmarks" / "candidates.csv", index_col="name")
    hashes = table["test_sha256"].to_dict()
    weights = dict(zip(data.runs["run"], data.runs["checkpoint_sha256"], strict=True))
    wanted = {benchmark.name for benchmark in data.suite.benchmarks}
    wrong: list[str] = []
    first: pd.DataFrame | None = None
    for name in data.names:
        items, said = data.items(name)
        for there in (set(said["items_sha256"]), set(items["benchmark"])):
            wrong += [f"items of {name} have no {one}" for one in sorted(wanted - there)]
            wrong += [f"items of {name} have {one}, not in the suite" for one in there - wanted]
        first = items if first is None else first
        for column in ("gold", "n_bytes"):
            if not _alike(first, items, column):
                wrong.append(f"{column} of the items of {name} is not that of {data.names[0]}")
        if said["checkpoint_sha256"] != weights[name]:
            wrong.append(f"items of {name} are of another checkpoint than runs.csv names")
        if Run.parse(name).model_dump() != {key: said[key] for key in Run.model_fields}:
            wrong.append(f"items of {name} say that they are of another run")
        for benchmark, found in said["items_sha256"].items():
            if found != hashes.get(benchmark):
                wrong.append(f"items of {name}: {benchmark} is not the committed benchmark")
            rows = items[items["benchmark"] == benchmark]
            full = _ids(benchmark)
            cut = [one[: len(mine)] for one, mine in zip(full, rows["item"], strict=False)]
            if len(full) != len(rows) or cut != rows["item"].tolist():
                wrong.append(f"items of {name}: {benchmark} has other ids than data/benchmarks/ids")
    return Check("items", len(data.names), wrong)


def check_measures(data: Committed) -> Check:
    """The measures are those of the items, computed again."""
    committed = read_measures_table(data.folder / "measures.parquet").set_index(_KEYS)
    ready = whole(data.suite, map(Run.parse, data.names))
    paths = [data.folder / "items" / f"{run.name}.parquet" for run in ready]
    again = measure_runs(paths, data.suite).set_index(_KEYS)
    wrong = [
        f"measures have {what} {', '.join(map(str, key))}"
        for what, keys in (
            ("no row", again.index.difference(committed.index)),
            ("a row without items", committed.index.difference(again.index)),
        )
        for key in keys
    ]
    both = again.index.intersection(committed.index)
    for metric in ("n_items", "chance", *METRICS):
        new, old = (table.loc[both, metric].to_numpy(float) for table in (again, committed))
        same = np.isclose(new, old, rtol=1e-9, atol=1e-12, equal_nan=True)
        wrong += [
            f"{metric} of {', '.join(map(str, key))}: {was:g} committed, {now:g} from items"
            for key, was, now, fits in zip(both, old, new, same, strict=True)
            if not fits
        ]
    for column in ("suite", "category"):
        differ = again.loc[both, column] != committed.loc[both, column]
        wrong += [f"{column} of {', '.join(map(str, key))} is another" for key in both[differ]]
    waiting = len(data.names) - len(ready)
    note = f"{waiting} runs wait until their seed is whole" if waiting else ""
    return Check("measures from items", len(both), wrong, note)


def check_conditions(data: Committed) -> Check:
    """Controls, trajectories and loss curves are of committed runs; every run has its curve.

    Controls and trajectories name the weights that `runs.csv` names.
    """
    weights = dict(zip(data.runs["run"], data.runs["checkpoint_sha256"], strict=True))
    wrong: list[str] = []
    checked = 0
    for name in ("control.parquet", "trajectory.parquet", "loss.csv"):
        path = data.folder / name
        if not path.exists():
            continue
        checked += 1
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        # A table without the column names no weights.
        keys = table.reindex(columns=[*Run.model_fields, "checkpoint_sha256"]).drop_duplicates()
        of = [
            Run.model_validate({key: row[key] for key in Run.model_fields}).name
            for row in keys.to_dict("records")
        ]
        wrong += [f"{name} has run {one}, which runs.csv has not" for one in set(of) - set(weights)]
        if path.suffix == ".csv":
            wrong += [f"{name} has no curve of {one}" for one in set(weights) - set(of)]
            continue
        wrong += [
            f"{name}: {one} is of another checkpoint than runs.csv names"
            for one, said in zip(of, keys["checkpoint_sha256"], strict=True)
            if weights.get(one, said) != said
        ]
        if name == "trajectory.parquet":
            wrong += _other_ends(table, data)
    return Check("controls, trajectories, loss curves", checked, sorted(wrong))


def _other_ends(way: pd.DataFrame, data: Committed) -> list[str]:
    """Return the runs whose way ends otherwise than the measures of the run say.

    The items of a way are scored as they are, those of a run are rounded when they are published:
    an item whose best options are nearly alike may turn.
    """
    runs = way.groupby(list(Run.model_fields))
    ends = way[way["step"] == runs["step"].transform("max")]
    measures = read_measures_table(data.folder / "measures.parquet")
    both = ends.merge(measures, on=_KEYS, suffixes=("", "_there"))
    apart = (both["accuracy"] - both["accuracy_there"]).abs() * both["n_items"]
    return [
        f"trajectory.parquet: the end of {row.mixture}-{row.scale}-s{row.seed}-{row.stage} on "
        f"{row.benchmark} ({row.normalization}) is not what measures.parquet says"
        for row in both[apart > TURNED].itertuples()
    ]


def check_checkpoints(data: Committed) -> Check:
    """The first scale and seed are shipped, with the weights and configuration of their rows."""
    weights = dict(zip(data.runs["run"], data.runs["checkpoint_sha256"], strict=True))
    shipped = _shipped(data)
    scale = data.suite.scales[0]
    due = {run.name for run in data.suite.runs(scales=[scale.name], seeds=[scale.seeds[0]])}
    there = {folder.name for folder in shipped}
    wrong = [f"weights of {name} are not shipped" for name in sorted(due & set(weights) - there)]
    for folder in shipped:
        if sha256(folder / "model.safetensors") != weights.get(folder.name):
            wrong.append(f"weights of {folder.name} have another hash than runs.csv names")
            continue
        said, (_, scored) = record(folder), data.items(folder.name)
        if said["checkpoint_sha256"] != weights[folder.name]:
            wrong.append(f"run.json of {folder.name} is of other weights")
        wrong += [
            f"run.json of {folder.name} has another {key} than the suite file"
            for key in changed(said["plan"], recipe(data.suite, Run.parse(folder.name)))
        ]
        if (was := scored.get("config_sha256")) and was != sha256(folder / "config.json"):
            wrong.append(f"config.json of {folder.name} is not the one that was scored")
    return Check("shipped checkpoints", len(shipped), wrong)


def check_scores(data: Committed) -> Check:
    """The shipped checkpoints, scored again, give the committed log-likelihoods."""
    import torch

    from transfer.scoring import questions, score_each

    built = _built(data.suite)
    wrong: list[str] = []
    largest = 0.0
    asked = questions(data.suite, built)
    chats = {folder: asked if folder.name.endswith("-sft") else [] for folder in _shipped(data)}
    for folder, again in score_each(chats, built):
        committed, _ = data.items(folder.name)
        for benchmark, rows in again.groupby("benchmark", sort=False):
            old = committed[committed["benchmark"] == benchmark]
            wrong += [
                f"{column} of {folder.name} on {benchmark} is another"
                for column in ("gold", "n_tokens", "n_bytes")
                if not _alike(old, rows, column)
            ]
            for column in ("loglikelihood", "unconditional"):
                gap, beyond = _gap(old[column], rows[column])
                largest = max(largest, gap)
                if beyond:
                    wrong.append(f"{column} of {folder.name} on {benchmark}: off by {gap:.1e} nats")
    note = f"{len(built)} of {len(data.suite.benchmarks)} benchmarks, off by {largest:.1e} nats"
    if torch.cuda.is_available():
        note += f" on {torch.cuda.get_device_name()}, which rounds otherwise than a CPU"
    if len(built) < len(data.suite.benchmarks):
        note += "; `transfer suite prepare` builds the others"
    return Check("checkpoints scored again", len(chats), wrong, note)


def _built(suite: Suite) -> dict[str, Sequence[dict[str, Any]]]:
    """Return the items of the benchmarks that are in the workspace or can be generated."""
    from transfer.benchmarks import generate, items

    built: dict[str, Sequence[dict[str, Any]]] = {}
    space = Workspace(suite.name)
    for benchmark in suite.benchmarks:
        if (space.benchmarks / f"{benchmark.name}-test.jsonl").exists():
            built[benchmark.name] = items(benchmark.name, "test", suite.name, space)
        elif not benchmark.sources:
            built[benchmark.name] = generate(benchmark.name, len(_ids(benchmark.name)))
    return built


def _shipped(data: Committed) -> list[Path]:
    found = data.folder.glob("checkpoints/[!.]*/model.safetensors")
    return sorted(path.parent for path in found)


def _ids(benchmark: str) -> list[str]:
    path = repository() / "data" / "benchmarks" / "ids" / f"{benchmark}.txt"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def _alike(one: pd.DataFrame, other: pd.DataFrame, column: str) -> bool:
    """Return whether a column, of numbers or of lists of them, is the same in two tables."""
    cells = zip(one[column], other[column], strict=False)
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in cells)


def _gap(old: Iterable[np.ndarray], new: Iterable[np.ndarray]) -> tuple[float, bool]:
    """Return the largest difference, infinite where shapes differ, and whether one is too large."""
    olds, news = list(old), list(new)
    if [len(cell) for cell in olds] != [len(cell) for cell in news]:
        return float("inf"), True
    was, now = np.concatenate(olds), np.concatenate(news)
    gaps = np.abs(was - now)
    step = np.spacing(np.abs(was).astype(np.float32))
    return float(gaps.max()), not bool((gaps <= NATS + step).all())


def _several(rows: pd.DataFrame, column: str, of: str) -> list[str]:
    values = rows[column].unique()
    return [f"{of} has runs with {len(values)} different {column}"] if len(values) > 1 else []
