"""Values that a run has computed, appended as they come, so that a killed run loses one batch."""

from __future__ import annotations

import zlib
from pathlib import Path
from types import TracebackType

import numpy as np

RECORD = np.dtype([("request", "<u4"), ("value", "<f8"), ("check", "<u4")])
"""A value, and the CRC-32 of what stands before: a power cut can leave zeros at a file's end."""
ENDING = "checked-values"
"""Of a file's name; records without a check, as earlier versions wrote them, ended otherwise."""


class Journal:
    """A folder of values by request number, of which only those of `key` count.

    Parameters
    ----------
    folder
        Where the files are; None keeps nothing.
    key
        What the values depend on: checkpoint, requests, versions. It is in the file names, so that
        values of another key are never read.
    rank
        The number of this process: each writes a file of its own, and reads those of all.
    """

    def __init__(self, folder: Path | None, key: str, rank: int = 0) -> None:
        self.folder, self.key, self.rank = folder, key, rank

    def read(self, values: np.ndarray) -> None:
        """Fill in the values that are known; a record that is not whole is left out."""
        if self.folder is None:
            return
        for path in sorted(self.folder.glob(f"{self.key[:32]}-*.{ENDING}")):
            data = path.read_bytes()
            whole = len(data) // RECORD.itemsize * RECORD.itemsize
            records = np.frombuffer(data[:whole], dtype=RECORD)
            records = records[records["check"] == _checks(records)]
            values[records["request"]] = records["value"]

    def __enter__(self) -> Journal:
        self._file = None
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{self.key[:32]}-{self.rank}.{ENDING}"
            if path.exists():
                size = path.stat().st_size
                with path.open("r+b") as file:
                    file.truncate(size - size % RECORD.itemsize)
            self._file = path.open("ab")
        return self

    def write(self, requests: np.ndarray, values: np.ndarray) -> None:
        """Append values, and hand them to the system."""
        if self._file is None:
            return
        records = np.empty(len(requests), dtype=RECORD)
        records["request"], records["value"] = requests, values
        records["check"] = _checks(records)
        self._file.write(records.tobytes())
        self._file.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


def _checks(records: np.ndarray) -> np.ndarray:
    """Return the CRC-32 of each record's request and value."""
    size, end = RECORD.itemsize, RECORD.itemsize - RECORD["check"].itemsize
    data = records.tobytes()
    parts = (data[at : at + end] for at in range(0, len(data), size))
    return np.fromiter(map(zlib.crc32, parts), dtype=np.uint32, count=len(records))
