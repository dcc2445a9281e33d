"""Read members out of archives without unpacking or running anything."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from transfer.errors import BadInput


def members(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file in an archive whose name matches.

    Parameters
    ----------
    path
        A wheel or zip, a tar of any compression, or a Debian package.
    wanted
        Searched in the member's name, written with forward slashes.

    Raises
    ------
    BadInput
        If the file is not an archive of these kinds, or is cut short.
    """
    try:
        if path.suffix in {".whl", ".zip"}:
            yield from _from_zip(path, wanted)
        elif path.suffix == ".deb":
            with tarfile.open(fileobj=io.BytesIO(_debian_data(path))) as archive:
                yield from _from_tar(archive, wanted)
        else:
            with tarfile.open(path, mode="r|*") as archive:
                yield from _from_tar(archive, wanted)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise BadInput(f"{path}: not a readable archive ({error}); fetch it again") from error


def _from_zip(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if wanted.search(name) and not name.endswith("/"):
                yield name, archive.read(name)


def _from_tar(archive: tarfile.TarFile, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        if member.isfile() and wanted.search(member.name):
            stream = archive.extractfile(member)
            assert stream is not None
            yield member.name, stream.read()


def _debian_data(path: Path) -> bytes:
    """Return the `data.tar.*` member of a Debian package, which is an `ar` archive."""
    content = path.read_bytes()
    if not content.startswith(b"!<arch>\n"):
        raise tarfile.ReadError("no ar header")
    at = 8
    while at + 60 <= len(content):
        header = content[at : at + 60]
        size = int(header[48:58])
        if header[:16].strip().startswith(b"data.tar"):
            return content[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise tarfile.ReadError("no data.tar member")
