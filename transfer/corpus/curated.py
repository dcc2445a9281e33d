"""Parsers of curated text: encyclopaedia, science, reference works and books."""

from __future__ import annotations

import bz2
import gzip
import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from transfer.corpus.markup import detokenize, grouped, paragraphs, strip_html, strip_wikitext
from transfer.corpus.reading import Members, Reader, decoded, json_lines, reader, squad_contexts

_TASKS = r"bigbench/benchmark_tasks/"
_NATURAL = _TASKS + r"natural_instructions/subtask"


def contexts(pattern: str) -> Callable[[Members], Iterator[str]]:
    """Return a parser of the passages that a pattern finds in a task's inputs, each once."""
    compiled = re.compile(pattern, re.DOTALL)

    def parse(files: Members) -> Iterator[str]:
        seen = set()
        for _, content in files:
            for example in json.loads(content)["examples"]:
                found = compiled.search(example["input"])
                passage = found[1].strip() if found else ""
                if passage and passage not in seen:
                    seen.add(passage)
                    yield detokenize(re.sub(r"\s*\bSent ?\d+: ", " ", passage).strip())

    return parse


def vital_articles(files: Members) -> Iterator[str]:
    """Titles and summaries of Wikipedia's vital articles."""
    for _, content in files:
        for article in json.loads(content).values():
            yield f"{article['title']}\n{article['extract']}"


def wikipedia_passages(files: Members) -> Iterator[str]:
    """Passages of Wikipedia articles."""
    for _, content in files:
        for row in json_lines(content):
            yield row["0"]


def wikipedia_sample(files: Members) -> Iterator[str]:
    """Whole Wikipedia articles from the first pages of a dump."""
    for _, content in files:
        dump = bz2.decompress(content).decode("utf-8")
        for found in re.finditer(r"<text[^>]*>(.*?)</text>", dump, re.DOTALL):
            text = html.unescape(found[1])
            if not text.startswith("#REDIRECT") and len(text) > 1000:
                yield from paragraphs(strip_wikitext(text), 6000)


def vitaminc_passages(files: Members) -> Iterator[str]:
    """Evidence sentences of VitaminC by article, revisions of one sentence only once."""
    articles: dict[str, dict[str, str]] = {}
    for _, content in files:
        for example in json.loads(content)["examples"]:
            title, _, sentence = example["input"].split("\nClaim:")[0].partition(": ")
            start = re.sub(r"[\d,]+", "0", sentence)[:60]
            articles.setdefault(title, {}).setdefault(start, sentence)
    for title, sentences in articles.items():
        yield from grouped([title, *sentences.values()], 2500)


def recipes(files: Members) -> Iterator[str]:
    """Recipes, their fields one after the other."""
    for _, content in files:
        held = json.loads(content)
        for recipe in held.values() if isinstance(held, dict) else held:
            yield "\n".join(_leaves(recipe))


def factbook(files: Members) -> Iterator[str]:
    """Country profiles, one fact a line."""
    for _, content in files:
        facts = list(_facts(json.loads(content), ""))
        named = re.search(r"conventional short form: ([^\n]*)", "\n".join(facts))
        yield from grouped([named[1] if named else "", *facts], 4000)


def qasc_facts(files: Members) -> Iterator[str]:
    """Facts of elementary science from QASC, each once, several to a document."""
    facts: dict[str, None] = {}
    for name, content in files:
        for example in json.loads(content)["examples"]:
            found = re.findall(r"Fact ?\d?: (.*)", example["input"])
            if "combined_fact" in name:
                target = example["target"]
                found += target if isinstance(target, list) else [target]
            facts.update(
                dict.fromkeys(fact.strip().rstrip(".") + "." for fact in found if len(fact) > 15)
            )
    yield from grouped(facts, 1500)


def last_message(files: Members) -> Iterator[str]:
    """The last message of chat-formatted samples."""
    for _, content in files:
        for row in json_lines(content):
            yield row["input"][-1]["content"]


def coqa_stories(files: Members) -> Iterator[str]:
    """Stories, articles and passages that CoQA asks about."""
    for _, content in files:
        for row in json.loads(content)["data"]:
            yield row["story"]


def gcide(files: Members) -> Iterator[str]:
    """Entries of the Collaborative International Dictionary of English, several to a document."""
    for _, content in files:
        entries = (_entry(word, value) for word, value in json.loads(content).items())
        yield from grouped((entry for entry in entries if entry), 3000)


def dictd(files: Members) -> Iterator[str]:
    """Entries of a dictionary in dictd's format, several to a document."""
    for name, content in files:
        text = decoded(gzip.decompress(content) if name.endswith(".dz") else content)
        yield from paragraphs(text, 3000)


def classics(files: Members) -> Iterator[str]:
    """Novels of the nineteenth century."""
    for _, content in files:
        yield from paragraphs(decoded(content), 4000)


def plays(files: Members) -> Iterator[str]:
    """Shakespeare's plays and poems in modern spelling, lines kept."""
    for _, content in files:
        yield from grouped(decoded(content).split("\n"), 4000)


def bible(files: Members) -> Iterator[str]:
    """The King James Bible, read out of Python source as text without running it."""
    for _, content in files:
        text = decoded(content)
        found = re.search(
            r'(?:scripture_content|scriptures)[^=]*=\s*f?r?("""|\'\'\'|")(.*)', text, re.S
        )
        yield from grouped(re.split(r"\\n|\n", found[2] if found else text), 4000)


def folk_tales(files: Members) -> Iterator[str]:
    """Tales of the brothers Grimm and of Andersen."""
    for _, content in files:
        for line in decoded(content).split("\n")[3:]:
            for cell in line.split("\t"):
                if len(cell) > 800:
                    yield from grouped(re.split(r"(?<=[.!?]) (?=[A-Z\"'])", cell), 3000)


def novels(files: Members) -> Iterator[str]:
    """Passages of novels out of copyright, from an authorship task."""
    seen = set()
    for _, content in files:
        for example in json.loads(content)["examples"]:
            for passage in [example["input"], *example["target_scores"]]:
                if len(passage) > 500 and passage[:100] not in seen:
                    seen.add(passage[:100])
                    yield passage.strip('" ')


def parables(files: Members) -> Iterator[str]:
    """Short parables, each once, without the question about their moral."""
    seen = set()
    for _, content in files:
        for row in json_lines(content):
            parable = row["input"][-1]["content"].split("\nWhich moral")[0]
            if parable[:80] not in seen:
                seen.add(parable[:80])
                yield parable


def _leaves(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _leaves(value)
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value)
    elif node is not None:
        yield str(node)


def _facts(node: Any, name: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _facts(value, name if key == "text" else key)
    elif isinstance(node, str):
        yield f"{name}: {strip_html(node).strip()}"


def _entry(word: str, value: Any) -> str:
    definitions = [strip_html(text).strip() for text in _definitions(value)]
    return f"{word}: {' '.join(definitions)}" if definitions else ""


def _definitions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"definition", "def", "definitions", "text"} and isinstance(value, str):
                yield value
            else:
                yield from _definitions(value)
    elif isinstance(node, list):
        for value in node:
            if isinstance(value, str):
                yield value
            else:
                yield from _definitions(value)
    elif isinstance(node, str) and len(node) > 25:
        yield node


_PASSAGE = r"Passage: (.*?)(?:\s*\nQuestion:|$)"

READERS: dict[str, Reader] = {
    "vital_articles": reader(vital_articles, r"data/summaries_en-us\.json$"),
    "squad_passages": reader(
        squad_contexts, _TASKS + r"squad_shifts/(squaddev|new_wiki)_v1\.\d\.json$"
    ),
    "quoref_passages": reader(contexts(_PASSAGE), _NATURAL + r"00[12]_[^/]*/task\.json$"),
    "drop_passages": reader(contexts(_PASSAGE), _NATURAL + r"02[678]_[^/]*/task\.json$"),
    "vitaminc_passages": reader(vitaminc_passages, _TASKS + r"vitaminc_fact_[^/]*/task\.json$"),
    "wikipedia_passages": reader(wikipedia_passages, r"schelling_point/wikipedia_5\.jsonl$"),
    "wikipedia_sample": reader(wikipedia_sample, r"enwiki-latest-pages-articles1.*shortened\.bz2$"),
    "recipes": reader(recipes, r"data/recipes_en-us\.json$"),
    "factbook": reader(factbook, r"package/(?!meta)[a-z-]+/\w\w\.json$"),
    "qasc_facts": reader(qasc_facts, _NATURAL + r"0(37|38|40|41)_[^/]*/task\.json$"),
    "ropes_passages": reader(
        contexts(r"Background Paragraph: (.*?)(?:\s*\nStory:|$)"),
        _NATURAL + r"06[01]_[^/]*/task\.json$",
    ),
    "multirc_passages": reader(
        contexts(r"(?:Paragraph|Passage)[^:]*:? ?-? ?(.*?)(?:\s*\nQuestion:|$)"),
        _NATURAL + r"0(48|49|50|51|54)_[^/]*/task\.json$",
    ),
    "abstracts": reader(
        last_message, r"data/(population_span_extraction|abstract2title)/samples\.jsonl$"
    ),
    "coqa_stories": reader(coqa_stories, _TASKS + r"coqa_[^/]*/coqa\.test\.json$"),
    "gcide": reader(gcide, r"data/en/words_.*\.json$"),
    "foldoc": reader(dictd, r"usr/share/dictd/.*\.dict(\.dz)?$"),
    "jargon_file": reader(dictd, r"usr/share/dictd/.*\.dict(\.dz)?$"),
    "classics": reader(classics, r"(moby-dick|pride-prejudice)/data/.*\.txt$"),
    "shakespeare": reader(plays, r"texts/(?!.*_f\.txt$).*\.txt$"),
    "bible": reader(bible, r"plain_text_readers_bible\.py$"),
    "folk_tales": reader(folk_tales, r"datasets/(grimm-tales|andersen)\.tab$"),
    "novels": reader(novels, _TASKS + r"authorship_verification/(non_)?swapped/task\.json$"),
    "parables": reader(parables, r"parable-to-moral-match-en\.jsonl$"),
}
