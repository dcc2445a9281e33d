"""The readers of published tasks, on examples written for these tests in the packages' forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from transfer.benchmarks import tasks, texts
from transfer.benchmarks.items import rows
from transfer.benchmarks.packages import Inputs
from transfer.benchmarks.rounds import Item

Put = Callable[[str, str, Any], None]
NI = "natural_instructions/"


def flat(rounds: list[list[Item]]) -> list[Item]:
    return [item for members in rounds for item in members]


def answers(items: list[Item]) -> dict[str, str]:
    return {item.context: item.options[item.gold] for item in items}


def test_goal_step_keeps_the_right_step(inputs: Inputs, put: Put) -> None:
    steps = [
        {
            "input": f"The most reasonable step of 'Make toy {n}' is ",
            "target_scores": {f"Cut part {n}": 1, "Sleep": 0},
        }
        for n in range(60)
    ]
    goals = [
        {
            "input": f"The most reasonable goal of 'Paint part {n}' is ",
            "target_scores": {f"Make hat {n}": 1, "Sleep": 0},
        }
        for n in range(60)
    ]
    put("bigbench", "goal_step_wikihow/step_inference/task.json", {"examples": steps})
    put("bigbench", "goal_step_wikihow/goal_inference/task.json", {"examples": goals})
    test, train = (flat(tasks.goal_step(inputs, split)) for split in ("test", "train"))
    assert test
    assert not set(answers(test)) & set(answers(train))
    for context, step in answers(test + train).items():
        toy = context.split()[4].strip(".")
        assert step.split()[-1] == toy
        assert step.startswith("Cut" if "toy" in context else "Paint")


def test_evidence_and_claims_are_crossed(inputs: Inputs, put: Put) -> None:
    examples = []
    for n in range(80):
        low, high = f"Place {n}: It has 100{n} people .", f"Place {n}: It has 900{n} people ."
        under, over = f"Place {n} has under 500{n} people .", f"Place {n} has over 500{n} people ."
        for evidence, claim, label in (
            (low, under, "True"),
            (low, over, "False"),
            (high, under, "False"),
            (high, over, "True"),
        ):
            scores = {name: int(name == label) for name in ("True", "False", "Neither")}
            examples.append({"input": f"{evidence}\nClaim: {claim}", "target_scores": scores})
    put("bigbench", "vitaminc_fact_verification/task.json", {"examples": examples})
    made = flat(tasks.evidence_claim(inputs, "test"))
    assert made
    for item in made:
        assert ("under" in item.options[item.gold]) == (" 100" in item.context)
    labelled = flat(tasks.claim_true(inputs, "test"))
    for item in labelled:
        evidence, claim = item.context.split(" Is this true: ")
        true = (" 100" in evidence) == ("under" in claim)
        assert item.options[item.gold] == ("yes" if true else "no")
    halves = [item.context.split(" Is this true: ") for item in labelled]
    for part in (0, 1):
        for value in {half[part] for half in halves}:
            golds = [
                item.options[item.gold]
                for item, half in zip(labelled, halves, strict=True)
                if half[part] == value
            ]
            assert sorted(golds) == ["no", "yes"]


@pytest.fixture
def squad(put: Put) -> None:
    articles = []
    for n in range(20):
        sentences = [f"Town {n} has river {letter}{n}." for letter in "ABCD"]
        passage = " ".join(sentences)
        asked = [
            {
                "question": f"Where is {letter}{n}?",
                "answers": [{"answer_start": passage.index(f"{letter}{n}"), "text": "x"}],
            }
            for letter in "ABCD"
        ]
        articles.append({"title": f"t{n}", "paragraphs": [{"context": passage, "qas": asked}]})
    put("bigbench", "squad_shifts/squaddev_v1.1.json", {"data": articles})


@pytest.mark.usefixtures("squad")
def test_the_sentence_with_the_answer(inputs: Inputs) -> None:
    made = flat(tasks.answer_sentence(inputs, "test"))
    assert made
    for item in made:
        river = item.context.split("?")[0].split()[-1]
        assert river + "." in item.options[item.gold]
        assert len(item.options) == 3


@pytest.mark.usefixtures("squad")
def test_questions_and_sentences_are_crossed(inputs: Inputs) -> None:
    made = flat(tasks.question_answered(inputs, "train"))
    for item in made:
        sentence, question = item.context.split(" Does this answer the question: ")
        answered = question.split()[-1].strip("?") in sentence
        assert item.options[item.gold] == ("yes" if answered else "no")
    assert sum(item.options[item.gold] == "yes" for item in made) * 2 == len(made)


def test_adjective_order_has_no_context_to_speak_of(inputs: Inputs, put: Put) -> None:
    examples = [
        {
            "input": f'Which sentence has the correct adjective order: a " old red hat {n} " '
            f'b " red old hat {n} " ?',
            "target_scores": {"a": 1, "b": 0},
        }
        for n in range(40)
    ]
    put("bigbench", "hyperbaton/task.json", {"examples": examples})
    made = tasks.adjective_order(inputs, "train")
    assert {item.context for item in made} == {"They looked at the"}
    assert all(item.options[item.gold].startswith("old red") for item in made)
    assert {item.gold for item in made} == {0, 1}


def test_social_questions_of_one_form_meet(inputs: Inputs, put: Put) -> None:
    examples = [
        {
            "input": f"Ann lost thing {n}. How would Ann feel afterwards? "
            if n % 2
            else f"Ann lost thing {n}. Why did Ann do this? ",
            "target_scores": {f"feeling{n}" if n % 2 else f"reason{n}": 1, "x": 0},
        }
        for n in range(40)
    ]
    put("bigbench", "social_iqa/task.json", {"examples": examples})
    for item in flat(tasks.social(inputs, "test")):
        start = "feeling" if "feel" in item.context else "reason"
        assert all(option.startswith(start) for option in item.options)
    assert tasks.social(inputs, "train") == []


def test_science_answers_are_not_in_the_question(inputs: Inputs, put: Put) -> None:
    examples = [
        {
            "input": f"Fact: f{n} fact. \nQuestion: What makes thing {n}? \n"
            f"Correct Answer: {'thing' if n % 4 == 0 else f'cause{n}x'}.",
            "target": ["a."],
        }
        for n in range(60)
    ]
    path = NI + "subtask042_qasc_incorrect_option_generation/task.json"
    put("bigbench", path, {"examples": examples})
    made = flat(tasks.qasc(inputs, "train"))
    assert made
    for context, answer in answers(made).items():
        assert answer == f"cause{context.split('thing ')[1].split('?')[0]}x"


def test_topics_of_articles(inputs: Inputs, put: Put) -> None:
    topics = ["People", "Arts", "History", "Technology", "Geography"]
    content = {
        f"T{n}": {
            "title": f"T{n}",
            "topic": topics[n % 5],
            "description": f"kind {topics[n % 5]} {n}",
            "extract": f"T{n} (said so) is a thing of {topics[n % 5]} known to many people here.",
        }
        for n in range(100)
    }
    put("wikipedia_vital", "data/summaries_en-us.json", content)
    made = flat(texts.article_topic(inputs, "test"))
    assert made
    for context, topic in answers(made).items():
        assert topic.split()[-1] in context.lower()
        assert "(" not in context
    for item in flat(texts.article_description(inputs, "train")):
        assert len({option.split()[1] for option in item.options}) == 1


def test_headlines_are_balanced(inputs: Inputs, put: Put) -> None:
    samples = "\n".join(
        json.dumps({"input": [{"content": headline}], "ideal": ideal})
        for n in range(30)
        for headline, ideal in (
            (f"funny headline number {n} today", "1"),
            (f"plain headline number {n} today", "0"),
            (f"plain headline number {n} tonight", "0"),
        )
    )
    put("evals", "data/sarcasm/samples.jsonl", samples)
    made = flat(texts.sarcasm(inputs, "train"))
    assert made
    for context, label in answers(made).items():
        assert (label == "yes") == ("funny" in context)
    assert sum(label == "yes" for label in answers(made).values()) * 2 == len(made)
    assert len(rows(texts.sarcasm(inputs, "train"), 5)) == 4
