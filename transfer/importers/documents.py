"""Reads files that others wrote: JSON, JSON lines and YAML, as data only, with limits.

What is too large, cut short, in another encoding, nested without end or not a regular file is
refused with one line. Nothing that is read is executed, imported or unpickled.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from transfer.errors import BadInput
from transfer.plain_yaml import UniqueKeys

MB = 1_000_000
DOCUMENT_MB = 64
"""A results file or a mapping file larger than this is refused."""
SAMPLES_MB = 2_000
"""A file of samples larger than this is refused; it is read line by line."""
LINE_MB = 64
"""A line of JSON, and a file of samples that is one JSON list, may be this large."""
NAME_LENGTH = 200

_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what is written after them."""


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    BadInput
        If the file is missing, too large, not UTF-8 or not whole JSON.
    """
    return _parsed(read_text(path, DOCUMENT_MB), str(path))


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file of samples, each with its number, counted from 1.

    The file holds one JSON object a line, or one JSON list of objects, as tools wrote them in
    their earlier versions.

    Raises
    ------
    BadInput
        If the file is too large, a line is too long, or an entry is not a whole JSON object.
    """
    _regular(path, SAMPLES_MB)
    with path.open("rb") as stream:
        first = stream.read(1)
    if first == b"[":
        content = _parsed(read_text(path, LINE_MB), str(path))
        entries: Iterator[tuple[int, Any]] = iter(enumerate(content, 1))
    else:
        entries = _lines(path)
    for number, entry in entries:
        if not isinstance(entry, dict):
            raise BadInput(f"{path}: entry {number} is not a JSON object; export the samples again")
        yield number, entry


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file that repeats no key.

    Aliases, which could multiply themselves, are refused too.
    """
    text = read_text(path, DOCUMENT_MB)
    try:
        return yaml.load(text, Loader=_Plain)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())[:200]
        raise BadInput(f"{path}: not readable as YAML ({said}); mend the syntax") from None
    except (RecursionError, ValueError) as error:
        raise BadInput(f"{path}: not readable as YAML ({error}); mend the file") from None


def read_text(path: Path, limit_mb: float) -> str:
    """Return the text of a UTF-8 file, without a byte order mark."""
    _regular(path, limit_mb)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: byte {error.start} is not UTF-8; save the file in that encoding"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the file") from None


def checked_name(value: Any, what: str, where: str) -> str:
    """Return a name that can stand in a table and on a page.

    Any language and any sign will do, markup too, which pages show as the text that it is; only
    control characters, halves of characters and turns of writing direction are refused.

    Raises
    ------
    BadInput
        If it is empty, too long or holds such a character.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadInput(f"{where}: {what} is {shown(value)}; write a name")
    name = str(value).strip()
    if not name:
        raise BadInput(f"{where}: {what} is empty; write a name")
    if len(name) > NAME_LENGTH:
        raise BadInput(f"{where}: {what} has {len(name)} characters; use {NAME_LENGTH} at most")
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTION:
            raise BadInput(
                f"{where}: {what} {shown(name)} holds the character {ord(character):#06x}, which "
                "cannot be written; leave it out"
            )
    return name


def shown(value: Any) -> str:
    """Return a value as a message shows it: one short line, nothing that a terminal obeys."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Plain(UniqueKeys):
    """YAML as data, each node written out where it stands."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed, write the values out")
        return super().compose_node(parent, index)


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    limit = int(LINE_MB * MB)
    with path.open("rb") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(limit + 1), b""), 1):
            where = f"{path}: line {number}"
            if len(line) > limit:
                raise BadInput(f"{where} is longer than {LINE_MB} MB; export the samples again")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise BadInput(f"{where} is not UTF-8; save the file in that encoding") from None
            if text.strip():
                yield number, _parsed(text, where)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or "Unterminated" in error.msg
        why = "is cut short" if cut else f"is not JSON ({error.msg} at character {error.pos})"
        _refuse(f"{where}: {why}")
    except RecursionError:
        _refuse(f"{where}: is nested too deeply")
    except ValueError as error:
        _refuse(f"{where}: is not JSON ({str(error)[:80]})")


def _refuse(message: str) -> NoReturn:
    raise BadInput(f"{message}; copy or export it again") from None


def _regular(path: Path, limit_mb: float) -> None:
    # A pipe or a device would be read for ever.
    try:
        there = path.is_file()
        size = path.stat().st_size if there else 0
    except (OSError, ValueError):
        there = False
    if not there:
        raise BadInput(f"{path}: no such file; check the path")
    if size > limit_mb * MB:
        raise BadInput(
            f"{path}: {size / MB:,.0f} MB is more than the {limit_mb:,} MB that are read; "
            "split it or leave it out"
        )
