"""Per-item measures of many runs side by side: the same items, in the same order, for all runs.

What fresh items would give, how far two halves of a benchmark agree, and which items turn from
right to wrong can only be had from here; a measures table holds the means alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from transfer.errors import BadInput
from transfer.measures import benchmark_scores, log_probabilities, select
from transfer.tables import items_files, read_items

DIMENSIONS = ("scale", "stage", "seed", "mixture", "item")
MEANS = ("accuracy", "confidence", "gold_probability", "nll", "brier")
"""The measures that are means over items."""

_SAME = 1e-6


def item_measures(scores: np.ndarray, gold: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each item adds to the measures that are means over items.

    Parameters
    ----------
    scores : (items, options) array
        In nats, NaN where an item has fewer options.
    gold : (items,) array of int

    Returns
    -------
    dict
        `accuracy` (0 or 1), `confidence`, `gold_probability`, `nll` (nats), `brier`, each (items,).
    """
    logs = log_probabilities(scores)
    share = np.exp(logs)
    rows = np.arange(len(scores))
    gold = np.asarray(gold).astype(int)
    # Σ_k (p_k − [k = g])² = Σ_k p_k² + 1 − 2 p_g
    return {
        "accuracy": (select(scores) == gold).astype(float),
        "confidence": share.max(axis=1),
        "gold_probability": share[rows, gold],
        "nll": -logs[rows, gold] + 0.0,
        "brier": (share**2).sum(axis=1) + 1 - 2 * share[rows, gold],
    }


class ItemsLeftOut(UserWarning):
    """Items tables are there but are not those of the grid; the message says why."""


def find_itemwise(items: Path | str, grid: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return what `read_itemwise` does, of the benchmarks that have items of these runs.

    Nothing where the folder has no items tables.

    Warns
    -----
    ItemsLeftOut
        If there are items tables, but a benchmark has none or others than its measures, with the
        reason.
    """
    files = items_files(items) if str(items) else []
    if not files:
        return {}
    try:
        return read_itemwise(files, grid)
    except BadInput:
        found: dict[str, xr.Dataset] = {}
        reasons: dict[str, str] = {}
    for name in grid["benchmark"].to_numpy().tolist():
        try:
            found |= read_itemwise(files, grid.sel(benchmark=[name]))
        except BadInput as reason:
            reasons[str(name)] = str(reason)
    which = ", ".join(reasons) if found else "all benchmarks"
    first = next(iter(reasons.values()))
    warnings.warn(f"{items}: no items of {which}: {first}", ItemsLeftOut, stacklevel=2)
    return found


def read_itemwise(paths: Iterable[Path | str], grid: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return the per-item measures of a grid's runs, by benchmark.

    Parameters
    ----------
    paths : iterable of Path
        Items tables, one a run (`transfer.tables.items_files` lists those of a folder). Runs and
        benchmarks that the grid does not hold are left out.
    grid : Dataset
        From `transfer.read_measures`; gives the labels, each benchmark's normalization, and what
        the items' means must be.

    Returns
    -------
    dict of str to Dataset
        For each benchmark `accuracy, confidence, gold_probability, nll, brier` over
        `scale, stage, seed, mixture, item`; a run that the grid lacks is NaN.

    Raises
    ------
    BadInput
        If a run of the grid has no items, two runs were scored on different items, or the items'
        mean accuracy is not that of the grid: the two are then of different runs.
    """
    if "normalization" not in grid.coords:
        raise BadInput("the table does not say its normalization; add a column normalization")
    kinds = grid["normalization"].to_series().to_dict()
    runs = ("scale", "stage", "seed", "mixture")
    labels = {dim: grid[dim].to_numpy() for dim in runs}
    order = {dim: {label: i for i, label in enumerate(labels[dim].tolist())} for dim in runs}
    shape = tuple(len(order[dim]) for dim in runs)
    names: dict[str, np.ndarray] = {}
    cells: dict[str, dict[str, np.ndarray]] = {}
    wanted = [str(name) for name in grid["benchmark"].to_numpy()]
    # Beside the items of a grid may lie those of runs that it does not hold.
    held = ~np.isnan(grid["accuracy"].transpose("benchmark", *runs).to_numpy())
    held_by = dict(zip(wanted, held, strict=True))
    for path in map(Path, paths):
        table, metadata = read_items(path)
        if any(metadata[dim] not in order[dim] for dim in runs):
            continue
        place = tuple(order[dim][metadata[dim]] for dim in runs)
        parts = dict(iter(table.groupby("benchmark", sort=False)))
        for name in wanted:
            if name not in parts or not held_by[name][place]:
                continue
            part = parts[name]
            if name not in names:
                names[name] = part["item"].to_numpy()
                cells[name] = {m: np.full((*shape, len(part)), np.nan) for m in MEANS}
            part = _in_order(part, names[name], path, name)
            chosen = str(kinds[name])
            scores = benchmark_scores(part, chosen).get(chosen)
            if scores is None:
                raise BadInput(
                    f"{path}: benchmark {name} was not scored with normalization {chosen}; "
                    f"choose another"
                )
            found = item_measures(scores, part["gold"].to_numpy())
            for measure, values in found.items():
                cells[name][measure][place] = values
    found_items = {
        name: xr.Dataset(
            {measure: (DIMENSIONS, values) for measure, values in cells[name].items()},
            coords={**labels, "item": names[name]},
        )
        for name in wanted
        if name in cells
    }
    _check(found_items, grid, wanted)
    return found_items


def _in_order(part: pd.DataFrame, names: np.ndarray, path: Path, benchmark: str) -> pd.DataFrame:
    there = part["item"].to_numpy()
    if len(there) == len(names) and (there == names).all():
        return part
    if set(there) != set(names):
        raise BadInput(
            f"{path}: benchmark {benchmark}: other items than the runs before it; score all runs "
            "on the same items"
        )
    return part.set_index("item").loc[names].reset_index()


def _check(items: dict[str, xr.Dataset], grid: xr.Dataset, wanted: list[str]) -> None:
    """Refuse items that are not those which the grid's measures were made of."""
    for name in wanted:
        cell = grid["accuracy"].sel(benchmark=name).transpose(*DIMENSIONS[:-1])
        there = ~np.isnan(cell.to_numpy())
        if name not in items:
            if not there.any():
                continue
            raise BadInput(f"benchmark {name}: no items table has it; score it, or leave it out")
        mean = items[name]["accuracy"].mean("item")
        apart = np.abs((mean - cell).to_numpy())
        # Where the grid has a number, the items must have the same one.
        wrong = there & ~(apart < _SAME)
        if wrong.any():
            run = dict(zip(cell.dims, np.argwhere(wrong)[0], strict=True))
            said = ", ".join(f"{dim} {cell[dim].to_numpy()[at]}" for dim, at in run.items())
            raise BadInput(
                f"benchmark {name}, {said}: the items' mean accuracy is not the measures' "
                "accuracy; give the items tables that the measures were made of"
            )
