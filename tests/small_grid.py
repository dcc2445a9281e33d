"""A small study: two mixtures at one scale, one benchmark, and what finished runs leave."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from transfer.benchmarks import generate, items_hash
from transfer.plans import inputs, recipe
from transfer.suite import Run, load_suite
from transfer.tables import write_items
from transfer.workspace import Workspace

BENCHMARK = "agreement"


def write_suite(path: Path, **changes: object) -> Path:
    """Write the mini suite cut down to two mixtures, one seed of S and one benchmark."""
    whole = load_suite("mini").model_dump(mode="json")
    whole |= {
        "name": "small",
        "mixtures": whole["mixtures"][:2],
        "scales": [whole["scales"][0] | {"seeds": [0]}],
        "benchmarks": [b for b in whole["benchmarks"] if b["name"] == BENCHMARK],
        "trajectory": None,
    }
    path.write_text(yaml.safe_dump(whole | changes))
    return path


def finish(run: Run, space: Workspace, weights: str | None = None) -> None:
    """Write what a trained and scored run leaves."""
    folder = space.checkpoint(run)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes((weights or run.name).encode())
    checkpoint = _sha256(weights or run.name)
    shards = space.shards(run.mixture)
    for path in (space.tokenizer / "tokenizer.json", space.instructions, shards / "tokens.npy"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.parent.name)
    (shards / "manifest.json").write_text("{}")
    plan = recipe(load_suite("mini"), run) | inputs(run, space)
    record = {
        "tokens": 100,
        "seconds": 36.0,
        "threads": 1,
        "device": "cpu",
        "processor": "a processor",
        "compiled": True,
        "step": 2,
        "checkpoint_sha256": checkpoint,
        "suite_sha256": "dd",
        "plan": plan,
        "versions": {"torch": "1"},
        "created": "2026-01-01T00:00:00+00:00",
    }
    (folder / "run.json").write_text(json.dumps(record))
    loss = pd.DataFrame({"step": [1, 2], "tokens": [50, 100], "loss": [8.0, 7.0]})
    loss.to_csv(folder / "loss.csv", index=False)
    metadata = {
        "suite": "small",
        **run.model_dump(),
        "step": 2,
        "checkpoint_sha256": checkpoint,
        "items_sha256": {BENCHMARK: items_hash(generate(BENCHMARK, 1000))},
    }
    write_items(space.items(run), made_items(run), metadata)


def made_items(run: Run) -> pd.DataFrame:
    """Return an items table with made-up log-likelihoods, other ones for each run."""
    rows = generate(BENCHMARK, 1000)
    random = np.random.default_rng(list(run.name.encode()))
    shape = (len(rows), 2)
    return pd.DataFrame(
        {
            "benchmark": BENCHMARK,
            "item": [row["id"] for row in rows],
            "gold": np.array([row["gold"] for row in rows], dtype=np.int32),
            "loglikelihood": list((-9 * random.random(shape)).astype(np.float32)),
            "n_tokens": [np.array([1, 1], dtype=np.int32)] * len(rows),
            "n_bytes": [np.array([3, 3], dtype=np.int32)] * len(rows),
            "unconditional": list((-9 * random.random(shape)).astype(np.float32)),
        }
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
