"""Turn markup into plain text, and plain text into passages of a readable length."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

_INVISIBLE = re.compile(r"<(script|style|head)\b[^>]*>.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.I)
_BLOCK = re.compile(r"</?(?:br|p|div|tr|li|h\d|pre|dd|dt|table|ul|ol)\b[^>]*>", re.I)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def strip_html(text: str) -> str:
    """Return the text of HTML, block elements on lines of their own."""
    return html.unescape(_TAG.sub(" ", _BLOCK.sub("\n", _INVISIBLE.sub(" ", text))))


def detokenize(text: str) -> str:
    """Return text whose punctuation was set off by spaces with ordinary spacing."""
    text = re.sub(r" ([.,;:!?%)\]}])", r"\1", text)
    text = re.sub(r"([(\[{$]) ", r"\1", text)
    text = re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1", text)
    return text.replace("`` ", '"').replace(" ''", '"')


def strip_rst(text: str) -> str:
    """Return reStructuredText without directives' first lines, roles, targets and underlines."""
    text = re.sub(r"^[ \t]*\.\. (?:_|\[|\||[\w:-]+::).*$", "", text, flags=re.M)
    text = re.sub(r"^[ \t]*:[\w -]+:.*$", "", text, flags=re.M)
    text = re.sub(r"^[=\-~^\"*#+`']{3,}\s*$", "", text, flags=re.M)
    text = re.sub(r":[\w:+-]+:`[~!]?([^`<]+?)(?:\s*<[^>]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]+?)\s*<[^>]*>`_+", r"\1", text)
    return squeeze(text.replace("``", ""))


def strip_man(text: str) -> str:
    """Return the text of a manual page's troff source."""
    text = re.sub(r"^[.']\\\".*$", "", text, flags=re.M)
    text = re.sub(r"^\.(?:SH|SS|TH) ?", "\n\n", text, flags=re.M)
    text = re.sub(r"^[.'][A-Za-z]+ ?", "", text, flags=re.M)
    text = re.sub(r"\\f(?:\[\w*\]|\(..|.)|\\&|\\[|^c]|\\s[+-]?\d", "", text)
    text = re.sub(r"\\\(aq|\\\(cq|\\\(oq", "'", text)
    return squeeze(text.replace("\\-", "-").replace("\\e", "\\").replace("\\ ", " "))


def strip_wikitext(text: str) -> str:
    """Return the prose of a Wikipedia article's source."""
    for _ in range(4):
        text = re.sub(r"\{\{[^{}]*\}\}", "", text)
    text = re.sub(r"\{\|.*?\|\}", "", text, flags=re.DOTALL)
    text = re.sub(r"<ref[^>]*/>|<ref.*?</ref>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\[\[(?:File|Image|Category|[a-z-]{2,10}):[^\]]*\]\]", "", text)
    text = re.sub(r"\[\[(?:[^\]|]*\|)?([^\]]*)\]\]", r"\1", text)
    text = re.sub(r"\[\S+ ([^\]]*)\]", r"\1", text)
    return re.sub(r"'{2,}|^[=*#:;]+|=+$|<[^>]+>", "", text, flags=re.M)


def squeeze(text: str) -> str:
    """Return text without trailing spaces and with at most one empty line in a row."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+$", "", text, flags=re.M)).strip()


def grouped(lines: Iterable[str], characters: int) -> Iterator[str]:
    """Yield lines joined into passages, each ended by the line that fills `characters`."""
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line) + 1
        if size >= characters:
            yield "\n".join(held)
            held, size = [], 0
    if held:
        yield "\n".join(held)


def paragraphs(text: str, characters: int) -> Iterator[str]:
    """Yield passages of whole paragraphs, each paragraph's own line breaks removed."""
    split = (re.sub(r"[ \t]*\n[ \t]*", " ", part).strip() for part in re.split(r"\n\s*\n", text))
    yield from grouped((part for part in split if part), characters)


def pieces(text: str, limit: int = 8000, characters: int = 6000) -> list[str]:
    """Return a text of more than `limit` characters in pieces, cut at line ends."""
    if len(text) <= limit:
        return [text]
    lines = (line[at : at + limit] for line in text.split("\n") for at in _starts(line, limit))
    return list(grouped(lines, characters))


def _starts(line: str, limit: int) -> range:
    return range(0, max(1, len(line)), limit)
