"""Grids made up for tests of what takes a grid."""

import numpy as np
import xarray as xr

DIMS = ("scale", "stage", "seed", "mixture", "benchmark")
CATEGORIES = ["Commonsense"] * 3 + ["Science"] * 3 + ["NLI"] * 3 + ["Semantic"] * 3


def make_grid(seed=0, scales=("S", "L"), seeds=2, share_missing=0.0, digits=None):
    """Return a grid of nine mixtures and twelve benchmarks whose stages go together."""
    rng = np.random.default_rng(seed)
    shape = (len(scales), 2, seeds, 9, 12)
    signal = rng.normal(size=(len(scales), 1, 1, 9, 12))
    gone = rng.random(shape) < share_missing
    variables = {}
    for name in ("accuracy", "confidence", "nll"):
        values = 0.5 + 0.05 * signal + 0.05 * rng.normal(size=shape)
        if digits is not None:
            values = values.round(digits)
        variables[name] = (DIMS, np.where(gone, np.nan, values))
    webs = ("V1", "V2", "V3")
    return xr.Dataset(
        variables,
        coords={
            "scale": list(scales),
            "stage": ["pretrain", "sft"],
            "seed": list(range(seeds)),
            "mixture": [f"{web}P{p}" for web in webs for p in range(3)],
            "benchmark": [f"b{number}" for number in range(12)],
            "category": ("benchmark", CATEGORIES),
            "chance": ("benchmark", [0.25] * 12),
            "web": ("mixture", [web for web in webs for _ in range(3)]),
            "code_share": ("mixture", [0.25, 0.35, 0.45] * 3),
            "curated_share": ("mixture", [0.1, 0.2, 0.3] * 3),
        },
    )
