"""What every column of every table means, and in which unit: the data reference reads it here."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from transfer.tables.items import ITEMS
from transfer.tables.measures import CONTROL, MEASURES, TRAJECTORY


class Column(NamedTuple):
    """One column of a table."""

    name: str
    kind: str
    unit: str
    meaning: str


class Described(NamedTuple):
    """One table: its file in a suite's folder or in `data/`, what a row is, and its columns."""

    file: str
    row: str
    columns: tuple[Column, ...]


_SHARE = "0 to 1"
_RUN = {
    "mixture": ("", "pretraining mixture"),
    "scale": ("", "size of the model"),
    "seed": ("", "of the training run: weights and order of the text"),
    "stage": ("", "pretrain or sft, or a stage of your own"),
}
_SAID = {
    "suite": ("", "name of the suite"),
    **_RUN,
    "benchmark": ("", "its name"),
    "category": ("", "of the benchmark"),
    "normalization": ("", "how options of other length are made comparable"),
    "n_items": ("items", "how many were scored"),
    "chance": (_SHARE, "accuracy of guessing"),
    "accuracy": (_SHARE, "share of items whose best option is the gold one"),
    "confidence": (_SHARE, "softmax probability of the best option, mean over items"),
    "gold_probability": (_SHARE, "softmax probability of the gold option, mean over items"),
    "nll": ("nats", "negative log of the gold option's probability, mean over items"),
    "brier": ("0 to 2", "squared error of the probabilities over options, mean over items"),
    "ece": (_SHARE, "expected calibration error, bins of equal mass"),
    "aurc": (_SHARE, "area under the risk-coverage curve"),
    "auroc": (_SHARE, "how well confidence tells right from wrong; one half is a coin"),
    "item": ("", "first digits of the hash of context and options"),
    "gold": ("", "index of the right option, from 0"),
    "loglikelihood": ("nats", "of each option after the context, summed over its tokens"),
    "n_tokens": ("tokens", "of each option"),
    "n_bytes": ("bytes", "of each option"),
    "unconditional": ("nats", "of each option after an empty context"),
    "checkpoint_sha256": ("", "hash of the run's weights at the end"),
    "step": ("steps", "of the optimizer in this stage"),
    "tokens": ("tokens", "read so far in this stage"),
}


def _from(schema: pa.Schema) -> tuple[Column, ...]:
    return tuple(Column(field.name, str(field.type), *_SAID[field.name]) for field in schema)


def _keys(*names: str) -> tuple[Column, ...]:
    return tuple(Column(n, "int" if n == "seed" else "string", *_RUN[n]) for n in names)


TABLES = (
    Described("measures.parquet", "a run, benchmark and normalization", _from(MEASURES)),
    Described("items/<run>.parquet", "a benchmark and item of one run", _from(ITEMS)),
    Described(
        "control.parquet",
        "as measures.parquet, on items whose contexts were swapped",
        _from(CONTROL),
    ),
    Described(
        "trajectory.parquet",
        "as measures.parquet, at a point of training",
        _from(TRAJECTORY),
    ),
    Described(
        "runs.csv",
        "a run",
        (
            Column("run", "string", "", "<mixture>-<scale>-s<seed>-<stage>"),
            *_keys("mixture", "scale", "seed", "stage"),
            Column("tokens", "int", "tokens", "read in this stage"),
            Column("seconds", "float", "seconds", "of training"),
            Column("threads", "int", "threads", "of the processor that were used"),
            Column("device", "string", "", "cpu or the kind of accelerator"),
            Column("checkpoint_sha256", "string", *_SAID["checkpoint_sha256"]),
            Column("suite_sha256", "string", "", "hash of the suite file"),
            Column("shard_sha256", "string", "", "hash of the mixture's tokens; pretraining"),
            Column("tokenizer_sha256", "string", "", "hash of the tokenizer; pretraining"),
            Column("parent_sha256", "string", "", "hash of the weights that SFT began with"),
            Column("instructions_sha256", "string", "", "hash of the fine-tuning set; SFT"),
            Column("versions", "string", "", "of the packages that trained"),
            Column("created", "string", "ISO 8601, UTC", "when training ended"),
            Column("processor", "string", "", "its model and widest vector instructions"),
            Column("compiled", "bool", "", "whether the training step was one compiled graph"),
        ),
    ),
    Described(
        "loss.csv",
        "a point of a run's training",
        (
            Column("step", "int", *_SAID["step"]),
            Column("tokens", "int", *_SAID["tokens"]),
            Column("loss", "float", "nats per token", "mean since the point before"),
            Column("learning_rate", "float", "", "at this step"),
            Column("run", "string", "", "<mixture>-<scale>-s<seed>-<stage>"),
            *_keys("mixture", "scale", "seed", "stage"),
        ),
    ),
    Described(
        "paper/figures.csv",
        "a published number that a claim is held against",
        (
            Column("quantity", "string", "", "what was measured"),
            Column("unit_name", "string", "", "of what: a benchmark, a category, or a mean"),
            Column("scale", "string", "", "of the paper: 240M or 1B"),
            Column("stage", "string", "", "empty where it is of both"),
            Column("value", "float", "as the quantity", "the number"),
            Column("source", "string", "", "where it was read"),
        ),
    ),
    Described(
        "simulations/coverage.csv",
        "a simulated case, of many studies each",
        (
            Column("scores", "string", "", "distribution of the scores"),
            Column("mixtures", "int", "mixtures", "in each study"),
            Column("rho", "float", "-1 to 1", "the true r"),
            Column("kind", "string", "", "of interval"),
            Column("coverage", "float", _SHARE, "share of studies whose interval holds rho"),
            Column("error", "float", _SHARE, "standard error of that share"),
            Column("width", "float", "of r", "mean width of the intervals"),
        ),
    ),
)
"""The tables of a study, in reading order; those of `data/bench` are described beside them."""
