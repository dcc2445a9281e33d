"""Generated benchmarks of word form and word choice, with words of real English.

As in minimal-pair suites, two or more contexts differ in one word and call for different
endings; the endings are shared, so their own frequency does not help.
"""

from __future__ import annotations

import random

from transfer.benchmarks.entailment import PEOPLE, Round
from transfer.benchmarks.vocabulary import (
    COUNTABLE,
    FEMALE,
    GOVERNED,
    INTRANSITIVE,
    MALE,
    MEN,
    PLACES,
    PRINCIPAL_PARTS,
    QUALITIES,
    TRANSITIVE,
    WOMEN,
    plural,
)


def agreement(r: random.Random) -> Round:
    """The books near the table -> are. In a quarter a second noun is of the other number."""
    noun, near = r.sample(COUNTABLE, 2)
    options = list(r.choice((("is", "are"), ("was", "were"), ("has", "have"))))
    link = r.choice(("near", "behind", "next to", "with", "and not", "in front of"))
    article = r.choice(("the", "the", "my"))
    heads = [f"{article} {noun}", f"{article} {plural(noun)}"]
    others = [f"{article} {near}", f"{article} {plural(near)}"]
    form = r.choice(("crossed", "alike", "adjective", "clause"))
    if form == "crossed":
        contexts = [
            f"{head} {link} {other}" for head, other in zip(heads, others[::-1], strict=True)
        ]
    elif form == "alike":
        contexts = [f"{head} {link} {other}" for head, other in zip(heads, others, strict=True)]
    elif form == "adjective":
        near = r.choice(QUALITIES[17:])
        contexts = [head.replace(" ", f" {near} ", 1) for head in heads]
    else:
        near = r.choice(("I think that", "They say that", "We know that", "It is here that"))
        contexts = [f"{near} {head}" for head in heads]
    contexts = [context[0].upper() + context[1:] for context in contexts]
    return f"{noun} {near} {link} {options[0]}", contexts, options


def reflexive(r: random.Random) -> Round:
    """The mother of the boy saw -> herself."""
    verb = r.choice(TRANSITIVE).past
    form = r.randrange(3)
    place = r.randrange(len(FEMALE))
    if form == 0:
        her, him = FEMALE[place], MALE[place]
        other = r.choice(("teacher", "farmer", "doctor", "child", "friend", "judge"))
        contexts = [f"The {who} near the {other} {verb}" for who in (her, him)]
        options, key = ["herself", "himself"], f"{her} {other} {verb}"
    elif form == 1:
        her, him = r.choice(WOMEN), r.choice(MEN)
        when = r.choice(_WHEN)
        contexts = [f"{when} {who} {verb}" for who in (her, him)]
        options, key = ["herself", "himself"], f"{her} {him} {verb} {when}"
    else:
        who = r.choice((FEMALE, MALE))[place]
        self_ = "herself" if who in FEMALE else "himself"
        tail = r.choice(("in the room", "from the village", "at the door", "with the hat"))
        contexts = [f"The {noun} {tail} {verb}" for noun in (who, plural_person(who))]
        options, key = [self_, "themselves"], f"{who} {tail} {verb}"
    return key, contexts, options


def plural_person(noun: str) -> str:
    """Return the plural of a word for a person, irregular ones too."""
    irregular = {"woman": "women", "man": "men", "gentleman": "gentlemen", "wife": "wives"}
    return irregular.get(noun, plural(noun))


def pronoun(r: random.Random) -> Round:
    """The queen was tired, so -> she."""
    named = r.random() < 0.5
    place = r.randrange(len(FEMALE))
    her, him = (
        (r.choice(WOMEN), r.choice(MEN))
        if named
        else (f"the {FEMALE[place]}", f"the {MALE[place]}")
    )
    quality, verb = r.choice(QUALITIES), r.choice(INTRANSITIVE).past
    kind = r.randrange(4)
    frame, options = (
        ("{who} {verb} because", ["she", "he"]),
        ("{who} was {quality}, and all of the people loved", ["her", "him"]),
        ("When {who} {verb}, everyone could see that", ["she", "he"]),
        ("{who} was {quality} because somebody had lost", ["her", "his"]),
    )[kind]
    when = r.choice(_WHEN) + " " if kind < 3 else ""
    contexts = []
    for who in (her, him):
        text = frame.format(who=who, verb=verb, quality=quality)
        text = when + (text[0].lower() + text[1:] if when and kind == 2 else text)
        contexts.append(text[0].upper() + text[1:])
    word = verb if "{verb}" in frame else quality
    return f"{her} {him} {word} {kind} {when}", contexts, options


_WHEN = (
    "Yesterday",
    "Last night",
    "After that",
    "In the morning",
    "One day",
    "This time",
    "In the end",
    "Years later",
)


def polarity(r: random.Random) -> Round:
    """Nobody has -> ever left; everybody has -> already left."""
    noun = plural(r.choice(COUNTABLE))
    verb = r.choice(TRANSITIVE)
    people = plural_person(r.choice(FEMALE + MALE))
    kind = r.randrange(5)
    if kind == 0:
        few, many = r.choice((("No", "All"), ("Few", "Many"), ("None of the", "Most of the")))
        contexts = [f"{few} {people} have", f"{many} {people} have"]
        options = ["ever", "already"]
    elif kind == 1:
        who = r.choice(PEOPLE)
        contexts = [f"{who} did not {verb.base}", f"{who} {verb.past}"]
        options = [f"any {noun}", f"some {noun}"]
    elif kind == 2:
        contexts = [f"The {people} did not {verb.base}", f"The {people} {verb.past}"]
        options = ["anybody", "somebody"]
    elif kind == 3:
        place = r.choice(PLACES)
        contexts = [f"In the {place} there were not", f"In the {place} there were"]
        options = [f"any {noun}", f"some {noun}"]
    else:
        place = r.choice(PLACES)
        contexts = [f"The {people} cannot see the {place}", f"The {people} can see the {place}"]
        options = ["either", "too"]
    return f"{kind} {contexts[0]} {options[0]}", contexts, options


def determiner(r: random.Random) -> Round:
    """These old -> doors; this old -> door."""
    noun = r.choice(COUNTABLE)
    one, many = r.choice(
        (
            ("this", "these"),
            ("that", "those"),
            ("one", "two"),
            ("a single", "several"),
            ("every", "many"),
            ("each", "both"),
            ("another", "three"),
        )
    )
    adjective = r.choice(("old", "new", "small", "big", "good", "beautiful", "strange", "little"))
    frame = r.choice(
        ("We saw {d} {a}", "{n} talked about {d} {a}", "There was nothing like {d} {a}")
    )
    name = r.choice(PEOPLE)
    contexts = [frame.format(d=word, a=adjective, n=name) for word in (one, many)]
    return f"{noun} {one} {adjective} {frame[:4]}", contexts, [noun, plural(noun)]


def verb_form(r: random.Random) -> Round:
    """She will -> eat; she has -> eaten; she is -> eating."""
    verb = r.choice(PRINCIPAL_PARTS)
    who = r.choice((*PEOPLE, "She", "He", "The king", "The woman", "My friend", "The teacher"))
    adverb = r.choice(("", "", " always", " never", " still", " also", " just"))
    contexts = [
        f"{who} {r.choice(('will', 'can', 'must', 'did not', 'would'))}{adverb}",
        f"{who} {r.choice(('has', 'had'))}{adverb}",
        f"{who} {r.choice(('is', 'was'))}{adverb}",
    ]
    return f"{verb.base} {who}{adverb}", contexts, [verb.base, verb.participle, verb.ing]


def government(r: random.Random) -> Round:
    """The answer depends -> on; the answer consists -> of."""
    by_preposition: dict[str, list[str]] = {}
    for verb, preposition in GOVERNED.items():
        by_preposition.setdefault(preposition, []).append(verb)
    options = r.sample(sorted(by_preposition), 4)
    verbs = [r.choice(by_preposition[preposition]) for preposition in options]
    subject = r.choice((*PEOPLE, "she", "he", "the teacher", "the woman", "the king", "the child"))
    frame = r.choice(
        ("I know that {s} {v}", "{s} often {v}", "{s} {v}", "It is clear that {s} {v}")
    )
    contexts = []
    for verb in verbs:
        text = frame.format(s=subject, v=verb)
        contexts.append(text[0].upper() + text[1:])
    return f"{subject} {' '.join(sorted(verbs))}", contexts, options
