"""Results of OLMES: `*metrics.json` and, beside it, `*predictions.jsonl` of one task.

A prediction holds, for every option, the summed log-likelihood, its tokens and its characters, and
where the task asks for it the log-likelihood after a neutral context. Bytes are worked out from
`logits_per_byte` (bits a byte) where it is there; where not, characters stand for them, which is
the same for ASCII text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transfer.errors import BadInput
from transfer.importers.documents import checked_name, read_records, shown
from transfer.importers.evaluation import Evaluation, names_of, share

ACCURACIES = {
    "acc_raw": "sum",
    "acc_per_token": "token",
    "acc_per_byte": "byte",
    "acc_per_char": "byte",
    "acc_uncond": "unconditional",
}
"""What OLMES calls an accuracy, and the normalization of its scores."""


def is_metrics(content: Any) -> bool:
    """Return whether a JSON document is the metrics of one OLMES task."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("metrics"), dict)
        and isinstance(content.get("task_config"), dict)
    )


def read_metrics(path: Path, content: Mapping[str, Any], root: Path) -> list[Evaluation]:
    """Return the task of a metrics file, as a list of one.

    Raises
    ------
    BadInput
        If a name cannot be used or an accuracy is no share.
    """
    where = str(path)
    names, labels = names_of(path, root, _model(content))
    config = content["task_config"]
    named = content.get("task_name") or config.get("task_name")
    task = checked_name(named, "task_name", where)
    accuracies: dict[str, float] = {}
    others: dict[str, float] = {}
    metrics = content["metrics"]
    for name, value in metrics.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            others[str(name)] = float(value)
    for name, normalization in ACCURACIES.items():
        if name in others:
            value = share(others.pop(name), name, f"{where}: task {shown(task)}")
            accuracies.setdefault(normalization, value)
    count = content.get("num_instances")
    samples = path.with_name(path.name.removesuffix("metrics.json") + "predictions.jsonl")
    there = samples.name != path.name and samples.is_file()
    scored = there and _scores_options(samples)
    return [
        Evaluation(
            source=path,
            names=names,
            labels=labels,
            task=task,
            accuracies=accuracies,
            others=others,
            n_items=count if isinstance(count, int) and 0 < count < 2**31 else None,
            samples=samples if there else None,
            read=partial(read_predictions, samples) if scored else None,
        )
    ]


def read_predictions(path: Path) -> pd.DataFrame:
    """Return the items of a file of predictions.

    Raises
    ------
    BadInput
        If a line cannot be used; the message names it.
    """
    rows = []
    for number, entry in read_records(path):
        where = f"{path}: entry {number}"
        outputs = entry.get("model_output")
        if not isinstance(outputs, list) or len(outputs) < 2:
            raise BadInput(f"{where} compares no options; it is not of a multiple-choice task")
        try:
            values = [float(output["sum_logits"]) for output in outputs]
            tokens = [int(output["num_tokens"]) for output in outputs]
            lengths = [_bytes(output) for output in outputs]
            alone = [float(o["sum_logits_uncond"]) for o in outputs if "sum_logits_uncond" in o]
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise BadInput(
                f"{where}: model_output lacks {shown(str(error))}; export the predictions again"
            ) from None
        if not all(math.isfinite(value) and value < 1e-3 for value in [*values, *alone]):
            raise BadInput(
                f"{where} holds a log-likelihood that is not finite and at most 0; score it again"
            )
        if not all(0 < count < 2**31 for count in (*tokens, *lengths)):
            raise BadInput(f"{where} holds a length below 1; export the predictions again")
        rows.append(
            {
                "item": checked_name(entry.get("native_id", number), "native_id", where),
                "gold": _gold(entry, values, where),
                "loglikelihood": values,
                "n_tokens": tokens,
                "n_bytes": lengths,
                "unconditional": alone if len(alone) == len(values) else None,
                "doc": checked_name(entry.get("doc_id", number), "doc_id", where),
            }
        )
    if not rows:
        raise BadInput(f"{path}: holds no item; export the predictions again")
    frame = pd.DataFrame(rows)
    if frame["item"].duplicated().any():
        frame["item"] = frame["doc"]
    if frame["item"].duplicated().any():
        twice = frame.loc[frame["item"].duplicated(), "item"].iloc[0]
        raise BadInput(f"{path}: item {shown(twice)} is there twice; export it again")
    if frame["unconditional"].isna().any():
        frame["unconditional"] = None
    return frame.drop(columns="doc")


def _model(content: Mapping[str, Any]) -> str:
    config = content.get("model_config")
    if not isinstance(config, dict) or not isinstance(config.get("model"), str):
        return ""
    revision = config.get("revision")
    return f"{config['model']}@{revision}" if isinstance(revision, str) else config["model"]


def _scores_options(path: Path) -> bool:
    for _, entry in read_records(path):
        outputs = entry.get("model_output")
        return (
            isinstance(outputs, list)
            and len(outputs) > 1
            and all(isinstance(output, dict) and "sum_logits" in output for output in outputs)
        )
    return False


def _bytes(output: Mapping[str, Any]) -> int:
    bits = output.get("logits_per_byte")
    if isinstance(bits, int | float) and math.isfinite(bits) and bits > 0:
        return round(-float(output["sum_logits"]) / (math.log(2) * bits))
    return int(output["num_chars"])


def _gold(entry: Mapping[str, Any], values: list[float], where: str) -> int:
    """Return the right option, held against OLMES's own accuracy of the item."""
    metrics = entry.get("metrics")
    metrics = metrics if isinstance(metrics, dict) else {}
    gold = entry.get("label", metrics.get("correct_choice"))
    if isinstance(gold, bool) or not isinstance(gold, int) or not 0 <= gold < len(values):
        raise BadInput(f"{where}: label {shown(gold)} is no option; export the predictions again")
    said = metrics.get("acc_raw")
    if isinstance(said, int | float) and (int(np.argmax(values)) == gold) != (said == 1):
        raise BadInput(f"{where}: acc_raw is {said:g}, its options say otherwise; mend the file")
    return gold
