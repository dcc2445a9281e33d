"""Fetch the archives that a suite pins, through each registry's ordinary client.

An archive is named by package, exact version, file and SHA-256. Nothing in it is ever run: Python
archives are found and downloaded by pip but not built, npm packages are packed without their
scripts, Debian packages are downloaded but not installed.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from transfer.entries import Source
from transfer.errors import BadInput
from transfer.files import replacing, sha256


def fetch(source: Source, downloads: Path) -> Path:
    """Return the path of a source's archive, downloading it where it is not there yet.

    Parameters
    ----------
    source
        What the suite pins.
    downloads
        Folder of all archives. A file of the right hash there is used without any network.

    Raises
    ------
    BadInput
        If the registry no longer serves that version or file, the client cannot reach it, or the
        bytes do not have the pinned hash.
    """
    path = downloads / source.file
    if path.exists():
        _check(source, path)
        return path
    with replacing(path) as beside, tempfile.TemporaryDirectory() as folder:
        got = _FETCHERS[source.registry](source, Path(folder))
        _check(source, got)
        shutil.move(got, beside)
    return path


def _check(source: Source, path: Path) -> None:
    found = sha256(path)
    if found != source.sha256:
        raise BadInput(
            f"source {source.name!r}: {path.name} has sha256 {found[:12]}..., the suite pins "
            f"{source.sha256[:12]}...; delete {path} and fetch again, or pin the new archive"
        )


def _from_pypi(source: Source, folder: Path) -> Path:
    """Download with pip's own finder and downloader, which follow pip's configuration.

    `pip download` would build metadata of a source archive, that is run its code; the parts
    below are what it does before that.
    """
    from pip._internal.commands import create_command
    from pip._internal.exceptions import PipError
    from pip._internal.network.download import Downloader
    from pip._vendor.requests.exceptions import RequestException

    command = create_command("download")
    options, _ = command.parse_args(["--no-deps", "--quiet", "--ignore-requires-python"])
    try:
        with command.main_context(), _heard("pip._internal") as said:
            session = command.get_default_session(options)  # type: ignore[attr-defined]
            finder = command._build_package_finder(  # type: ignore[attr-defined]
                options=options, session=session, ignore_requires_python=True
            )
            links = [found.link for found in finder.find_all_candidates(source.package)]
            served = [link for link in links if unquote(link.filename) == source.file]
            if not served:
                failures = [line for line in said if "Could not fetch" in line]
                if links or not failures or "404" in failures[-1]:
                    raise _no_longer_served(source)
                raise _unreachable(source, failures[-1])
            path, _ = Downloader(session, "off")(served[0], str(folder))
            return Path(path)
    except (PipError, RequestException) as error:
        raise _unreachable(source, str(error)) from error


def _from_npm(source: Source, folder: Path) -> Path:
    package = f"{source.package}@{source.version}"
    return _run(source, folder, "npm", "pack", package, "--ignore-scripts", "--loglevel=error")


def _from_debian(source: Source, folder: Path) -> Path:
    folder.chmod(0o755)
    package = f"{source.package}={source.version}"
    return _run(source, folder, "apt-get", "download", "--quiet", package)


@contextmanager
def _heard(name: str) -> Iterator[list[str]]:
    """Collect what a logger says, which is where pip tells why an index gave no answer."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(name)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


_GONE = ("E404", "ETARGET", "was not found", "Unable to locate")
_FETCHERS = {"pypi": _from_pypi, "npm": _from_npm, "debian": _from_debian}


def _run(source: Source, folder: Path, client: str, *arguments: str) -> Path:
    """Run a registry's client in an empty folder and return the one file that it wrote."""
    try:
        run = subprocess.run(
            [client, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise BadInput(
            f"source {source.name!r}: {client} is not installed here; install it, or put "
            f"{source.file} into the downloads folder"
        ) from None
    files = [path for path in folder.iterdir() if path.is_file()]
    if run.returncode or len(files) != 1:
        if any(word in run.stderr for word in _GONE):
            raise _no_longer_served(source)
        raise _unreachable(source, run.stderr or run.stdout or "it wrote no file")
    return files[0]


def _no_longer_served(source: Source) -> BadInput:
    return BadInput(
        f"source {source.name!r}: {source.registry} no longer serves {source.package} "
        f"{source.version} ({source.file}); pin a served version in the suite file, or put the "
        "archive into the downloads folder"
    )


def _unreachable(source: Source, said: str) -> BadInput:
    first = said.strip().splitlines()[0] if said.strip() else "no answer"
    return BadInput(
        f"source {source.name!r}: cannot fetch {source.package} {source.version} from "
        f"{source.registry} ({first}); check the network and the client's settings"
    )
