"""What the parsers of all text streams share: how a reader is declared, and common file shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Members = Iterable[tuple[str, bytes]]


class Reader(NamedTuple):
    """How one stream of documents is read: which members of an archive, and their parser."""

    members: re.Pattern[str]
    parse: Callable[[Members], Iterator[str]]


def reader(parse: Callable[[Members], Iterator[str]], members: str) -> Reader:
    """Return a reader of the members whose name matches a pattern."""
    return Reader(re.compile(members), parse)


def decoded(content: bytes) -> str:
    """Return a file's text: UTF-8, or Latin-1 where it is not UTF-8; one kind of line end."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def json_lines(content: bytes) -> Iterator[Any]:
    """Yield the values of a JSON lines file."""
    for line in content.decode("utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def squad_contexts(files: Members) -> Iterator[str]:
    """Yield the passages of question sets in SQuAD's format."""
    for _, content in files:
        for article in json.loads(content)["data"]:
            for paragraph in article["paragraphs"]:
                yield paragraph["context"]
