"""A measures table as a grid: an xarray Dataset over scale, stage, seed, mixture and benchmark."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from transfer.entries import CATEGORIES, NORMALIZATIONS, STAGES, Scale
from transfer.errors import BadInput
from transfer.suite import Suite, known_suite, load_suite
from transfer.tables.measures import metrics_of, read_measures_table, read_notes

DIMENSIONS = ("scale", "stage", "seed", "mixture", "benchmark")


class MissingCells(UserWarning):
    """A cell of the grid has no value; it is NaN and not part of any correlation."""


def read_measures(
    path: Path | str,
    normalization: str | None = None,
    suite: Suite | Path | str | None = None,
    scales: Sequence[str] | None = None,
    mixtures: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    benchmarks: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return a measures table as a grid.

    Parameters
    ----------
    path : Path
        A measures table, Parquet or CSV.
    normalization : {"sum", "token", "byte", "unconditional"}, optional
        One normalization for all benchmarks. By default each benchmark has the one that the suite
        file names for it.
    suite : Suite, Path or str, optional
        Where categories, mixtures and scales are looked up. By default the suite that the table
        names, if there is a file of it; a table without one keeps its own order and categories.
    scales, mixtures, seeds, benchmarks : sequences, optional
        Only these, in this order. By default all that the table holds.

    Returns
    -------
    Dataset
        Dimensions `scale, stage, seed, mixture, benchmark`; one variable a measure; a missing cell
        is NaN. Coordinates, where known: `category`, `chance` and `normalization` (benchmark),
        `web`, `code_share` and `curated_share` (mixture), `parameters` and `total_parameters`
        (scale; non-embedding and all).

    Raises
    ------
    BadInput
        If the table is bad, or what is asked for is not in it.

    Warns
    -----
    MissingCells
        If a cell is missing; `missing` lists them all.
    """
    path = Path(path)
    frame = read_measures_table(path)
    notes = read_notes(path)
    known = _suite_of(frame, suite, path)
    chosen = {"scale": scales, "mixture": mixtures, "seed": seeds, "benchmark": benchmarks}
    grid = to_grid(frame, normalization, known, notes, chosen, path)
    _warn_missing(grid, path)
    return grid


def to_grid(
    frame: pd.DataFrame,
    normalization: str | None,
    suite: Suite | None,
    notes: Mapping[str, Any],
    chosen: Mapping[str, Sequence | None],
    path: Path,
) -> xr.Dataset:
    """Return checked rows of measures as a grid; see `read_measures`.

    Parameters
    ----------
    frame : DataFrame
    normalization : str, optional
    suite : Suite, optional
    notes : mapping
        From `read_notes`; its `stages` are the order of the stages.
    chosen : mapping
        By dimension, the labels to keep, in order; None or absent keeps all.
    path : Path
        Where the rows are from, for errors.
    """
    for name, asked in chosen.items():
        frame = _keep(frame, name, asked, path)
    frame = _one_normalization(frame, normalization, suite, notes, path)
    order = {
        "scale": _ordered(frame["scale"], [s.name for s in suite.scales] if suite else ()),
        "stage": stages_of(frame, notes),
        "seed": sorted(set(frame["seed"].tolist())),
        "mixture": _ordered(frame["mixture"], [m.name for m in suite.mixtures] if suite else ()),
        "benchmark": _benchmark_order(frame, suite),
    } | {name: asked for name, asked in chosen.items() if asked}
    grid = _cells(frame, {name: list(order[name]) for name in DIMENSIONS})
    grid = grid.assign_coords(_coordinates(frame, grid, suite, notes))
    grid.attrs = {"source": path.name, "suite": suite.name if suite else ""}
    return grid


def stages_of(frame: pd.DataFrame, notes: Mapping[str, Any]) -> list[str]:
    """Return the stages of a table, earliest first.

    Their order is that of the notes; without one, pretrain before sft where there are no others,
    and else as the table has them.
    """
    usual = STAGES if set(frame["stage"]) <= set(STAGES) else ()
    return _ordered(frame["stage"], notes.get("stages") or usual)


def missing(grid: xr.Dataset) -> pd.DataFrame:
    """Return the cells of a grid that have no accuracy.

    Returns
    -------
    DataFrame
        Columns `scale, stage, seed, mixture, benchmark`, one row a missing cell. A seed that a
        scale has no run of at all is not part of the design and is not listed.
    """
    accuracy = grid["accuracy"].transpose(*DIMENSIONS)
    cells = accuracy.to_numpy()
    planned = np.isfinite(cells).any(axis=(1, 3, 4), keepdims=True)
    places = np.argwhere(np.isnan(cells) & planned)
    columns = {name: grid[name].to_numpy()[places[:, axis]] for axis, name in enumerate(DIMENSIONS)}
    return pd.DataFrame(columns)


def parameters(scale: Scale, vocabulary: int) -> dict[str, int]:
    """Return how many weights a model of a scale has.

    Counts a Llama architecture with as many key and value heads as heads, a gated feed-forward
    layer, and an embedding that is also the head where the scale ties them.

    Returns
    -------
    dict
        `non_embedding`, `embedding` and `total`.
    """
    width, inner = scale.hidden_size, scale.intermediate_size
    attention = 4 * width * scale.heads * scale.head_width
    layer = attention + 3 * width * inner + 2 * width
    body = scale.layers * layer + width
    embedding = vocabulary * width * (1 if scale.tied_embeddings else 2)
    return {"non_embedding": body, "embedding": embedding, "total": body + embedding}


def _suite_of(frame: pd.DataFrame, suite: Suite | Path | str | None, path: Path) -> Suite | None:
    names = list(dict.fromkeys(frame["suite"])) if "suite" in frame else []
    if len(names) > 1:
        raise BadInput(f"{path}: column suite holds {', '.join(names)}; keep the rows of one suite")
    if isinstance(suite, Suite):
        return suite
    if suite is not None:
        return load_suite(suite)
    return load_suite(names[0]) if names and known_suite(names[0]) else None


def _keep(frame: pd.DataFrame, name: str, asked: Sequence | None, path: Path) -> pd.DataFrame:
    if not asked:
        return frame
    if isinstance(asked, str):
        raise BadInput(f"{name}s: give a list of names, not the text {asked!r}")
    there = list(dict.fromkeys(frame[name].tolist()))
    if twice := [value for place, value in enumerate(asked) if value in asked[:place]]:
        raise BadInput(f"{name}s: {twice[0]!r} is asked for twice; name it once")
    for value in asked:
        if value not in there:
            raise BadInput(
                f"{path}: {name} {value!r} is not in the table; it has "
                f"{', '.join(str(entry) for entry in there)}"
            )
    return frame[frame[name].isin(list(asked))]


def _one_normalization(
    frame: pd.DataFrame,
    normalization: str | None,
    suite: Suite | None,
    notes: Mapping[str, Any],
    path: Path,
) -> pd.DataFrame:
    """Return one row a run and benchmark."""
    if normalization is not None and normalization not in NORMALIZATIONS:
        raise BadInput(
            f"normalization {normalization!r} is not known; give {', '.join(NORMALIZATIONS)}"
        )
    if "normalization" not in frame:
        if normalization is not None:
            raise BadInput(
                f"{path}: has no column normalization; leave normalization out or add the column"
            )
        return frame
    there = {
        str(benchmark): list(dict.fromkeys(part))
        for benchmark, part in frame.groupby("benchmark", sort=False)["normalization"]
    }
    if normalization is None:
        default: dict[str, str] = dict(notes.get("normalization", {}))
        default |= {b.name: b.normalization for b in suite.benchmarks} if suite else {}
        chosen: dict[str, str] = {}
        for benchmark, values in there.items():
            chosen[benchmark] = default.get(benchmark, values[0])
            if benchmark not in default and len(values) > 1:
                raise BadInput(
                    f"{path}: benchmark {benchmark!r} comes with normalizations "
                    f"{', '.join(values)} and no suite names one; give normalization"
                )
    else:
        chosen = dict.fromkeys(there, normalization)
    for benchmark, value in chosen.items():
        if value not in there[benchmark]:
            raise BadInput(
                f"{path}: benchmark {benchmark!r} has no rows of normalization {value!r}; it has "
                f"{', '.join(there[benchmark])} (leave the benchmark out, or choose another)"
            )
    return frame[frame["normalization"] == frame["benchmark"].map(chosen)]


def _ordered(column: pd.Series, order: Sequence[str]) -> list[str]:
    """Return the values there: those of the order first, then the others as they come."""
    there = list(dict.fromkeys(column))
    first = [name for name in dict.fromkeys(order) if name in there]
    return [*first, *(name for name in there if name not in first)]


def _benchmark_order(frame: pd.DataFrame, suite: Suite | None) -> list[str]:
    names = _ordered(frame["benchmark"], [b.name for b in suite.benchmarks] if suite else ())
    if suite is None:
        return names
    category = _categories(frame, suite)
    rank: dict[str, int] = {name: place for place, name in enumerate(CATEGORIES)}
    return sorted(names, key=lambda name: rank.get(category.get(name, ""), len(rank)))


def _categories(frame: pd.DataFrame, suite: Suite | None) -> dict[str, str]:
    found = {}
    if "category" in frame:
        found = dict(zip(frame["benchmark"], frame["category"], strict=True))
    if suite is not None:
        found |= {b.name: b.category for b in suite.benchmarks}
    return found


def _cells(frame: pd.DataFrame, order: dict[str, list]) -> xr.Dataset:
    shape = tuple(len(order[name]) for name in DIMENSIONS)
    place = tuple(
        frame[name].map({value: i for i, value in enumerate(order[name])}).to_numpy(int)
        for name in DIMENSIONS
    )
    variables = {}
    for metric in [name for name in ("n_items", *metrics_of(frame)) if name in frame]:
        if frame[metric].isna().all():
            continue
        cells = np.full(shape, np.nan)
        cells[place] = frame[metric].to_numpy(float)
        variables[metric] = (DIMENSIONS, cells)
    labels = {
        name: np.asarray(values, dtype=int if name == "seed" else object)
        for name, values in order.items()
    }
    return xr.Dataset(variables, coords=labels)


def _coordinates(
    frame: pd.DataFrame, grid: xr.Dataset, suite: Suite | None, notes: Mapping[str, Any]
) -> dict:
    benchmarks = [str(name) for name in grid["benchmark"].to_numpy()]
    found: dict[str, tuple[str, list]] = {}
    category = _categories(frame, suite)
    if category:
        found["category"] = ("benchmark", [category.get(name, "") for name in benchmarks])
    first = frame.drop_duplicates("benchmark").set_index("benchmark")
    for name in ("chance", "normalization"):
        if name in first:
            found[name] = ("benchmark", first.loc[benchmarks, name].tolist())
    if suite is None:
        return found | _noted(grid, notes)
    mixtures = {entry.name: entry for entry in suite.mixtures}
    names = [str(name) for name in grid["mixture"].to_numpy()]
    if set(names) <= set(mixtures):
        found["web"] = ("mixture", [mixtures[name].web for name in names])
        for share in ("web_share", "code_share", "curated_share"):
            found[share] = ("mixture", [getattr(mixtures[name], share) for name in names])
    scales = {entry.name: entry for entry in suite.scales}
    sizes = [str(name) for name in grid["scale"].to_numpy()]
    if set(sizes) <= set(scales):
        counts = [parameters(scales[name], suite.tokenizer.vocabulary) for name in sizes]
        found["parameters"] = ("scale", [count["non_embedding"] for count in counts])
        found["total_parameters"] = ("scale", [count["total"] for count in counts])
    return found


def _noted(grid: xr.Dataset, notes: Mapping[str, Any]) -> dict[str, tuple[str, list]]:
    """Return the coordinates that the notes give for every mixture, or every scale, there is."""
    found: dict[str, tuple[str, list]] = {}
    for dimension, section, names in (
        ("mixture", "mixtures", ("web", "web_share", "code_share", "curated_share")),
        ("scale", "scales", ("parameters",)),
    ):
        entries = [notes.get(section, {}).get(str(name), {}) for name in grid[dimension].to_numpy()]
        for name in names:
            if all(entry.get(name) is not None for entry in entries):
                found[name] = (dimension, [entry[name] for entry in entries])
    return found


def _warn_missing(grid: xr.Dataset, path: Path) -> None:
    absent = missing(grid)
    if absent.empty:
        return
    first = ", ".join(
        f"{row.benchmark} of {row.mixture}-{row.scale}-s{row.seed}-{row.stage}"
        for row in absent.head(3).itertuples()
    )
    more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
    warnings.warn(
        f"{path}: {len(absent)} cells are missing and stay NaN: {first}{more}",
        MissingCells,
        stacklevel=3,
    )
