import io
import json
import tarfile

import pytest
from small_model import benchmark, sentences, small_suite, tokenizer

from transfer import instructions
from transfer.errors import BadInput
from transfer.files import sha256
from transfer.workspace import Workspace

LONGEST = 100
PASSAGE = "one two three four five six seven eight nine ten eleven twelve"


def item(context, answer, wrong="no"):
    return {"id": context[:16], "context": context, "options": [wrong, answer], "gold": 1}


def write_items(space, name, split, rows):
    space.benchmarks.mkdir(parents=True, exist_ok=True)
    path = space.benchmarks / f"{name}-{split}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_archive(space, tasks):
    """Write an archive laid out as BIG-bench's, and return the source that pins it."""
    space.downloads.mkdir(parents=True, exist_ok=True)
    path = space.downloads / "made.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for task, examples in tasks.items():
            content = json.dumps({"examples": examples}).encode()
            member = tarfile.TarInfo(f"made/natural_instructions/subtask{task}/task.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return {
        "name": "bigbench",
        "registry": "pypi",
        "package": "made",
        "version": "1",
        "file": "made.tar.gz",
        "sha256": sha256(path),
        "licence": "MIT",
    }


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    workspace = Workspace("small")
    tokenizer().save_pretrained(workspace.tokenizer)
    for name, count in (("large", 60), ("little", 4), ("held_out", 30)):
        rows = [item(f"{name} {at}?", str(at)) for at in range(count)]
        write_items(workspace, name, "train", rows)
        write_items(workspace, name, "test", [item(f"{PASSAGE} {name}", "yes")])
    write_items(workspace, "short", "test", [item("who was the first king", "Arthur")])
    return workspace


def suite(space, **tasks):
    names = ("large", "little", "held_out")
    content = {"benchmarks": [benchmark(name, in_sft=name != "held_out") for name in names]}
    if tasks:
        content["sources"] = [write_archive(space, tasks)]
    made = small_suite(**content)
    recipe = made.sft.model_copy(update={"examples": 30, "max_length": LONGEST})
    return made.model_copy(update={"sft": recipe})


def built(space, suite, seed=0):
    path = instructions.build_instructions(suite, space, seed)
    return [json.loads(line) for line in path.read_text().splitlines()]


def question(at):
    return {"input": f"Fact {at}.", "target": [f"answer {at}.", "another."]}


def test_the_set_is_as_long_as_asked_and_shared_by_thirds(space):
    rows = built(
        space, suite(space, **{"001_made_answer_generation": [question(i) for i in range(40)]})
    )
    sources = [row["source"] for row in rows]
    assert len(rows) == 30
    assert sources.count("little") == 4
    assert sources.count("large") == 16
    assert sources.count("natural_instructions/001_made_answer_generation") == 10
    assert "held_out" not in sources
    assert len(set(sources[:10])) > 1


def test_a_training_item_is_scored_as_it_is_trained(space):
    rows = built(space, suite(space))
    large = [row for row in rows if row["source"] == "large"]
    assert all(row["prompt"] == f"large {row['completion']}?" for row in large)


def test_tasks_share_the_rest_equally_and_say_what_they_ask_for(space):
    few = [question(i) for i in range(2)]
    many = [question(i) for i in range(50)]
    rows = built(
        space,
        suite(space, **{"001_made_question_generation": few, "002_made_paraphrasing": many}),
    )
    sources = [row["source"] for row in rows]
    assert sources.count("natural_instructions/001_made_question_generation") == 2
    assert sources.count("natural_instructions/002_made_paraphrasing") == 8
    row = next(row for row in rows if row["source"].endswith("paraphrasing"))
    assert row["prompt"].startswith("made paraphrasing: Fact ")
    assert row["completion"].startswith("answer ")


@pytest.mark.parametrize(
    "task",
    [
        "005_mctaco_wrong_answer_generation_event_duration",
        "025_cosmosqa_incorrect_answer_generation",
        "042_qasc_incorrect_option_generation",
        "055_multirc_write_incorrect_answer",
    ],
)
def test_tasks_that_ask_for_wrong_answers_are_left_out(space, task):
    rows = built(space, suite(space, **{task: [question(i) for i in range(40)]}))
    assert not any(row["source"].startswith("natural") for row in rows)


def test_rows_that_share_text_with_test_items_are_dropped_and_counted(space):
    examples = [
        {"input": f"{PASSAGE.upper()}, and more.", "target": ["x"]},
        {"input": "Who was the first king?", "target": ["Arthur"]},
        {"input": "nine words of it: one two three four five six seven eight nine", "target": "x"},
        {"input": "another king", "target": ["Alfred"]},
    ]
    rows = built(space, suite(space, **{"001_made_answer_generation": examples}))
    general = [row["prompt"] for row in rows if row["source"].startswith("natural")]
    assert sorted(general) == [
        "made answer generation: another king",
        "made answer generation: nine words of it: one two three four five six seven eight nine",
    ]
    record = json.loads(space.instructions.with_suffix(".json").read_text())
    counts = record["sources"]["natural_instructions/001_made_answer_generation"]
    assert counts == {"available": 4, "used": 2, "dropped_long": 0, "dropped_overlap": 2}


def test_rows_that_are_too_long_are_dropped(space):
    long = {"input": " ".join(sentences(40)), "target": ["x"]}
    rows = built(space, suite(space, **{"001_made_answer_generation": [long, question(1)]}))
    assert sum(row["source"].startswith("natural") for row in rows) == 1
    spoken = tokenizer()
    assert (
        max(len(spoken(row["prompt"] + row["completion"])["input_ids"]) for row in rows)
        <= LONGEST - 3
    )


def test_the_seed_decides_and_an_unchanged_set_is_kept(space):
    made = suite(space)
    first = built(space, made)
    before = space.instructions.stat().st_mtime_ns
    assert built(space, made) == first
    assert space.instructions.stat().st_mtime_ns == before
    assert built(space, made, seed=1) != first
    assert built(space, made) == first
    write_items(space, "little", "train", [item("new", "row")])
    assert built(space, made) != first


def test_until_the_suite_has_benchmarks_the_candidates_stand_in(space, monkeypatch):
    made = suite(space)
    monkeypatch.setattr(instructions, "PILOT_BENCHMARKS", 4)
    monkeypatch.setattr(instructions, "candidates_in_sft", lambda: ["large", "held_out"])
    rows = built(space, made.model_copy(update={"benchmarks": ()}))
    sources = [row["source"] for row in rows]
    assert sources.count("large") == sources.count("held_out") == 5


def test_what_is_missing_is_named(space):
    (space.benchmarks / "large-train.jsonl").write_text('{"context": "x"}\n')
    with pytest.raises(BadInput, match=r"large-train.jsonl, line 1: not an item"):
        built(space, suite(space))
    (space.benchmarks / "large-train.jsonl").unlink()
    with pytest.raises(BadInput, match=r"large-train.jsonl: no training items; run"):
        built(space, suite(space))
    (space.tokenizer / "tokenizer.json").unlink()
    with pytest.raises(BadInput, match=r"no tokenizer; run `transfer suite prepare small`"):
        built(space, suite(space))


def test_pools_give_in_turn():
    pools = {name: iter([f"{name}{at}" for at in range(3)]) for name in "ab"}
    pools["c"] = iter(["c0"])
    assert instructions.drawn(pools, 6) == ["a0", "b0", "c0", "a1", "b1", "a2"]
    assert instructions.drawn(pools, 5) == ["b2"]
