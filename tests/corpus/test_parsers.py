"""Each parser on a file of the shape that its package has, with text written here."""

import gzip
import io
import json
import zipfile

import pytest

from transfer.corpus import code, curated, web
from transfer.corpus.instruction_outputs import passages
from transfer.corpus.streams import READERS

TASKS = "bigbench-1.0.0/bigbench/benchmark_tasks/"
NATURAL = TASKS + "natural_instructions/"


def examples(*inputs, **more):
    return json.dumps({"examples": [{"input": text} | more for text in inputs]}).encode()


def zipped_csv(text):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("made.csv", text)
    return content.getvalue()


SQUAD = json.dumps({"data": [{"paragraphs": [{"context": "A passage."}]}]}).encode()
LINE = json.dumps(
    {"0": "A page.", "input": [{"content": "x"}, {"content": "A last one."}]}
).encode()
MAIL = (
    b"Subject: Rivers\nContent-Type: text/plain\n\n> quoted\nThey run   down.\n"
    + b"x" * 60
    + b"\n-------\n"
)
CASES = {
    "newsgroups": ("x/datasets/20newsgroups-test.tab", b"h\nh\nh\nsci\tre a post", ["re a post"]),
    "mail": ("package/data/easy/1.txt", MAIL, ["Rivers\nThey run down."]),
    "news": ("t/data/en/NewsArticles.zip", zipped_csv("title,text\nA,B"), ["A\nB"]),
    "health_tweets": (
        "t/data/en/healthtweets.zip",
        zipped_csv("text\nEat well http://x.y\nRun"),
        ["Eat well\nRun"],
    ),
    "parliament": ("t/data/en/parlspeech-sample.zip", zipped_csv("text\nOrder."), ["Order."]),
    "nyt": (TASKS + "squad_shifts/nyt_v1.0.json", SQUAD, ["A passage."]),
    "squad_passages": (TASKS + "squad_shifts/squaddev_v1.1.json", SQUAD, ["A passage."]),
    "web_pages": ("e/schelling_point/owt_5.jsonl", LINE, ["A page."]),
    "wikipedia_passages": ("e/schelling_point/wikipedia_5.jsonl", LINE, ["A page."]),
    "abstracts": ("e/data/abstract2title/samples.jsonl", LINE, ["A last one."]),
    "dialogue": (
        TASKS + "topical_chat/task.json",
        examples("agent_A: hello agent_B: hi", "agent_C"),
        ["A: hello\nB: hi", "agent_C"],
    ),
    "blogs": (
        NATURAL + "subtask024_x/task.json",
        examples("Context: I did n't go .\nQuestion: a", "Context: I did n't go .\nQuestion: b"),
        ["I didn't go."],
    ),
    "drop_passages": (
        NATURAL + "subtask026_x/task.json",
        examples("Passage: They won.\nQuestion: a"),
        ["They won."],
    ),
    "multirc_passages": (
        NATURAL + "subtask048_x/task.json",
        examples("Paragraph- Sent 1: One. Sent 2: Two.\nQuestion: a"),
        ["One. Two."],
    ),
    "ropes_passages": (
        NATURAL + "subtask060_x/task.json",
        examples("Background Paragraph: Air is a gas.\nStory: b"),
        ["Air is a gas."],
    ),
    "qasc_facts": (
        NATURAL + "subtask038_combined_fact/task.json",
        examples("Fact 1: water is a liquid. \nFact 2: short", target=["ice is made of water"]),
        ["water is a liquid.\nice is made of water."],
    ),
    "vitaminc_passages": (
        TASKS + "vitaminc_fact_verification/task.json",
        examples("Film: It made 12 dollars.\nClaim: x", "Film: It made 13 dollars.\nClaim: y"),
        ["Film\nIt made 12 dollars."],
    ),
    "cloud_api_docs": (
        "botocore/data/x/service-2.json.gz",
        gzip.compress(
            json.dumps({"a": [{"documentation": "<p>" + "Word " * 20 + "</p>"}]}).encode()
        ),
        [("Word " * 20).strip()],
    ),
    "vital_articles": (
        "o/data/summaries_en-us.json",
        json.dumps({"Q1": {"title": "Orbit", "extract": "A path."}}).encode(),
        ["Orbit\nA path."],
    ),
    "recipes": (
        "o/data/recipes_en-us.json",
        json.dumps([{"name": "Soup", "steps": ["Boil", "Eat"], "of": None}]).encode(),
        ["Soup\nBoil\nEat"],
    ),
    "factbook": (
        "package/europe/ab.json",
        json.dumps({"A": {"conventional short form": {"text": "Aland"}}}).encode(),
        ["Aland\nconventional short form: Aland"],
    ),
    "gcide": (
        "dictionary/data/en/words_A.json",
        json.dumps({"ant": {"definitions": ["A small insect."]}, "b": {}}).encode(),
        ["ant: A small insect."],
    ),
    "foldoc": (
        "./usr/share/dictd/x.dict.dz",
        gzip.compress(b"bit\n  A digit.\n\nbyte"),
        ["bit A digit.\nbyte"],
    ),
    "parables": (
        "e/parable-to-moral-match-en.jsonl",
        json.dumps({"input": [{"content": "A fox.\nWhich moral is it?"}]}).encode(),
        ["A fox."],
    ),
    "novels": (
        TASKS + "authorship_verification/swapped/task.json",
        json.dumps({"examples": [{"input": "w" * 501, "target_scores": {"short": 1}}]}).encode(),
        ["w" * 501],
    ),
    "folk_tales": ("x/datasets/andersen.tab", b"h\nh\nh\nName\t" + b"a tale " * 120, None),
    "shakespeare": ("s/texts/made_gut.txt", b"A king.\r\nA queen.", ["A king.\nA queen."]),
    "bible": ("p/plain_text_readers_bible.py", b'scriptures = """In the day\nit was."""', None),
    "manpages": (
        "./usr/share/man/man7/x.7.gz",
        gzip.compress(b".SH NAME\nx \\- y"),
        ["NAME\nx - y"],
    ),
    "fortunes": ("./usr/share/games/fortunes/x", b"One.\n%\nTwo.\n", ["One.\nTwo."]),
    "debian_manuals": (
        "./usr/share/doc/x/a.html.gz",
        gzip.compress(b"<p>One</p><p>Two"),
        ["One\nTwo"],
    ),
    "python_docs": ("p/docs/a.rst", b"Title\n=====\n\n" + b"Words. " * 40, None),
    "python": ("p/a.py", b"x = 1\n" * 60, ["x = 1\n" * 60]),
    "javascript": ("package/src/a.js", b"let x = 1\n" * 60, ["let x = 1\n" * 60]),
}


@pytest.mark.parametrize("stream", CASES)
def test_parser(stream):
    name, content, expected = CASES[stream]
    reader = READERS[stream]
    assert reader.members.search(name)
    found = list(reader.parse([(name, content)]))
    if expected is None:
        assert len(found) == 1
        assert len(found[0].split()) > 4
    else:
        assert [" ".join(text.split(" ")) for text in found] == expected


def test_no_stream_has_two_parsers():
    tables = (web.READERS, curated.READERS, code.READERS)
    assert sum(map(len, tables)) == len(READERS)


def test_false_facts_and_generated_code_are_not_read():
    conflict = TASKS + "contextual_parametric_knowledge_conflicts/task.json"
    assert not any(reader.members.search(conflict) for reader in READERS.values())
    generated = [("p/migrations/a.py", b"x = 1\n" * 60), ("p/a.min.js", b"x = 1\n" * 60)]
    assert list(code.source_code(generated)) == []
    assert not READERS["shakespeare"].members.search("s/texts/lear_gut_f.txt")


def test_instruction_outputs_leave_labels_out():
    content = json.dumps(
        {
            "examples": [
                {"target": ["yes", "They went home early."]},
                {"target": "They went home early."},
            ]
        }
    ).encode()
    assert passages([("task.json", content)]) == ["They went home early."]
