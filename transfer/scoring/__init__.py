"""Option log-likelihoods of checkpoints on benchmarks, as items tables.

`requests` makes requests of items and a table of their values, `values` takes a checkpoint through
it, `journal` keeps what is computed, `processes` shares it out over devices, and `runs` writes the
tables of a suite's runs.
"""

from transfer.scoring.requests import Items, Requests
from transfer.scoring.runs import (
    Scored,
    questions,
    read_benchmarks,
    score_folder,
    score_run,
    score_to_tables,
)
from transfer.scoring.values import score, score_each, score_items

__all__ = [
    "Items",
    "Requests",
    "Scored",
    "questions",
    "read_benchmarks",
    "score",
    "score_each",
    "score_folder",
    "score_items",
    "score_run",
    "score_to_tables",
]
