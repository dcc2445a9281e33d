"""The measures of runs on their way: a grid whose stages are the points of training.

Since a point stands where a stage does, every protocol works on it: `cross_stage` with `before` a
point of pretraining and `after` the end of SFT says how early a score begins to tell.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from transfer.entries import STAGES
from transfer.errors import BadInput
from transfer.suite import load_suite
from transfer.tables.dataset import to_grid
from transfer.tables.measures import MEASURES, TRAJECTORY, check_measures, read_raw


class ScaleLeftOut(UserWarning):
    """A scale of a trajectory is not whole yet."""


def read_trajectory(
    path: Path | str,
    suite: str | Path,
    normalization: str | None = None,
    scales: Sequence[str] | None = None,
    mixtures: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return a trajectory table as a grid, with a stage for each point of training.

    Parameters
    ----------
    path : Path
        `trajectory.parquet`, a measures table with `step` and `tokens`.
    suite : str or Path
        The suite of the runs.
    normalization, scales, mixtures
        As for `transfer.read_measures`.

    Returns
    -------
    Dataset
        As from `transfer.read_measures`. `stage` has the points in order, such as `pretrain 25 %`,
        the share of that stage's steps; its coordinates are `part` (pretrain or sft) and `share`
        in (0, 1].

    Warns
    -----
    ScaleLeftOut
        If a scale lacks a mixture that another has: its correlations would be of other mixtures.

    Raises
    ------
    BadInput
        If the table has no `step`, or a scale's runs do not have the same points.
    """
    path = Path(path)
    frame = read_raw(path)
    for name in ("scale", "stage", "mixture", "step"):
        if name not in frame:
            raise BadInput(f"{path}: column {name} is missing; give a trajectory, not measures")
    labelled, points = _labelled(_whole_scales(frame, path), path)
    grid = to_grid(
        check_measures(labelled, str(path)),
        normalization,
        load_suite(suite),
        {"stages": points.index.tolist()},
        {"scale": scales, "mixture": mixtures},
        path,
    )
    known = points.loc[grid["stage"].to_numpy().tolist()]
    return grid.assign_coords(
        part=("stage", known["part"].to_numpy(object)), share=("stage", known["share"].to_numpy())
    )


def _whole_scales(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the rows of the scales that have every mixture of the table, at every stage."""
    wanted = set(frame["mixture"])
    held = {key: set(rows["mixture"]) for key, rows in frame.groupby(["scale", "stage"])}
    stages = frame["stage"].unique()
    gone = [
        scale
        for scale in frame["scale"].unique()
        if any(held.get((scale, stage), set()) < wanted for stage in stages)
    ]
    for scale in gone:
        warnings.warn(
            f"{path}: scale {scale} lacks runs of other scales' mixtures and is left out",
            ScaleLeftOut,
            stacklevel=3,
        )
    return frame[~frame["scale"].isin(gone)]


def _labelled(frame: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows with points for stages, and each point's part and share, in order."""
    for (scale, stage), rows in frame.groupby(["scale", "stage"], sort=False):
        if len({frozenset(steps) for _, steps in rows.groupby("mixture")["step"]}) > 1:
            raise BadInput(
                f"{path}: column step: the runs of {scale} {stage} have other points than one "
                "another; score them at the same ones"
            )
    share = frame["step"] / frame.groupby(["scale", "stage"])["step"].transform("max")
    point = frame["stage"] + (100 * share).map(" {:.0f} %".format)
    points = pd.DataFrame({"point": point, "part": frame["stage"], "share": share.round(2)})
    points = points.drop_duplicates("point").set_index("point")
    part = points["part"].map({name: place for place, name in enumerate(STAGES)})
    points = points.assign(place=part).sort_values(["place", "share"])[["part", "share"]]
    own = [name for name in TRAJECTORY.names if name not in MEASURES.names]
    return frame.assign(stage=point).drop(columns=own, errors="ignore"), points


def ends(grid: xr.Dataset) -> pd.Series:
    """Return the last point of each part, by part."""
    table = pd.DataFrame({"part": grid["part"].to_numpy(), "point": grid["stage"].to_numpy()})
    return table.groupby("part", sort=False)["point"].last()
