"""Option log-likelihoods of checkpoints on benchmarks, as items tables.

`requests` makes requests of items and a table of their values, `runs` takes checkpoints through
it, `journal` keeps what is computed, and `processes` shares it out over devices.
"""

from transfer.scoring.requests import Items, Requests
from transfer.scoring.runs import (
    Scored,
    questions,
    read_benchmarks,
    score,
    score_each,
    score_folder,
    score_items,
    score_run,
    score_to_table,
    score_to_tables,
)

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
    "score_to_table",
    "score_to_tables",
]
