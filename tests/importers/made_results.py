"""Makes results with lm-evaluation-harness itself, from trained checkpoints and our own templates.

`python tests/importers/made_results.py` writes `tests/importers/results/0.4.13` (committed):
eight items of every task for four checkpoints. No text in it is anyone else's.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from transfer.benchmarks import generate
from transfer.suite import repository

COMMITTED = Path(__file__).parent / "results" / "0.4.13"
RUNS = ("V1P0-S-s0-pretrain", "V1P0-S-s0-sft", "V2P2-S-s0-pretrain", "V2P2-S-s0-sft")
ITEMS = 8
MEAN = {"aggregation": "mean", "higher_is_better": True}
CHOICE = {
    "output_type": "multiple_choice",
    "doc_to_text": "context",
    "doc_to_choice": "options",
    "doc_to_target": "gold",
    "metric_list": [MEAN | {"metric": name} for name in ("acc", "acc_norm", "acc_bytes")],
}


def task_files(folder: Path, items: int = ITEMS) -> list[str]:
    """Write task files and their items; return the tasks and groups to evaluate."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {name: generate(name, items) for name in ("agreement", "polarity", "transitive")}
    for name, made in rows.items():
        _task(folder, name, made, CHOICE)
    # The right option by its text, and every option asked without its context too.
    told = CHOICE | {"doc_to_target": "answer"}
    told["metric_list"] = [MEAN | {"metric": name} for name in ("acc", "acc_mutual_info")]
    answers = [row | {"answer": row["options"][row["gold"]]} for row in rows["transitive"]]
    _task(folder, "transitive_told", answers, told)
    # The options in the context, as in WinoGrande.
    inside = CHOICE | {"doc_to_text": "gold", "doc_to_choice": "contexts", "doc_to_target": "end"}
    ends = [
        {
            "id": row["id"],
            "gold": row["gold"],
            "end": "that is what was said.",
            "contexts": [f"{row['context']} {option}," for option in row["options"]],
        }
        for row in rows["agreement"]
    ]
    _task(folder, "agreement_inside", ends, inside)
    free = {"output_type": "generate_until", "doc_to_text": "context", "doc_to_target": "answer"}
    free["generation_kwargs"] = {"until": ["."], "max_gen_toks": 4, "do_sample": False}
    free["metric_list"] = [MEAN | {"metric": "exact_match"}]
    _task(folder, "transitive_free", answers, free)
    # Two groups: one over items, one over tasks.
    parts = {"first": rows["polarity"][: items // 4], "second": rows["polarity"][items // 4 :]}
    for name, made in parts.items():
        _task(folder, f"polarity_{name}", made, CHOICE)
    _group(folder, "polarity_parts", [f"polarity_{name}" for name in parts], weighted=True)
    halves = {"early": rows["agreement"][: items // 4], "late": rows["agreement"][items // 4 :]}
    for name, made in halves.items():
        _task(folder, f"agreement_{name}", made, CHOICE)
    _group(folder, "agreement_parts", [f"agreement_{name}" for name in halves], weighted=False)
    single = ["transitive_told", "agreement_inside", "transitive_free"]
    return [*rows, *single, "polarity_parts", "agreement_parts"]


def evaluate(checkpoint: Path, tasks: Path, names: list[str], out: Path, *more: str) -> None:
    """Run the harness's own command line on a checkpoint."""
    command = [sys.executable, "-m", "lm_eval", "--model", "hf", "--device", "cpu"]
    command += ["--model_args", f"pretrained={checkpoint},dtype=float32", "--batch_size", "16"]
    command += ["--include_path", str(tasks), "--tasks", ",".join(names), "--log_samples"]
    command += ["--output_path", str(out), *more]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}
    done = subprocess.run(
        command, env={**os.environ, **offline}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


def _task(folder: Path, name: str, rows: list[dict], config: dict) -> None:
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    files = {"data_files": {"test": str(data)}, "cache_dir": str(folder / "cache")}
    whole = {"task": name, "dataset_path": "json", "dataset_kwargs": files, "test_split": "test"}
    (folder / f"{name}.yaml").write_text(json.dumps(whole | config), encoding="utf-8")


def _group(folder: Path, name: str, tasks: list[str], weighted: bool) -> None:
    means = [{"metric": "acc", "aggregation": "mean", "weight_by_size": weighted}]
    group = {"group": name, "task": tasks, "aggregate_metric_list": means}
    (folder / f"{name}.yaml").write_text(json.dumps(group), encoding="utf-8")


def _without_place(path: Path) -> None:
    """Take out of a results file what it says of the machine that it was made on."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for key in ("pretty_env_info", "git_hash", "upper_git_hash", "configs"):
        content.pop(key, None)
    text = json.dumps(content, indent=1)
    path.write_text(re.sub(r'"[^"]*/(checkpoints/)', r'"\1', text) + "\n", encoding="utf-8")


def main() -> None:
    """Write the committed results anew."""
    work = Path(os.environ.get("TMPDIR", "/tmp")) / "made_results"
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(COMMITTED, ignore_errors=True)
    names = task_files(work / "tasks")
    for run in RUNS:
        checkpoint = repository() / "data" / "mini" / "checkpoints" / run
        chat = ["--apply_chat_template"] if run.endswith("sft") else []
        evaluate(checkpoint, work / "tasks", names, work / run, *chat)
        made = next(path for path in (work / run).iterdir())
        shutil.copytree(made, COMMITTED / f"checkpoints__{run}")
    for path in COMMITTED.rglob("results_*.json"):
        _without_place(path)


if __name__ == "__main__":
    main()
