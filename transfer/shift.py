"""What fine-tuning does to single items: how confidence moves, and which answers turn over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from transfer.protocols.correlations import correlation


def shift(items: Mapping[str, xr.Dataset]) -> xr.Dataset:
    r"""Return how the items of each run change from one stage to the next.

    Two models that are right on shares p and q of the items at random, without regard to each
    other, turn p (1 − q) of them from right to wrong. Cohen's kappa sets the agreement that is seen
    against that of chance,

    .. math:: \kappa = \frac{A - E}{1 - E}, \quad E = p q + (1 - p)(1 - q),

    with A the share of items that are right at both stages or wrong at both: 0 is what chance
    gives, 1 means that no answer turns.

    Parameters
    ----------
    items : mapping
        Per-item measures by benchmark, from `transfer.itemwise.read_itemwise`, with both stages.

    Returns
    -------
    Dataset
        Over `scale, seed, mixture, benchmark`: `right_to_wrong` and `wrong_to_right`, shares of
        all items, and the same `_by_chance`; `kappa` (NaN where all items are right, or all wrong,
        at both stages); `confidence_change`, the mean over items, `confidence_spread`, the standard
        deviation of the change, and `confidence_r`, the correlation over items of confidence before
        and after.
    """
    parts = []
    for part in items.values():
        before, after = (part.sel(stage=stage, drop=True) for stage in ("pretrain", "sft"))
        was, now = before["accuracy"], after["accuracy"]
        p, q = was.mean("item", skipna=False), now.mean("item", skipna=False)
        agreement = 1 - ((was - now) ** 2).mean("item", skipna=False)
        chance = p * q + (1 - p) * (1 - q)
        change = after["confidence"] - before["confidence"]
        r = xr.apply_ufunc(
            lambda x, y: correlation(x, y)[0],
            before["confidence"],
            after["confidence"],
            input_core_dims=[["item"], ["item"]],
        )
        parts.append(
            xr.Dataset(
                {
                    "right_to_wrong": (was * (1 - now)).mean("item", skipna=False),
                    "right_to_wrong_by_chance": p * (1 - q),
                    "wrong_to_right": ((1 - was) * now).mean("item", skipna=False),
                    "wrong_to_right_by_chance": (1 - p) * q,
                    "kappa": (agreement - chance) / (1 - chance).where(chance < 1),
                    "confidence_change": change.mean("item", skipna=False),
                    "confidence_spread": change.std("item", skipna=False),
                    "confidence_r": r,
                }
            )
        )
    names = np.array(list(items), dtype=object)
    return xr.concat(parts, "benchmark", coords="minimal", compat="override").assign_coords(
        benchmark=names
    )
