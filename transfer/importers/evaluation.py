"""What an evaluation tool says of one model on one task, whichever tool it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from transfer.errors import BadInput


@dataclass(frozen=True)
class Evaluation:
    """One model on one task, as found in a file.

    Attributes
    ----------
    source : Path
        The results file.
    names : tuple of str
        What its run may be called in a mapping file; see `names_of`.
    labels : tuple of str
        What a pattern is tried on.
    task : str
    accuracies : mapping
        Accuracy in [0, 1] by normalization.
    others : mapping
        Every other measure of the task, such as `exact_match,strict-match`.
    n_items : int, optional
    parts : tuple of str
        The tasks directly under this one, where it is a group.
    samples : Path, optional
        The file of samples, or predictions, that belongs to it.
    read : callable, optional
        Returns the items as the columns of `transfer.tables.ITEMS` without `benchmark`, with
        log-likelihoods in float64.
    problem : str
        Why its measures cannot be used; empty where they can.
    """

    source: Path
    names: tuple[str, ...]
    labels: tuple[str, ...]
    task: str
    accuracies: Mapping[str, float]
    others: Mapping[str, float] = field(default_factory=dict)
    n_items: int | None = None
    parts: tuple[str, ...] = ()
    samples: Path | None = None
    read: Callable[[], pd.DataFrame] | None = None
    problem: str = ""

    def items(self) -> pd.DataFrame:
        """Return the items, held against the accuracy that the tool itself reports.

        Raises
        ------
        BadInput
            If the file cannot be read, or its items give another accuracy.
        """
        if self.read is None:
            raise ValueError(f"{self.task} has no items")
        items = self.read()
        said = self.accuracies.get("sum")
        if said is not None:
            chosen = items["loglikelihood"].map(np.argmax)
            here = float((chosen == items["gold"]).mean())
            if abs(here - said) > 1e-6:
                raise BadInput(
                    f"{self.samples}: its items give an accuracy of {here:.4f}, {self.source.name} "
                    f"says {said:.4f}; they are not of the same evaluation, remove one"
                )
        return items


def names_of(path: Path, root: Path, model: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a results file can be found by in a mapping file, and what a pattern is tried on.

    In a mapping file: its folder, and itself, both relative to the folder that was given, with or
    without that folder's own name; and the model's name. A pattern is tried on the folder, on the
    file if its name says more than `results`, and on the model. Tools name folders after the
    model, with signs that are no good in a path replaced; there the model's name stands instead.
    """
    folder = path.parent.relative_to(root)
    under = Path(root.resolve().name) / folder
    raw = [folder, folder / path.name, under, under / path.name]
    names = [entry.as_posix() for entry in raw if entry.as_posix() != "."]
    label = under.as_posix()
    bare = model.split("@", 1)[0]
    if model and under.name == re.sub(r"[\"<>:/|\\?*\[\]]+", "__", bare):
        label = f"{under.parent.as_posix()}/{model}"
    own = re.sub(r"_\d{4}-\d\d-\d\dT[\d.-]+$", "", path.stem)
    last = [model] if model else []
    return (*names, *last), (label, *([] if own in ("results", "metrics") else [own]), *last)


def share(value: object, what: str, where: str) -> float:
    """Return a value that is a share in [0, 1].

    Raises
    ------
    BadInput
        If it is no number, NaN or outside.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{where}: {what} is no number; evaluate the task again")
    if not 0 <= value <= 1:
        raise BadInput(f"{where}: {what} is {value:g}, not in [0, 1]; evaluate the task again")
    return float(value)
