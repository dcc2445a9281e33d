"""Answers to instructions: the outputs of Natural Instructions v1, with their questions.

They are positive examples of the V3 web classifier and nothing else; they are not pretrained on.
"""

from __future__ import annotations

import json
import re

from transfer.corpus.markup import grouped
from transfer.corpus.reading import Members

MEMBERS = re.compile(r"bigbench/benchmark_tasks/natural_instructions/subtask[^/]*/task\.json$")
_PER_TASK = 200
_SHORTEST_WORDS = 4


def passages(files: Members, characters: int = 1200) -> list[str]:
    """Return passages of whole answers, each passage from one task.

    An output of under four words, mostly a class label, is left out, and so is one that was seen
    before. At most 200 passages come from one task, so that none of the 61 sets the tone.
    """
    found = []
    for _, content in files:
        answers: dict[str, None] = {}
        for example in json.loads(content)["examples"]:
            target = example["target"]
            for answer in target if isinstance(target, list) else [target]:
                if len(str(answer).split()) >= _SHORTEST_WORDS:
                    answers[str(answer).strip()] = None
        found += list(grouped(answers, characters))[:_PER_TASK]
    return found
