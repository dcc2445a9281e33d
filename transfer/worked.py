"""A made-up study small enough to do by hand: four mixtures, three benchmarks, round numbers.

On each benchmark the four scores are the same four numbers in another order, so every correlation
over mixtures is a whole multiple of 0.2. It is there to be followed, and says nothing about models.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import xarray as xr

METRICS = ("accuracy", "confidence")
MIXTURES = ("V1P0", "V1P1", "V2P0", "V2P1")
CODE_SHARE = {"V1P0": 0.25, "V1P1": 0.35, "V2P0": 0.25, "V2P1": 0.35}

_SCORES = {
    ("accuracy", "pretrain"): {
        "quiz": (0.3, 0.4, 0.5, 0.6),
        "facts": (0.4, 0.3, 0.6, 0.5),
        "causes": (0.5, 0.3, 0.4, 0.6),
    },
    ("accuracy", "sft"): {
        "quiz": (0.4, 0.6, 0.5, 0.7),
        "facts": (0.6, 0.5, 0.4, 0.3),
        "causes": (0.5, 0.6, 0.4, 0.7),
    },
    ("confidence", "pretrain"): {
        "quiz": (0.6, 0.8, 0.7, 0.5),
        "facts": (0.7, 0.8, 0.5, 0.6),
        "causes": (0.8, 0.5, 0.6, 0.7),
    },
    ("confidence", "sft"): {
        "quiz": (0.7, 0.9, 0.6, 0.8),
        "facts": (0.7, 0.6, 0.9, 0.8),
        "causes": (0.8, 0.6, 0.9, 0.7),
    },
}


def scores(metric: str, stage: str) -> pd.DataFrame:
    """Return one measure at one stage, a row a mixture and a column a benchmark.

    Parameters
    ----------
    metric : {"accuracy", "confidence"}
    stage : {"pretrain", "sft"}
    """
    return pd.DataFrame(_SCORES[metric, stage], index=pd.Index(MIXTURES, name="mixture"))


def grid() -> xr.Dataset:
    """Return the study as `transfer.read_measures` returns a table, with webs and code shares."""
    from transfer.tables import check_measures
    from transfer.tables.dataset import to_grid

    keys = {"scale": "S", "seed": 0, "category": "Science"}
    rows = [
        keys
        | {"stage": stage, "mixture": mixture, "benchmark": benchmark}
        | {metric: scores(metric, stage).loc[mixture, benchmark] for metric in METRICS}
        for stage in ("pretrain", "sft")
        for mixture in MIXTURES
        for benchmark in _SCORES["accuracy", stage]
    ]
    notes = {
        "mixtures": {
            name: {"web": name[:2], "code_share": share} for name, share in CODE_SHARE.items()
        }
    }
    return to_grid(
        check_measures(pd.DataFrame(rows), "the worked study"),
        None,
        None,
        notes,
        {},
        Path("worked"),
    )
