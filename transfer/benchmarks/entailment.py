"""Generated benchmarks of inference: what follows from a sentence or two.

Every benchmark comes in closed rounds (`transfer.benchmarks.rounds`), so the options alone are at
chance; in most the premise alone, or the question alone, is at chance too, since the same premise
is asked about in different ways. The words on which the options differ all stand in the premise
equally often, so counting words does not help either.

Each function yields the rounds of endless shuffled draws; `draw` splits them by a key and stops.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from transfer.benchmarks.rounds import Item, Split, one_round, part, rng
from transfer.benchmarks.vocabulary import (
    ANIMALS,
    COLOURS,
    CONVERSES,
    INTRANSITIVE,
    MEN,
    PLACES,
    QUALITIES,
    ROLES,
    SUPERLATIVES,
    THINGS,
    TRANSITIVE,
    WOMEN,
    indefinite,
    plural,
)

Round = tuple[str, list[str], list[str]]
"""Key, contexts, and the options that answer them in the same order."""
Template = Callable[[random.Random], Round]

PEOPLE = WOMEN + MEN


def draw(template: Template, name: str, split: Split, items: int) -> list[list[Item]]:
    """Return rounds of a template for one split.

    A key (the content words of a round) falls into one split by its hash. A round is left out if
    its key has been drawn before, or one of its contexts with the same options, in either split.
    """
    generator = rng(name)
    rounds: list[list[Item]] = []
    keys: set[str] = set()
    asked: set[tuple[str, frozenset[str]]] = set()
    drawn = 0
    for _ in range(60 * items):
        key, contexts, options = template(generator)
        shown = {(context, frozenset(options)) for context in contexts}
        if key in keys or shown & asked:
            continue
        keys.add(key)
        asked |= shown
        if part(key) == split:
            rounds.append(one_round(contexts, options, key, name))
            drawn += len(contexts)
            if drawn >= items:
                break
    return rounds


def _key(*content: str) -> str:
    return " ".join(sorted(content))


def _join(clauses: list[str]) -> str:
    return ", ".join(clauses[:-1]) + " and " + clauses[-1]


def conjunction(r: random.Random) -> Round:
    """The cat slept, the dog ran and the fox sang. It follows that the dog -> ran."""
    subjects = r.sample(ANIMALS, 3) if r.random() < 0.5 else r.sample(ROLES, 3)
    verbs = [verb.past for verb in r.sample(INTRANSITIVE, 3)]
    premise = _join([f"the {s} {v}" for s, v in zip(subjects, verbs, strict=True)])
    premise = premise[0].upper() + premise[1:]
    contexts = [f"{premise}. It follows that the {subject}" for subject in subjects]
    return _key(*subjects, *verbs), contexts, verbs


def passive(r: random.Random) -> Round:
    """The doctor saw the judge. It follows that -> the judge was seen by the doctor."""
    one, other = r.sample(ANIMALS if r.random() < 0.5 else ROLES, 2)
    verb = r.choice(TRANSITIVE)
    contexts = [
        f"The {subject} {verb.past} the {object_}. It follows that"
        for subject, object_ in ((one, other), (other, one))
    ]
    options = [
        f"the {object_} was {verb.participle} by the {subject}"
        for subject, object_ in ((one, other), (other, one))
    ]
    return _key(one, other, verb.base), contexts, options


def syllogism(r: random.Random) -> Round:
    """Every baker is sad. Every cook is kind. Tom is a cook. It follows that Tom is -> kind."""
    roles, qualities, name = r.sample(ROLES, 3), r.sample(QUALITIES, 3), r.choice(PEOPLE)
    rules = " ".join(
        f"Every {role} is {quality}." for role, quality in zip(roles, qualities, strict=True)
    )
    contexts = [
        f"{rules} {name} is {indefinite(role)}. It follows that {name} is" for role in roles
    ]
    return _key(*roles, *qualities), contexts, qualities


def disjunction(r: random.Random) -> Round:
    """The coin is in the box or in the cup. It is not in the box. So it is in the -> cup."""
    thing = r.choice(THINGS)
    one, other = r.sample([place for place in (THINGS + PLACES) if place != thing], 2)
    contexts = [
        f"The {thing} is in the {one} or in the {other}. The {thing} is not in the {wrong}. "
        f"It follows that the {thing} is in the"
        for wrong in (other, one)
    ]
    return _key(thing, one, other), contexts, [one, other]


def converse(r: random.Random) -> Round:
    """Ann is taller than Tom. It follows that Tom is -> shorter than Ann."""
    more, less = r.choice(CONVERSES)
    one, other = r.sample(PEOPLE, 2)
    turned = r.random() < 0.5
    asked, rest = (other, one) if turned else (one, other)
    contexts = [
        f"{one} is {word} than {other}. It follows that {asked} is" for word in (more, less)
    ]
    options = [f"{word} than {rest}" for word in ((less, more) if turned else (more, less))]
    return _key(more, one, other), contexts, options


def transitive(r: random.Random) -> Round:
    """Ann is older than Tom. Tom is older than Sue. The oldest is -> Ann."""
    more = r.choice(sorted(SUPERLATIVES))
    names = r.sample(PEOPLE, 3)
    swap = r.random() < 0.5
    contexts = []
    for turn in range(3):
        a, b, c = names[turn:] + names[:turn]
        facts = [f"{a} is {more} than {b}.", f"{b} is {more} than {c}."]
        contexts.append(
            " ".join(reversed(facts) if swap else facts)
            + f" It follows that the {SUPERLATIVES[more]} is"
        )
    return _key(more, *names), contexts, names


def order(r: random.Random) -> Round:
    """Ann left before Tom left. So the first to leave was -> Ann."""
    verb = r.choice(INTRANSITIVE)
    one, other = r.sample(PEOPLE, 2)
    first = r.random() < 0.5
    asked = "first" if first else "last"
    contexts = [
        f"{one} {verb.past} {word} {other}. It follows that the {asked} to {verb.base} was"
        for word in ("before", "after")
    ]
    return (
        _key(verb.base, one, other),
        contexts,
        [one, other] if first else [other, one],
    )


_SOME = ("all of the", "most of the", "many of the", "several of the", "both of the", "two of the")
_NONE = ("not one of the", "neither of the", "not any of the", "zero of the")


def quantifier(r: random.Random) -> Round:
    """Most of the boys ran. Is it true that none of the boys ran? -> no."""
    subject = plural(r.choice([noun for noun in ANIMALS + ROLES if noun not in _IRREGULAR]))
    verb = r.choice(INTRANSITIVE).past
    given = r.choice((r.choice(_SOME), r.choice(_NONE)))
    premise = f"{given.capitalize()} {subject} {verb}."
    asked = [
        f"{premise} Is it true that {word} of the {subject} {verb}?" for word in ("some", "none")
    ]
    return _key(subject, verb, given), asked, ["yes", "no"] if given in _SOME else ["no", "yes"]


_IRREGULAR = {"mouse", "wolf", "goose", "sheep", "deer", "fish", "fisherman"}


def conditional(r: random.Random) -> Round:
    """If the hat is red, Tom sings; if it is blue, Tom runs. It is blue. Tom -> runs."""
    thing, colours = r.choice(THINGS), r.sample(COLOURS, 3)
    name, verbs = r.choice(PEOPLE), [verb.base for verb in r.sample(INTRANSITIVE, 3)]
    rules = " ".join(
        f"If the {thing} is {colour}, {name} will {verb}."
        for colour, verb in zip(colours, verbs, strict=True)
    )
    contexts = [
        f"{rules} The {thing} is {colour}. It follows that {name} will" for colour in colours
    ]
    return _key(thing, *colours, *verbs), contexts, verbs


def yes_or_no(r: random.Random) -> Round:
    """The cat slept and the dog ran. Did the cat run? -> no. Question and premise are crossed."""
    one, other = r.sample(ANIMALS if r.random() < 0.5 else ROLES, 2)
    a, b = r.sample(INTRANSITIVE, 2)
    asked, verb = r.choice((one, other)), r.choice((a, b))
    contexts, options = [], []
    for first, second in ((a, b), (b, a)):
        did = first if asked == one else second
        contexts.append(
            f"The {one} {first.past} and the {other} {second.past}. Did the {asked} {verb.base}?"
        )
        options.append("yes" if did is verb else "no")
    return _key(one, other, a.base, b.base), contexts, options


def whereabouts(r: random.Random) -> Round:
    """Ann went to the park. Tom went to the shop. Ann is now in the -> park."""
    names, places = r.sample(PEOPLE, 3), r.sample(PLACES, 3)
    verb = r.choice(("went", "walked", "ran", "drove"))
    story = " ".join(
        f"{name} {verb} to the {place}." for name, place in zip(names, places, strict=True)
    )
    contexts = [
        f"{story} Later a friend looked for {name} and found {name} at the" for name in names
    ]
    return _key(*names, *places), contexts, places


def owner(r: random.Random) -> Round:
    """Tom gave the ring to Ann, and Ann gave the map to Tom. The ring now belongs to -> Ann."""
    one, other = r.sample(PEOPLE, 2)
    a, b = r.sample(THINGS, 2)
    story = f"{one} gave the {a} to {other}, and {other} gave the {b} to {one}."
    contexts = [f"{story} It follows that the {thing} now belongs to" for thing in (a, b)]
    return _key(one, other, a, b), contexts, [other, one]


def contrast(r: random.Random) -> Round:
    """The hat is not red but blue. It follows that the hat is -> blue."""
    thing = r.choice(THINGS)
    values = r.sample(COLOURS, 2)
    form = r.choice(
        (
            "The {t} is {y}, not {n}.",
            "The {t} is not {n} but {y}.",
            "The {t} was {n}, but now it is {y}.",
            "The {t} is {y} and it is no longer {n}.",
            "The {t} is {y} instead of {n}.",
            "Instead of {n}, the {t} is {y}.",
        )
    )
    contexts = [
        form.format(t=thing, y=yes, n=no) + f" It follows that the {thing} is"
        for yes, no in (values, values[::-1])
    ]
    return _key(thing, form[10:16], *values), contexts, values
