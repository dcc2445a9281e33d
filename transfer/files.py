"""Files that are either whole or absent, and their hashes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from transfer.errors import BadInput


def make_folder(path: Path | str) -> Path:
    """Make a folder with those above it, and return it.

    Raises
    ------
    BadInput
        If it cannot be made, because a file is in the way or the disk takes no folder there.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be made a folder ({error.strerror}); give another path"
        ) from None
    return path


def refuse_folder(path: Path | str) -> None:
    """Raise `BadInput` if a folder stands where a file is to be written."""
    if Path(path).is_dir():
        raise BadInput(f"{path}: is a folder; give a file")


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a path beside `path` to write to; move it into place only if the block succeeds.

    The yielded path does not exist yet and may become a file or a folder. If the block raises,
    what it wrote is removed and `path` stays as it was. A file never takes the place of a folder.

    Raises
    ------
    BadInput
        If `path` is a folder and a file was written, or no folder can be made for it.
    """
    path = Path(path)
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    _remove(beside)
    try:
        yield beside
        if path.is_dir():
            if not beside.is_dir():
                refuse_folder(path)
            _remove(path)
        beside.replace(path)
    finally:
        _remove(beside)


@contextmanager
def holding(path: Path | str, wait: Callable[[], None] | None = None) -> Iterator[int]:
    """Hold a lock file: one process at a time is in the block; the lock ends with its process.

    Yields the file's descriptor; a process that inherits it holds the lock too.

    Parameters
    ----------
    path
        The lock file; it stays behind, empty.
    wait
        Called once if another process holds the lock, before waiting for it.
    """
    # Not at the top: Windows has no such module, and needs none to read tables.
    import fcntl

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait is not None:
                wait()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream.fileno()


def held(path: Path | str) -> bool:
    """Return whether a process holds a lock file now."""
    import fcntl

    path = Path(path)
    if not path.exists():
        return False
    with path.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def sha256(path: Path | str) -> str:
    """Return the hex SHA-256 of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
