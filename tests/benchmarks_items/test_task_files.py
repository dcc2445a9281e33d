"""lm-evaluation-harness reads the task files as they are, over items put there by the test."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from transfer.benchmarks import CANDIDATES, items, swapped
from transfer.benchmarks.harness import task_file, write_task_files
from transfer.errors import BadInput
from transfer.suite import load_suite, repository
from transfer.workspace import Workspace

FOLDER = repository() / "data" / "benchmarks"
TASKS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ROWS: list[dict[str, Any]] = [
    {"id": "a", "context": "The {{cat}}", "options": ["ran", "the dog"], "gold": 1},
    {"id": "b", "context": "A cat", "options": ["sat down", "é"], "gold": 0},
    {"id": "c", "context": "Two", "options": ["sat", "in"], "gold": 0},
]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    workspace = Workspace("mini")
    workspace.benchmarks.mkdir(parents=True)
    for name in TASKS:
        path = workspace.benchmarks / f"{name}-test.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return workspace


@pytest.mark.usefixtures("workspace")
def test_every_task_loads_and_asks_for_context_and_option() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lm-evaluation-harness and what it imports
        from lm_eval.tasks import TaskManager

        manager = TaskManager(include_path=str(FOLDER), include_defaults=False)
        loaded = manager.load(["transfer_mini"])["tasks"]
    assert sorted(loaded) == TASKS
    for name, task in loaded.items():
        assert next(iter(task.test_docs()))["context"] == "The {{cat}}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            task.build_all_requests(rank=0, world_size=1)
        asked = [request.args for request in task.instances]
        assert ("The {{cat}}", " ran") in asked
        assert ("A cat", " é") in asked
        unconditional = CANDIDATES[name].normalization == "unconditional"
        assert len(asked) == (12 if unconditional else 6)
        results = task.process_results(ROWS[0], [(-2.0, False), (-1.0, False)] * (len(asked) // 6))
        assert results["acc"] == 1.0


def test_task_files_are_the_ones_the_registry_makes() -> None:
    assert TASKS
    for name in TASKS:
        assert (FOLDER / f"{name}.yaml").read_text() == task_file(CANDIDATES[name])


def test_suite_and_task_files_agree() -> None:
    suite = load_suite("mini")
    if suite.benchmarks:
        assert sorted(benchmark.name for benchmark in suite.benchmarks) == TASKS
    for benchmark in suite.benchmarks:
        candidate = CANDIDATES[benchmark.name]
        assert benchmark.category == candidate.category
        assert benchmark.normalization == candidate.normalization
        assert benchmark.in_sft == candidate.in_sft
        assert benchmark.sources == candidate.sources


def test_stale_task_files_go(tmp_path: Path) -> None:
    write_task_files(tmp_path, ["agreement", "qasc"])
    write_task_files(tmp_path, ["qasc"])
    assert [path.name for path in tmp_path.iterdir()] == ["qasc.yaml"]
    text = (tmp_path / "qasc.yaml").read_text().replace("!function ", "")
    assert yaml.safe_load(text)["task"] == "qasc"


def test_missing_items_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    with pytest.raises(BadInput, match=r"benchmark 'qasc'.*`transfer suite prepare mini`"):
        items("qasc")


def test_swapping_is_the_same_every_time_and_moves_each_context() -> None:
    control = swapped(ROWS, 1)
    assert control == swapped(ROWS, 1)
    assert [row["id"] for row in control] == ["a-swapped", "b-swapped", "c-swapped"]
    assert [row["options"] for row in control] == [row["options"] for row in ROWS]
    assert sorted(row["context"] for row in control) == sorted(row["context"] for row in ROWS)
    assert all(a["context"] != b["context"] for a, b in zip(control, ROWS, strict=True))


def test_shared_contexts_do_not_come_back() -> None:
    rows = [ROWS[0] | {"id": str(n), "context": f"premise {n // 3}"} for n in range(30)]
    assert all(a["context"] != b["context"] for a, b in zip(swapped(rows), rows, strict=True))
