"""Results of lm-evaluation-harness, 0.4.0 to 0.4.13.

A results file (`results.json`, `results_<date>.json`, or any name that was given with the suffix
`.json`) says the accuracy of every task and group. Where samples were logged, a file a task says
the log-likelihood of every option:

- from 0.4.3 on `samples_<task>_<date>.jsonl` with the date of the results file, first as one JSON
  list, later as one object a line;
- before that `<model args>_<task>.jsonl`, one JSON list.

What differs from this project's own scoring: the number of tokens of an option is not in these
files, so there is no normalization by token; the harness's `acc_norm` divides by characters, ours
by bytes of UTF-8, which is the same for ASCII text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transfer.errors import BadInput
from transfer.importers.documents import checked_name, read_records, shown
from transfer.importers.evaluation import Evaluation, names_of, share

# In order of preference where two stand for one normalization.
ACCURACIES = {
    "acc": "sum",
    "acc_bytes": "byte",
    "acc_norm": "byte",
    "acc_mutual_info": "unconditional",
}
"""What the harness calls an accuracy, and the normalization of its scores."""

_DATE = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)$")
_PAIR = re.compile(r"\(\s*(?P<number>[-+.\deE]+|-?inf|nan)\s*,")
_MODEL_KEYS = ("peft", "delta", "pretrained", "model", "path", "engine")


def is_results(content: Any) -> bool:
    """Return whether a JSON document is a results file of the harness."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("results"), dict)
        and any(isinstance(content.get(key), dict) for key in ("config", "configs", "versions"))
    )


def read_results(path: Path, content: Mapping[str, Any], root: Path) -> list[Evaluation]:
    """Return the tasks and groups of a results file.

    Parameters
    ----------
    path : Path
    content : mapping
        What `read_json` returns for it.
    root : Path
        The folder that was given, which it lies in.

    Raises
    ------
    BadInput
        If a name cannot be used. An accuracy that is no share is the problem of its task alone.
    """
    where = str(path)
    names, labels = names_of(path, root, _model(content))
    results = {**_section(content, "groups"), **_section(content, "results")}
    under = {
        str(name): tuple(str(part) for part in parts)
        for name, parts in _section(content, "group_subtasks").items()
        if isinstance(parts, list) and parts
    }
    found = []
    for name, metrics in results.items():
        task = checked_name(name, "task", where)
        metrics = metrics if isinstance(metrics, dict) else {}
        accuracies: dict[str, float] = {}
        others: dict[str, float] = {}
        problem = ""
        try:
            accuracies, others = _metrics(metrics, f"{where}: task {shown(task)}")
        except BadInput as error:
            problem = str(error)
        samples = None if task in under else _samples(path, content, task)
        found.append(
            Evaluation(
                source=path,
                names=names,
                labels=labels,
                task=task,
                accuracies=accuracies,
                others=others,
                n_items=_count(content, task, metrics),
                parts=under.get(task, ()),
                samples=samples,
                read=partial(read_samples, samples)
                if samples is not None and not problem and scores_options(samples)
                else None,
                problem=problem,
            )
        )
    return found


def read_samples(path: Path) -> pd.DataFrame:
    """Return the items of a file of samples of a multiple-choice task.

    An item is called by the `id` of its document where every document has one of its own, and by
    its place in the data (`doc_id`) where not. The gold option is read from `target`, an index or
    the option's text, and held against the harness's own `acc` of every item. Where the options
    stand in the context (WinoGrande), `target` does not tell them apart; of two, `acc` does.

    Raises
    ------
    BadInput
        If a line cannot be used; the message names it.
    """
    rows: list[dict[str, Any]] = []
    targets, accurate, ids = [], [], []
    for number, sample in read_records(path):
        where = f"{path}: entry {number}"
        if not _counts(sample):
            continue
        pairs, asked = _requests(sample, where)
        values, options, alone = _split(asked, pairs)
        rows.append(
            {
                "item": checked_name(sample.get("doc_id", len(rows)), "doc_id", where),
                "loglikelihood": values,
                "n_bytes": [
                    max(1, len(_option(text).encode("utf-8", "surrogatepass"))) for text in options
                ],
                "unconditional": alone,
                "options": [_option(text) for text in options],
            }
        )
        targets.append(str(sample.get("target")))
        accurate.append(sample.get("acc"))
        doc = sample.get("doc")
        ids.append(doc.get("id") if isinstance(doc, dict) else None)
    if not rows:
        raise BadInput(f"{path}: holds no item; export the samples again")
    frame = pd.DataFrame(rows)
    frame["gold"] = _golds(rows, targets, accurate, str(path))
    if all(isinstance(id_, str | int) and _short(id_) for id_ in ids) and len(set(ids)) == len(ids):
        frame["item"] = [str(id_) for id_ in ids]
    if frame["item"].duplicated().any():
        twice = frame.loc[frame["item"].duplicated(), "item"].iloc[0]
        raise BadInput(f"{path}: item {shown(twice)} is there twice; export the samples again")
    if frame["unconditional"].isna().any():
        frame["unconditional"] = None
    frame["n_tokens"] = None
    columns = ["item", "gold", "loglikelihood", "n_tokens", "n_bytes", "unconditional"]
    return frame[columns]


def scores_options(path: Path) -> bool:
    """Return whether a file of samples is of a task that compares the scores of options."""
    for _, sample in read_records(path):
        answers = sample.get("filtered_resps")
        return (
            isinstance(answers, list)
            and len(answers) > 1
            and all(_loglikelihood(answer) is not None for answer in answers)
        )
    return False


def _section(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def _model(content: Mapping[str, Any]) -> str:
    """Return the model's name with its revision, as `org/model@step1000`."""
    config = _section(content, "config")
    given = config.get("model_args")
    if isinstance(given, str):
        given = dict(part.split("=", 1) for part in given.split(",") if "=" in part)
    arguments = given if isinstance(given, dict) else {}
    candidates = [content.get("model_name"), *(arguments.get(key) for key in _MODEL_KEYS)]
    named = next((name for name in candidates if isinstance(name, str) and name), "")
    revision = arguments.get("revision", config.get("model_revision"))
    known = isinstance(revision, str) and revision not in ("", "main")
    return f"{named}@{revision}" if named and known else named


def _metrics(metrics: Mapping[str, Any], where: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the accuracies by normalization, and all other measures by their name."""
    if not metrics:
        raise BadInput(f"{where} has no measures; evaluate it again")
    accuracies: dict[str, float] = {}
    others = {}
    by_name = {}
    for key, value in metrics.items():
        name, _, filtered = str(key).partition(",")
        if name.endswith("_stderr") or isinstance(value, bool | str | list | dict | None):
            continue
        if name in ACCURACIES and filtered in ("", "none"):
            by_name[name] = share(value, str(key), where)
        elif name != "sample_len":
            others[str(key)] = float(value)
    for name, normalization in ACCURACIES.items():
        if name in by_name:
            accuracies.setdefault(normalization, by_name[name])
    return accuracies, others


def _count(content: Mapping[str, Any], task: str, metrics: Mapping[str, Any]) -> int | None:
    """Return the number of items that were evaluated, where the file says it."""
    said = _section(content, "n-samples").get(task)
    count = said.get("effective") if isinstance(said, dict) else metrics.get("sample_len")
    usable = isinstance(count, int) and not isinstance(count, bool) and 0 < count < 2**31
    return count if usable else None


def _samples(path: Path, content: Mapping[str, Any], task: str) -> Path | None:
    """Return the file of samples that belongs to a task of a results file, if it is there."""
    if Path(task).name != task:
        # The harness writes no such file, and a name is no way to another folder.
        return None
    dated = _DATE.search(path.stem)
    if dated:
        names = [f"samples_{task}_{dated[1]}.jsonl"]
    else:
        names = [f"samples_{task}.jsonl"]
        arguments = _section(content, "config").get("model_args")
        if isinstance(arguments, str):
            names.append(f"{re.sub('[/=]', '__', arguments)}_{task}.jsonl")
    try:
        return next((path.parent / name for name in names if (path.parent / name).is_file()), None)
    except OSError:
        return None


def _counts(sample: Mapping[str, Any]) -> bool:
    """Return whether a sample is of the filter whose measures the task reports as accuracy."""
    return sample.get("filter", "none") == "none"


def _requests(sample: Mapping[str, Any], where: str) -> tuple[list[tuple[str, str]], list[float]]:
    """Return the context and continuation of every request, and its log-likelihood in nats."""
    answers, asked = sample.get("filtered_resps"), sample.get("arguments")
    if isinstance(asked, dict):
        asked = [
            (entry.get("arg_0"), entry.get("arg_1"))
            for entry in asked.values()
            if isinstance(entry, dict)
        ]
    if not isinstance(answers, list) or not isinstance(asked, list) or len(asked) != len(answers):
        raise BadInput(f"{where} lacks arguments or filtered_resps; export the samples again")
    values = [_loglikelihood(answer) for answer in answers]
    pairs = [
        (str(pair[0]), str(pair[1])) if isinstance(pair, list | tuple) and len(pair) == 2 else None
        for pair in asked
    ]
    if len(values) < 2 or any(value is None for value in values) or any(p is None for p in pairs):
        raise BadInput(f"{where} compares no options; it is not of a multiple-choice task")
    numbers = [value for value in values if value is not None]
    if not all(math.isfinite(value) and value < 1e-3 for value in numbers):
        raise BadInput(
            f"{where} holds a log-likelihood that is not finite and at most 0; score it again"
        )
    return [pair for pair in pairs if pair is not None], numbers


def _loglikelihood(answer: Any) -> float | None:
    """Return the number of `[log-likelihood, is greedy]`, written as numbers or as text."""
    if isinstance(answer, list | tuple) and len(answer) == 1:
        answer = answer[0]
    if isinstance(answer, str) and (written := _PAIR.match(answer)):
        answer = [written["number"]]
    if not isinstance(answer, list | tuple) or not answer:
        return None
    number = answer[0]
    if isinstance(number, bool) or not isinstance(number, str | int | float):
        return None
    try:
        return float(number)
    except (ValueError, OverflowError):
        return None


def _split(
    values: list[float], pairs: list[tuple[str, str]]
) -> tuple[list[float], list[str], list[float] | None]:
    """Return what was asked in the context apart from what was asked without one.

    For mutual information the harness asks every option again after an empty context: after all
    the others, or (to 0.4.2) after each of them.
    """
    alone = [at for at, (context, _) in enumerate(pairs) if context == ""]
    given = [at for at, (context, _) in enumerate(pairs) if context != ""]
    texts = [_option(option) for _, option in pairs]
    if len(given) < 2 or [texts[at] for at in given] != [texts[at] for at in alone]:
        return values, [option for _, option in pairs], None
    return [values[at] for at in given], [texts[at] for at in given], [values[at] for at in alone]


def _option(continuation: str) -> str:
    """Return an option without the space that sets it apart from the context."""
    return continuation.removeprefix(" ")


def _golds(
    rows: list[dict[str, Any]], targets: list[str], accurate: list[Any], where: str
) -> list[int]:
    """Return the index of each item's right option.

    A target `1` may be an index or the text of an option; the reading that gives the harness's own
    accuracy of every item is the right one.
    """
    readings, contradicted = [], False
    for read in (_by_index, _by_text):
        golds = [read(target, row["options"]) for target, row in zip(targets, rows, strict=True)]
        if any(gold is None for gold in golds):
            continue
        known = [gold for gold in golds if gold is not None]
        agree = all(
            not isinstance(said, int | float)
            or (int(np.argmax(row["loglikelihood"])) == gold) == (said == 1)
            for said, gold, row in zip(accurate, known, rows, strict=True)
        )
        contradicted |= not agree
        if agree:
            readings.append(known)
    pairs = all(len(row["loglikelihood"]) == 2 for row in rows)
    if not readings and pairs and all(said in (0, 1) for said in accurate):
        chosen = [int(np.argmax(row["loglikelihood"])) for row in rows]
        return [c if said == 1 else 1 - c for c, said in zip(chosen, accurate, strict=True)]
    if not readings and contradicted and rows[0]["unconditional"] is not None:
        raise BadInput(
            f"{where}: acc does not go with the log-likelihoods (0.4.5 and its neighbours "
            "mix up the options of tasks with acc_mutual_info); evaluate it again"
        )
    if not readings:
        raise BadInput(
            f"{where}: the right options cannot be told from target and acc (several right "
            "options?); import the accuracy alone by moving the file away"
        )
    if len(readings) == 2 and readings[0] != readings[1]:
        raise BadInput(
            f"{where}: target may be an option's index or its text, and acc does not decide; "
            "import the accuracy alone by moving the file away"
        )
    return readings[0]


def _by_index(target: str, options: list[str]) -> int | None:
    if re.fullmatch(r"\d{1,6}", target, re.ASCII) and int(target) < len(options):
        return int(target)
    return None


def _by_text(target: str, options: list[str]) -> int | None:
    texts = [option.strip() for option in options]
    return texts.index(target.strip()) if texts.count(target.strip()) == 1 else None


def _short(value: str | int) -> bool:
    try:
        checked_name(value, "id", "")
    except BadInput:
        return False
    return True
