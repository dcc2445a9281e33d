"""Parsers of source code, which is read as text and never run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transfer.corpus.reading import Members, Reader, decoded, reader

_GENERATED = re.compile(
    r"/locale/|/migrations/|_pb2|unicode|tables?\.py$|parsetab|min\.js|/build/|\.production|/dist/"
    r"|/lib/(?:cjs|browser)/|_lexer\.py$|setupcommon|_parser\.py$"
)


def source_code(files: Members) -> Iterator[str]:
    """Source files of a moderate size that were written rather than generated."""
    for name, content in files:
        if 300 < len(content) < 200_000 and not _GENERATED.search(name):
            yield decoded(content)


READERS: dict[str, Reader] = {
    "python": reader(source_code, r"\.py$"),
    "javascript": reader(source_code, r"\.js$"),
}
