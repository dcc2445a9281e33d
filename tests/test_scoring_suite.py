"""The committed items of shipped checkpoints, against lm-evaluation-harness on our task files."""

from pathlib import Path

import numpy as np
import pytest

from transfer import benchmarks
from transfer.scoring import score
from transfer.suite import Run, load_suite, repository
from transfer.tables import read_items
from transfer.workspace import Workspace

TOLERANCE = 1e-4
LIMIT = 20
SUITE = load_suite()
DATA = repository() / "data" / SUITE.name


def harness_loglikelihoods(checkpoint: Path, names: list[str], chat: bool) -> dict[str, list]:
    """Return, per task, the option log-likelihoods of the first items by their `hf` model."""
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.tasks import TaskManager

    result = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(checkpoint), "dtype": "float32", "device": "cpu"},
        tasks=names,
        task_manager=TaskManager(
            include_path=str(repository() / "data" / "benchmarks"), include_defaults=False
        ),
        limit=LIMIT,
        log_samples=True,
        apply_chat_template=chat,
        bootstrap_iters=0,
        batch_size=16,
    )
    return {
        name: [
            (
                sample["doc"]["id"],
                [float(answer[0][0]) for answer in sample["resps"]][
                    : len(sample["doc"]["options"])
                ],
            )
            for sample in samples
        ]
        for name, samples in result["samples"].items()
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("run", ["V1P1-S-s0-pretrain", "V1P1-S-s0-sft"])
def test_every_benchmark_has_the_loglikelihoods_of_lm_evaluation_harness(run, monkeypatch):
    names = [benchmark.name for benchmark in SUITE.benchmarks]
    space = Workspace(SUITE.name)
    if not all((space.benchmarks / f"{name}-test.jsonl").exists() for name in names):
        pytest.skip("the items are not built here; run `transfer suite prepare mini`")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    committed, metadata = read_items(DATA / "items" / f"{run}.parquet")
    asked = set(metadata["chat"])
    assert asked == (
        {b.name for b in SUITE.benchmarks if b.prompt == "question"}
        if Run.parse(run).stage == "sft"
        else set()
    )
    items = {name: benchmarks.items(name, "test", SUITE.name, space)[:LIMIT] for name in names}
    now = score(DATA / "checkpoints" / run, items, asked).set_index(["benchmark", "item"])
    worst, live = {}, {}
    for chat in (False, True):
        group = [name for name in names if (name in asked) == chat]
        if not group:
            continue
        theirs = harness_loglikelihoods(DATA / "checkpoints" / run, group, chat)
        for name in group:
            rows = committed[committed["benchmark"] == name]
            digits = len(rows["item"].iloc[0])
            ours = rows.set_index("item")["loglikelihood"]
            gaps = [
                np.abs(np.subtract(ours[item[:digits]], values)).max()
                for item, values in theirs[name]
            ]
            assert len(gaps) == LIMIT
            worst[name] = max(gaps)
            again = now.loc[name, "loglikelihood"]
            live[name] = max(np.abs(np.subtract(again[i], v)).max() for i, v in theirs[name])
    assert set(worst) == set(names)
    for what, gaps in (("committed", worst), ("scored now", live)):
        largest = max(gaps, key=gaps.get)
        print(f"{run}, {what}: off by {gaps[largest]:.1e} nats at most ({largest})")
    assert max(live.values()) < TOLERANCE, live
    assert max(worst.values()) < TOLERANCE, worst
