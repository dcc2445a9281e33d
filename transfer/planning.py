"""What a grid takes before it starts, and how far it is while it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from transfer.entries import STAGES, Scale
from transfer.files import held
from transfer.grid import committed_runs, data_folder
from transfer.suite import Run, Suite
from transfer.tables import parameters
from transfer.workspace import Workspace

STATES = ("done", "running", "failed", "left")
_WEIGHT_BYTES = 2
"""Checkpoints are kept in bfloat16."""


def training_flops(scale: Scale, vocabulary: int, tokens: float, length: int) -> float:
    r"""Return the floating-point operations of training on some tokens.

    .. math:: 6 N T + 6 L h \ell T

    with N the weights that multiply (the head, and not the embedding), L layers whose heads are h
    wide together, and sequences of :math:`\ell` tokens, of which causal attention sees half on
    average (Kaplan et al. 2020, section 2.1, with the attention of all positions instead of a
    window).
    """
    weights = parameters(scale, vocabulary)["non_embedding"] + vocabulary * scale.hidden_size
    return 6 * tokens * (weights + scale.layers * scale.heads * scale.head_width * length)


def plan(suite: Suite, runs: Sequence[Run], tflops: float | None = None) -> pd.DataFrame:
    """Return what training some runs takes, one row a scale and stage.

    Parameters
    ----------
    suite : Suite
    runs : sequence of Run
    tflops : float, optional
        Sustained teraflops of one device. Without it, hours are what runs took (see
        `measured_seconds`); NaN where there is none of a stage.

    Returns
    -------
    DataFrame
        `scale, stage, runs, tokens` (of one run), `pflop` (of one run), `hours` (of all, on one
        device or core), `disk_mb` (of all the checkpoints).
    """
    seconds = measured_seconds(suite)
    rows = []
    for scale in suite.scales:
        for stage in STAGES:
            count = sum(run.scale == scale.name and run.stage == stage for run in runs)
            if not count:
                continue
            tokens, _ = _tokens(suite, scale, stage)
            flops = _flops(suite, scale, stage)
            each = flops / (tflops * 1e12) if tflops else seconds.get((scale.name, stage), np.nan)
            weights = parameters(scale, suite.tokenizer.vocabulary)["total"]
            rows.append(
                {
                    "scale": scale.name,
                    "stage": stage,
                    "runs": count,
                    "tokens": tokens,
                    "pflop": flops / 1e15,
                    "hours": count * each / 3600,
                    "disk_mb": count * weights * _WEIGHT_BYTES / 1e6,
                }
            )
    return pd.DataFrame(rows)


def measured_seconds(suite: Suite) -> dict[tuple[str, str], float]:
    """Return the median seconds that a run of each scale and stage took to train.

    Those of this workspace, or else those of committed runs on one core of a CPU. A scale without
    any takes as long as its operations take at the median rate of that stage's other scales.
    """
    took: dict[tuple[str, str], list[float]] = {}
    here: dict[tuple[str, str], list[float]] = {}
    committed = data_folder(suite.name) / "runs.csv"
    if committed.exists():
        for row in pd.read_csv(committed).to_dict("records"):
            if row["device"] == "cpu":
                took.setdefault((row["scale"], row["stage"]), []).append(row["seconds"])
    for run in suite.runs():
        record = Workspace(suite.name).checkpoint(run) / "run.json"
        if record.exists():
            said = json.loads(record.read_text(encoding="utf-8"))
            here.setdefault((run.scale, run.stage), []).append(float(said["seconds"]))
    # What this machine took counts, where it took anything.
    seconds = {key: float(np.median(values)) for key, values in (took | here).items()}
    scales = {scale.name: scale for scale in suite.scales}
    for stage in STAGES:
        flops = {name: _flops(suite, scale, stage) for name, scale in scales.items()}
        rates = [flops[name] / seconds[name, stage] for name in flops if (name, stage) in seconds]
        for name in flops:
            if rates:
                seconds.setdefault((name, stage), flops[name] / float(np.median(rates)))
    return seconds


def jobs(suite: Suite, runs: Sequence[Run]) -> list[tuple[Run, str, Path]]:
    """Return every job of some runs: the run, the step, and the file that closes it."""
    space = Workspace(suite.name)
    out = []
    for run in runs:
        out.append((run, "train", space.checkpoint(run) / "model.safetensors"))
        out.append((run, "score", space.items(run)))
        out.append((run, "control", space.control(run)))
        if suite.points(run):
            out.append((run, "trajectory", space.trajectory(run)))
    return out


def state(workspace: Workspace, run: Run, step: str, closes: Path) -> str:
    """Return how a job stands: done, running, failed or left.

    A job that was killed is left: it goes on where it stood.
    """
    if closes.exists():
        return "done"
    if held(workspace.lock(run, step)):
        return "running"
    return "failed" if workspace.failure(run, step).exists() else "left"


def status(suite: Suite, runs: Sequence[Run]) -> pd.DataFrame:
    """Return how many jobs are done, running, failed and left, per scale, stage and step.

    Jobs of committed runs are done, wherever they were made.

    Returns
    -------
    DataFrame
        `scale, stage, step, done, running, failed, left, hours`: hours of one core to go, for
        training, by what finished runs took (NaN where none has finished).
    """
    space = Workspace(suite.name)
    seconds = measured_seconds(suite)
    committed = committed_runs(suite)
    counts: dict[tuple[str, str, str], dict[str, float]] = {}
    for run, step, closes in jobs(suite, runs):
        row = counts.setdefault((run.scale, run.stage, step), dict.fromkeys(STATES, 0))
        row["done" if run.name in committed else state(space, run, step, closes)] += 1
    rows = []
    for (scale, stage, step), row in counts.items():
        togo = row["running"] + row["failed"] + row["left"]
        each = seconds.get((scale, stage), np.nan) if step == "train" else 0.0
        hours = togo * each / 3600 if togo else 0.0
        rows.append({"scale": scale, "stage": stage, "step": step, **row, "hours": hours})
    return pd.DataFrame(rows)


def failures(suite: Suite, runs: Sequence[Run]) -> list[tuple[str, str, str, Path]]:
    """Return, of every failed job, the run, the step, what it said last, and its log."""
    space = Workspace(suite.name)
    return [
        (run.name, step, space.failure(run, step).read_text(encoding="utf-8").strip(), log)
        for run, step, closes in jobs(suite, runs)
        if state(space, run, step, closes) == "failed"
        for log in [space.log(run, step)]
    ]


def _flops(suite: Suite, scale: Scale, stage: str) -> float:
    """Return the floating-point operations of training one run, padding included at most."""
    tokens, length = _tokens(suite, scale, stage)
    return training_flops(scale, suite.tokenizer.vocabulary, tokens, length)


def _tokens(suite: Suite, scale: Scale, stage: str) -> tuple[float, int]:
    """Return the tokens of a run, padding included at most, and the length of its sequences."""
    if stage == "pretrain":
        return scale.tokens, suite.pretrain.sequence_length
    recipe = suite.finetuning(scale)
    return recipe.examples * recipe.epochs * recipe.max_length, recipe.max_length
