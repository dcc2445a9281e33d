"""Where a report may be built: never over the sources, nor over a folder that is someone's own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from transfer.errors import BadInput
from transfer.files import make_folder
from transfer.suite import repository

MARK = ".transfer-report"
"""A file in a folder that a report wrote, and may remove."""

RECORD = "book.key.json"
"""A file beside that folder, there where the site was built to its end."""

SOURCES = ("book", "data", "notebooks", "tests", "transfer")


def check_place(out: Path) -> None:
    """Make the folder of a report, or refuse it before anything is done.

    Raises
    ------
    BadInput
        If it is the repository or one of its folders of sources, holds another `book`, or cannot
        be made.
    """
    place, root = out.resolve(), repository().resolve()
    if place == root or any(place.is_relative_to(root / name) for name in SOURCES):
        raise BadInput(f"{out}: holds the sources; give another --out, such as build")
    _refuse_other(out)
    make_folder(out)


def clear(out: Path) -> Path:
    """Return the folder of the gathered sources, empty; what an earlier report left there goes.

    Raises
    ------
    BadInput
        If no earlier report wrote what is there.
    """
    _refuse_other(out)
    gathered = out / "book"
    if gathered.exists():
        # Moved first: a killed process leaves it whole or gone.
        aside = out / f".book.{os.getpid()}.part"
        gathered.rename(aside)
        shutil.rmtree(aside)
    gathered.mkdir(parents=True)
    (gathered / MARK).touch()
    return gathered


def _refuse_other(out: Path) -> None:
    gathered = out / "book"
    ours = (gathered / MARK).exists() or (out / RECORD).exists()
    if gathered.is_symlink() or (gathered.exists() and not (gathered.is_dir() and ours)):
        raise BadInput(
            f"{gathered}: is not from an earlier report, which would replace it; give another "
            "--out, or move it away"
        )
