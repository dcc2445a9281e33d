"""The steps of a training that has more than two stages."""

from __future__ import annotations

from itertools import pairwise

import xarray as xr


def stage_pairs(grid: xr.Dataset) -> list[tuple[str, str]]:
    """Return every pair of neighbouring stages, and the first with the last.

    With pretrain, mid, sft and dpo: (pretrain, mid), (mid, sft), (sft, dpo) and (pretrain, dpo).
    Every protocol that takes two stages takes such a pair.
    """
    stages = [str(stage) for stage in grid["stage"].to_numpy()]
    pairs = list(pairwise(stages))
    return pairs if len(stages) < 3 else [*pairs, (stages[0], stages[-1])]
