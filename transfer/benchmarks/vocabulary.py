"""Words for the generated benchmarks: frequent, concrete and regular English."""

from __future__ import annotations

from typing import NamedTuple


def _words(text: str) -> list[str]:
    return text.split()


WOMEN = _words(
    """
    Mary Anna Sarah Emma Jane Alice Helen Susan Laura Julia Kate Lucy Grace Rose Ellen Linda
    Nancy Karen Lisa Margaret
    """
)

MEN = _words(
    """
    John Tom Peter David James Paul George Henry Jack William Robert Daniel Sam Charles Frank
    Michael Edward Mark Thomas Richard
    """
)

FEMALE = _words(
    """
    girl woman mother sister daughter queen princess lady wife aunt grandmother niece witch
    actress waitress goddess
    """
)

MALE = _words(
    """
    boy man father brother son king prince gentleman husband uncle grandfather nephew wizard
    actor waiter god
    """
)

ROLES = _words(
    """
    teacher sailor farmer doctor lawyer soldier painter writer baker driver singer dancer
    nurse student hunter fisherman merchant priest judge captain carpenter cook guard poet
    miner
    """
)

ANIMALS = _words(
    """
    cat dog horse bird fox wolf bear lion sheep cow pig rabbit mouse duck goose snake frog
    goat monkey tiger donkey deer owl fish
    """
)

THINGS = _words(
    """
    box book cup bag ball hat coat key knife lamp letter map coin ring bottle basket bell
    stone shoe picture pen chair plate blanket
    """
)

PLACES = _words(
    """
    kitchen garden school church market forest library office station park house tower village
    river field barn hall shop castle bridge
    """
)

COLOURS = _words(
    """
    red blue green yellow white black brown grey purple pink orange silver
    """
)

QUALITIES = _words(
    """
    happy sad angry tired hungry rich poor brave kind proud clever lazy quiet strong weak
    young old sick calm honest careful busy famous lonely
    """
)

COUNTABLE = _words(
    """
    book table door letter picture tree house street window garden boat wheel song story tower
    machine bridge river mountain car ship horse dog teacher student farmer doctor friend king
    school church village road shop worker writer soldier animal flower bird
    """
)


class Verb(NamedTuple):
    """Forms of a verb: infinitive, past, participle, -ing."""

    base: str
    past: str
    participle: str
    ing: str


def _verbs(text: str) -> list[Verb]:
    return [Verb(*line.split()) for line in text.strip().splitlines()]


INTRANSITIVE = _verbs(
    """
    sleep slept slept sleeping
    run ran run running
    jump jumped jumped jumping
    sing sang sung singing
    swim swam swum swimming
    fall fell fallen falling
    laugh laughed laughed laughing
    cry cried cried crying
    dance danced danced dancing
    smile smiled smiled smiling
    walk walked walked walking
    wait waited waited waiting
    work worked worked working
    listen listened listened listening
    stop stopped stopped stopping
    leave left left leaving
    arrive arrived arrived arriving
    stay stayed stayed staying
    wake woke woken waking
    hide hid hidden hiding
    """
)

TRANSITIVE = _verbs(
    """
    help helped helped helping
    follow followed followed following
    see saw seen seeing
    call called called calling
    push pushed pushed pushing
    praise praised praised praising
    thank thanked thanked thanking
    visit visited visited visiting
    blame blamed blamed blaming
    love loved loved loving
    hear heard heard hearing
    catch caught caught catching
    teach taught taught teaching
    pay paid paid paying
    watch watched watched watching
    save saved saved saving
    beat beat beaten beating
    know knew known knowing
    attack attacked attacked attacking
    forgive forgave forgiven forgiving
    choose chose chosen choosing
    find found found finding
    warn warned warned warning
    invite invited invited inviting
    """
)

PRINCIPAL_PARTS = _verbs(
    """
    eat ate eaten eating
    write wrote written writing
    take took taken taking
    give gave given giving
    see saw seen seeing
    speak spoke spoken speaking
    drive drove driven driving
    break broke broken breaking
    choose chose chosen choosing
    forget forgot forgotten forgetting
    hide hid hidden hiding
    ride rode ridden riding
    steal stole stolen stealing
    throw threw thrown throwing
    know knew known knowing
    grow grew grown growing
    draw drew drawn drawing
    begin began begun beginning
    drink drank drunk drinking
    sing sang sung singing
    swim swam swum swimming
    do did done doing
    go went gone going
    fall fell fallen falling
    shake shook shaken shaking
    wear wore worn wearing
    bite bit bitten biting
    rise rose risen rising
    wake woke woken waking
    forgive forgave forgiven forgiving
    """
)

CONVERSES = (
    ("taller", "shorter"),
    ("older", "younger"),
    ("richer", "poorer"),
    ("faster", "slower"),
    ("stronger", "weaker"),
    ("bigger", "smaller"),
    ("heavier", "lighter"),
    ("better", "worse"),
    ("louder", "quieter"),
    ("happier", "sadder"),
)
SUPERLATIVES = dict(
    pair.split(":")
    for pair in _words(
        """
        taller:tallest shorter:shortest older:oldest younger:youngest richer:richest
        poorer:poorest faster:fastest slower:slowest stronger:strongest weaker:weakest
        bigger:biggest smaller:smallest heavier:heaviest lighter:lightest better:best
        worse:worst louder:loudest quieter:quietest happier:happiest sadder:saddest
        """
    )
)

GOVERNED = dict(
    pair.split(":")
    for pair in _words(
        """
        depends:on relies:on insists:on consists:of dreams:of approves:of belongs:to
        listens:to refers:to leads:to differs:from suffers:from comes:from deals:with
        agrees:with begins:with looks:at laughs:at points:at believes:in results:in lives:in
        waits:for asks:for searches:for pays:for hopes:for turns:into develops:into
        worries:about talks:about complains:about thinks:about
        """
    )
)


def plural(noun: str) -> str:
    """Return the plural of a regular noun."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def indefinite(noun: str) -> str:
    """Return a noun with `a` or `an` before it."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun
