"""Benchmarks from published tasks, read from BIG-bench and Natural Instructions.

Questions, sentences and right answers are the task's own. Where a task's wrong answers can be
told from the right ones without reading the question, they are replaced by right answers of other
questions of the same kind, in closed rounds (`transfer.benchmarks.rounds`).
"""

from __future__ import annotations

import re
from typing import Any

from transfer.benchmarks.packages import Inputs
from transfer.benchmarks.rounds import (
    Item,
    Pair,
    Split,
    chosen,
    clean,
    crossed,
    one_round,
    part,
    rng,
    words,
)
from transfer.corpus.markup import detokenize


def detokenized(text: str) -> str:
    """Return text of one line without the spaces that tokenization put before punctuation."""
    return clean(detokenize(text))


def _right(example: dict[str, Any]) -> str | None:
    """Return the one option of an example with the highest score."""
    scores = example["target_scores"]
    best = [option for option, score in scores.items() if score == max(scores.values())]
    return clean(best[0]) if len(best) == 1 else None


def _length(text: str, width: int = 4) -> int:
    return len(text.split()) // width


def goal_step(inputs: Inputs, split: Split) -> list[list[Item]]:
    """One step when you want to get rid of ants is to -> make a bait."""
    pairs = []
    for name, pattern in (("step", r"step of '(.*)' is"), ("goal", r"goal of '(.*)' is")):
        for example in inputs.task(f"goal_step_wikihow/{name}_inference"):
            found, right = re.search(pattern, example["input"]), _right(example)
            if not found or right is None:
                continue
            goal, step = (found[1], right) if name == "step" else (right, found[1])
            if part(goal, 2) == split and len(step) < 120:
                step = step.rstrip(".")
                pairs.append(
                    Pair(f"How to {goal}. One of the steps is:", step, _length(step, 3), goal)
                )
    return crossed(pairs, 4, "goal_step")


def cosmos(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A blog passage, a question of what may be true, and answers of alike questions."""
    pairs = []
    for example in inputs.task("subtask024_cosmosqa_answer_generation"):
        found = re.match(r"Context: (.*?)\s*\nQuestion: (.*)", example["input"], re.S)
        if not found or not example["target"]:
            continue
        context, question = detokenized(found[1]), detokenized(found[2])
        answer = detokenized(example["target"][0])
        if part(context[:60]) != split or len(context.split()) > 110 or answer.startswith("None"):
            continue
        kind = (words(question)[:1], _length(answer))
        pairs.append(Pair(f"{context} {question}", answer, repr(kind), context[:60]))
    return crossed(pairs, 4, "cosmos")


def social(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A situation, a question of motive or consequence, and answers of alike questions."""
    pairs = []
    for example in inputs.task("social_iqa"):
        text, right = clean(example["input"]), _right(example)
        asked = re.search(r"(?<=[.!]) ([^.!]*\?)$", text)
        if right is None or not asked or part(text[:40], 5) != split:
            continue
        kind = re.sub(r"\b[A-Z][a-z]+\b", "X", asked[1][1:]).lower()
        names = set(re.findall(r"\b[A-Z][a-z]+\b", right[1:]))
        if not names:
            pairs.append(Pair(text, right, (kind, _length(right, 3)), text[:40]))
    return crossed(pairs, 3, "social")


def unit_identification(inputs: Inputs, split: Split) -> list[Item]:
    """When expressed in decimetres, 24 metres is -> 240 decimetres, not decigrams."""
    items = []
    for example in inputs.task("unit_conversion/unit_identification"):
        right = _right(example)
        options = [clean(option) for option in example["target_scores"]]
        context = clean(example["input"])
        if right is not None and len(set(options)) == 3 and part(context) == split:
            items.append(chosen((context, options, options.index(right)), context))
    return items


def adjective_order(inputs: Inputs, split: Split) -> list[Item]:
    """It was a -> lovely old red car, not red old lovely car."""
    items = []
    for example in inputs.task("hyperbaton")[:12000]:
        found = re.search(r'a " ?(.*?) ?" b " ?(.*?) ?" \?', example["input"])
        if not found or part(found[1]) != split:
            continue
        gold = 0 if example["target_scores"]["a"] else 1
        options = [clean(found[1]), clean(found[2])]
        if options[0] != options[1] and len(options[0].split()) < 6:
            items.append(chosen(("They looked at the", options, gold), found[1], "adjectives"))
    return items


_INTENTS = {
    "add_to_playlist": "add to playlist",
    "book_restaurant": "book restaurant",
    "get_weather": "get weather",
    "play_music": "play music",
    "search_screening_event": "search screening event",
    "search_creative_work": "search creative work",
    "rate_book": "rate book",
}


def intent(inputs: Inputs, split: Split) -> list[Item]:
    """What the speaker wants, of seven; every item is a test item."""
    items: list[Item] = []
    if split == "train":
        return items
    for example in inputs.task("intent_recognition"):
        right = _right(example)
        text = clean(example["input"].removeprefix("Utterance:"))
        if right in _INTENTS:
            options = sorted(_INTENTS.values())
            rng(text).shuffle(options)
            items.append(
                Item(
                    f'A user said: "{text}" The user wants to',
                    tuple(options),
                    options.index(_INTENTS[right]),
                    text,
                )
            )
    return items


def qasc(inputs: Inputs, split: Split) -> list[list[Item]]:
    """A science question and the answers of four such questions."""
    pairs = []
    for example in inputs.task("subtask042_qasc_incorrect_option_generation"):
        found = re.match(
            r"Fact: (.*?) ?\nQuestion: (.*?) ?\nCorrect Answer: (.*)", example["input"], re.S
        )
        if not found:
            continue
        question, answer = clean(found[2]), clean(found[3]).strip(" .").lower()
        if part(clean(found[1]).lower()[:40]) != split or answer in question.lower():
            continue
        kind = (words(question)[0], len(answer.split()), answer.endswith("s"))
        pairs.append(Pair(f"Question: {question} Answer:", answer, kind, found[1][:40]))
    return crossed(pairs, 4, "qasc")


def wikidata(inputs: Inputs, split: Split) -> list[list[Item]]:
    """The capital of France is -> Paris; answers of other facts of the same relation."""
    pairs = []
    for example in inputs.task("qa_wikidata"):
        text, target = clean(example["input"]), example["target"]
        found = re.match(r"(The .*? of) (.*) is$", text)
        answer = clean(target if isinstance(target, str) else target[0])
        if found and part(text) == split and answer.lower() not in text.lower():
            pairs.append(Pair(text, answer, (found[1], len(answer.split())), text))
    return crossed(pairs, 4, "wikidata")


def _sentences(passage: str) -> list[tuple[int, str]]:
    """Return the sentences of a passage with the character at which each starts."""
    starts = [0] + [found.end() for found in re.finditer(r"(?<=[.!?]) (?=[A-Z\"])", passage)]
    return [
        (start, passage[start:end].strip())
        for start, end in zip(starts, [*starts[1:], len(passage)], strict=True)
    ]


def _answered(inputs: Inputs, split: Split) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return title and (question, sentence) pairs of each SQuAD passage, sentences different."""
    import json

    content = json.loads(inputs.member("bigbench", "squad_shifts/squaddev_v1.1.json"))
    out = []
    for article in content["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            key = f"{article['title']} {number}"
            if part(article["title"], 2) != split:
                continue
            sentences = _sentences(paragraph["context"])
            by_sentence: dict[str, str] = {}
            for asked in paragraph["qas"]:
                at = asked["answers"][0]["answer_start"]
                sentence = [text for start, text in sentences if start <= at][-1]
                if len(sentence.split()) <= 35:
                    by_sentence.setdefault(sentence, clean(asked["question"]))
            out.append((key, [(question, text) for text, question in by_sentence.items()]))
    return out


def answer_sentence(inputs: Inputs, split: Split) -> list[list[Item]]:
    """Which sentence of a passage answers a question: three sentences, three questions."""
    rounds = []
    for key, found in _answered(inputs, split):
        for at in range(0, len(found) - 2, 3):
            three = found[at : at + 3]
            contexts = [f"Question: {question} The answer is in this:" for question, _ in three]
            if len({question for question, _ in three}) == 3:
                rounds.append(one_round(contexts, [text for _, text in three], f"{key} {at}"))
    rng("answer_sentence").shuffle(rounds)
    return rounds


def question_answered(inputs: Inputs, split: Split) -> list[list[Item]]:
    """Does the sentence answer the question? Two sentences and two questions, all crossed."""
    rounds = []
    for key, found in _answered(inputs, split):
        for at in range(0, len(found) - 1, 2):
            (q1, s1), (q2, s2) = found[at : at + 2]
            form = "{} Does this answer the question: {}"
            contexts = [form.format(s1, q1), form.format(s2, q1)]
            more = [form.format(s2, q2), form.format(s1, q2)]
            rounds.append(
                one_round(contexts, ["yes", "no"], f"{key} {at} a")
                + one_round(more, ["yes", "no"], f"{key} {at} b")
            )
    rng("question_answered").shuffle(rounds)
    return rounds


def _vitamin(inputs: Inputs, split: Split) -> list[tuple[str, str, str, str]]:
    """Return (evidence, other evidence, its claim, other's claim), each refuting the other."""
    by_claim: dict[str, dict[str, list[str]]] = {}
    by_evidence: dict[str, dict[str, str]] = {}
    for example in inputs.task("vitaminc_fact_verification"):
        evidence, found, claim = example["input"].partition("\nClaim: ")
        label = _right(example)
        evidence, claim = detokenized(evidence), detokenized(claim)
        if not found or label not in {"True", "False"} or not claim.isascii():
            continue
        if part(evidence.split(":")[0]) != split or not evidence.isascii():
            continue
        by_claim.setdefault(claim, {}).setdefault(label, []).append(evidence)
        by_evidence.setdefault(evidence, {})[claim] = label
    out: list[tuple[str, str, str, str]] = []
    used: set[str] = set()
    for claim, sides in sorted(by_claim.items()):
        for one in sides.get("True", []):
            for other in sides.get("False", []):
                answers = [
                    text
                    for text, label in by_evidence[other].items()
                    if label == "True" and by_evidence[one].get(text) == "False"
                ]
                short = len(one.split()) < 60 and len(other.split()) < 60
                if answers and short and not used & {one, other, claim, answers[0]}:
                    out.append((one, other, claim, answers[0]))
                    used |= {one, other, claim, answers[0]}
    return out


def evidence_claim(inputs: Inputs, split: Split) -> list[list[Item]]:
    """Which of two contradictory claims follows from the evidence, which is edited to flip it."""
    rounds = [
        one_round(
            [f"{evidence} It follows that" for evidence in (one, other)], list(claims), one[:50]
        )
        for one, other, *claims in _vitamin(inputs, split)
    ]
    rng("evidence_claim").shuffle(rounds)
    return rounds


def claim_true(inputs: Inputs, split: Split) -> list[list[Item]]:
    """Is the claim true, given the evidence? Two claims and two pieces of evidence, crossed."""
    rounds = []
    for one, other, claim, contrary in _vitamin(inputs, split):
        items = []
        for asked, yes, no in ((claim, one, other), (contrary, other, one)):
            contexts = [f"{evidence} Is this true: {asked}" for evidence in (yes, no)]
            items += one_round(contexts, ["yes", "no"], one[:50] + asked[:10])
        rounds.append(items)
    rng("claim_true").shuffle(rounds)
    return rounds
