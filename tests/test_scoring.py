import gc
import json
import os
import random
import shutil
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from small_model import (
    DEVICE,
    NOUNS,
    TREE_WAY,
    benchmark,
    save_model,
    sentences,
    small_suite,
    tokenizer,
)
from transformers import LlamaForCausalLM

from transfer import scoring
from transfer.errors import BadInput
from transfer.loglikelihood import Checkpoint, Engine
from transfer.loglikelihood import checkpoint as checkpoints
from transfer.loglikelihood import engine as engines
from transfer.scoring import values
from transfer.scoring.journal import RECORD, Journal
from transfer.suite import Run
from transfer.tables import read_items, write_items
from transfer.workspace import Workspace

TOLERANCE = 1e-4
"""Nats, in float32."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "random")


@pytest.fixture(scope="module")
def checkpoint(folder):
    return Checkpoint(folder)


@pytest.fixture(scope="module")
def harness(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        huggingface = pytest.importorskip("lm_eval.models.huggingface")
        given = {"dtype": "float32", "device": DEVICE, "batch_size": 3}
        return huggingface.HFLM(pretrained=str(folder), **given)


def of_harness(harness, pairs):
    requests = [SimpleNamespace(args=pair) for pair in pairs]
    return np.array([value for value, _ in harness.loglikelihood(requests, disable_tqdm=True)])


def of_ours(checkpoint, pairs):
    return checkpoint.loglikelihoods(checkpoint.encode(pairs))


LINES = sentences(12, seed=3)
PAIRS = {
    "options": [(line, f" {noun}") for line in LINES for noun in NOUNS[:4]],
    "phrases": [(line, f" {other}") for line in LINES for other in LINES[:5]],
    "options that share a prefix": [(LINES[0], f" The {noun} sees the {noun}.") for noun in NOUNS],
    "empty context": [("", line) for line in LINES] + [("", " cat"), ("", "cat")],
    "empty context, option begins with the prefix token": [("", "<|endoftext|>The cat")],
    "context begins with the prefix token": [(f"<|endoftext|>{LINES[0]}", " The dog")],
    "space at the end of the context": [
        (f"{line}{space}", option)
        for line in LINES[:3]
        for space in (" ", "  ", "\n", " \n ")
        for option in ("The", "cat", " cat")
    ],
    "boundary within a token": [("The ca", "t sees the hen."), ("The cat s", "ees the owl.")],
    "truncated from the left": [
        (" ".join(LINES * 3), f" {option}") for option in (*NOUNS[:3], *LINES[:3])
    ],
    "option as long as the model reads": [("The cat", " " + " ".join(sentences(5))[:60])],
    "chat": [(f"<|user|>{line}<|assistant|> ", option) for line in LINES for option in NOUNS[:3]],
    "many options of one context": [(LINES[0], f" {a} {b}") for a in NOUNS for b in NOUNS]
    + [(LINES[0], f" {line}") for line in sentences(60, seed=9)],
}


@pytest.mark.parametrize("kind", PAIRS)
def test_loglikelihoods_are_those_of_lm_evaluation_harness(checkpoint, harness, kind):
    pairs = PAIRS[kind]
    expected = of_harness(harness, pairs)
    assert np.abs(of_ours(checkpoint, pairs) - expected).max() < TOLERANCE
    assert expected.std() > 0.1 or len(pairs) == 1


def test_all_kinds_in_one_call_and_any_order_give_the_same(checkpoint):
    pairs = [pair for kind in PAIRS.values() for pair in kind]
    expected = of_ours(checkpoint, pairs)
    order = random.Random(0).sample(range(len(pairs)), len(pairs))
    again = of_ours(checkpoint, [pairs[at] for at in order])
    assert np.abs(again - expected[order]).max() < TOLERANCE


def test_a_model_that_cannot_share_a_context_falls_back_and_says_so(folder, monkeypatch, caplog):
    checkpoint = Checkpoint(folder)
    forward = checkpoint.model.base_model.forward

    def deaf(*args, position_ids=None, **rest):
        return forward(*args, **rest)

    expected = of_ours(checkpoint, PAIRS["phrases"])
    assert checkpoint.engine.way == TREE_WAY
    monkeypatch.setattr(checkpoint.model.base_model, "forward", deaf)
    checkpoint.engine = Engine(checkpoint.model, checkpoint.longest)
    assert np.abs(of_ours(checkpoint, PAIRS["phrases"]) - expected).max() < TOLERANCE
    assert checkpoint.engine.way == "plain"
    assert "nats off its own forward pass); every request is run by itself" in caplog.text


def items(count=8, seed=0):
    draw = random.Random(seed)
    return [
        {
            "id": f"{seed}-{at}",
            "context": line,
            "options": [f"The {noun} too." for noun in draw.sample(NOUNS, 3)],
            "gold": draw.randrange(3),
        }
        for at, line in enumerate(sentences(count, seed))
    ]


def task_of(name, rows, tmp_path):
    """Return lm-evaluation-harness's own task over items, as the task files define one."""
    task = pytest.importorskip("lm_eval.api.task")
    path = tmp_path / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return task.ConfigurableTask(
        config={
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {
                "data_files": {"test": str(path)},
                "cache_dir": str(tmp_path / "cache"),
            },
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "context",
            "doc_to_choice": "options",
            "doc_to_target": "gold",
            "metric_list": [{"metric": "acc"}, {"metric": "acc_mutual_info"}],
        }
    )


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_a_benchmark_is_scored_as_its_lm_evaluation_harness_task(
    checkpoint, harness, tmp_path, chat
):
    rows = items()
    task = task_of("made", rows, tmp_path)
    task.build_all_requests(
        apply_chat_template=chat,
        chat_template=harness.apply_chat_template if chat else None,
        tokenizer_name=harness.tokenizer_name if chat else "",
    )
    values = of_harness(harness, [request.args for request in task.instances])
    table = scoring.score_items(checkpoint, "made", rows, chat)
    ours = [np.concatenate([row.loglikelihood, row.unconditional]) for row in table.itertuples()]
    gap = np.abs(values - np.concatenate(ours)).reshape(len(rows), 2, -1)
    assert gap[:, 0].max() < TOLERANCE
    # In a chat the harness takes the option alone without its space, and so with other tokens.
    assert (gap[:, 1].max() < TOLERANCE) != chat


def test_the_unconditional_score_has_the_tokens_of_the_conditional_one(checkpoint, harness):
    rows = items()
    expected = of_harness(harness, [("", f" {text}") for row in rows for text in row["options"]])
    for chat in (False, True):
        table = scoring.score_items(checkpoint, "made", rows, chat)
        assert np.abs(np.concatenate(table["unconditional"]) - expected).max() < TOLERANCE


def test_lengths_are_of_the_option(checkpoint):
    rows = items()
    table = scoring.score_items(checkpoint, "made", rows)
    spoken = tokenizer()
    for row, scored in zip(rows, table.itertuples(), strict=True):
        assert scored.n_bytes.tolist() == [len(option) for option in row["options"]]
        assert scored.n_tokens.tolist() == [
            len(spoken(f" {option}")["input_ids"]) for option in row["options"]
        ]


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "home"))
    workspace = Workspace("small")
    run = Run.parse("V1P0-S-s0-sft")
    save_model(workspace.checkpoint(run))
    record = {"mixture": "V1P0", "scale": "S", "seed": 0, "step": 7}
    (workspace.checkpoint(run) / "run.json").write_text(json.dumps(record))
    workspace.benchmarks.mkdir(parents=True)
    for seed, name in enumerate(["one", "two"]):
        lines = "".join(json.dumps(row) + "\n" for row in items(seed=seed))
        (workspace.benchmarks / f"{name}-test.jsonl").write_text(lines)
    return SimpleNamespace(workspace=workspace, run=run, suite=suite_of("one", "two"))


def suite_of(question, continuation):
    return small_suite(
        benchmarks=[benchmark(question), benchmark(continuation, prompt="continuation")]
    )


def test_questions_are_put_in_chat_after_sft_and_the_table_says_so(space):
    path = scoring.score_run(space.suite, space.run, space.workspace)
    table, metadata = read_items(path)
    assert table.groupby("benchmark").size().to_dict() == {"one": 8, "two": 8}
    assert (metadata["stage"], metadata["chat"], metadata["step"]) == ("sft", ["one"], 7)
    assert metadata["dtype"] == "float32"
    plain = space.run.parent
    space.workspace.checkpoint(space.run).rename(space.workspace.checkpoint(plain))
    other, metadata = read_items(scoring.score_run(space.suite, plain, space.workspace))
    assert metadata["chat"] == []
    same = [
        np.allclose(a, b)
        for a, b in zip(other["loglikelihood"], table["loglikelihood"], strict=True)
    ]
    assert not any(same[:8])
    assert all(same[8:])


def test_a_run_that_stops_goes_on_where_it_was(space, monkeypatch):
    monkeypatch.setattr(engines, "PACK_TOKENS", dict.fromkeys(engines.PACK_TOKENS, 60))
    expected, _ = read_items(scoring.score_run(space.suite, space.run, space.workspace))
    out = space.workspace.items(space.run)
    out.unlink()
    write, scored = Journal.write, []

    def stops(journal, numbers, values):
        if len(scored) == 4:
            raise KeyboardInterrupt
        scored.append(len(numbers))
        write(journal, numbers, values)

    monkeypatch.setattr(Journal, "write", stops)
    with pytest.raises(KeyboardInterrupt):
        scoring.score_run(space.suite, space.run, space.workspace)
    assert not out.exists()
    (part,) = (out.parent / f".{out.name}.parts").iterdir()
    assert part.stat().st_size == sum(scored) * RECORD.itemsize
    # Killed in the middle of a record.
    part.write_bytes(part.read_bytes()[:-5])
    left = []
    monkeypatch.setattr(Journal, "write", lambda _, numbers, values: left.append(len(numbers)))
    again, _ = read_items(scoring.score_run(space.suite, space.run, space.workspace))
    assert sum(scored) + sum(left) == 2 * 2 * 8 * 3 + 1
    assert [entry.name for entry in out.parent.iterdir()] == [out.name]
    for name in ("loglikelihood", "unconditional"):
        gaps = [np.subtract(a, b) for a, b in zip(again[name], expected[name], strict=True)]
        assert np.abs(gaps).max() < 1e-5


def test_a_killed_process_loses_nothing_but_its_last_batch(space, tmp_path):
    """Kill a real process without a warning, and let another one finish."""
    script = tmp_path / "run.py"
    script.write_text(
        "import os, sys\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from test_scoring import suite_of\n"
        "from transfer import scoring\n"
        "from transfer.loglikelihood import engine\n"
        "from transfer.scoring.journal import Journal\n"
        "from transfer.suite import Run\n"
        "from transfer.workspace import Workspace\n"
        "engine.PACK_TOKENS = dict.fromkeys(engine.PACK_TOKENS, 60)\n"
        "write, seen = Journal.write, [0]\n"
        "def dies(*given):\n"
        "    write(*given)\n"
        "    seen[0] += 1\n"
        "    if seen[0] == int(sys.argv[1]):\n"
        "        os.kill(os.getpid(), 9)\n"
        "Journal.write = dies\n"
        "run = Run.parse('V1P0-S-s0-sft')\n"
        "scoring.score_run(suite_of('one', 'two'), run, Workspace('small'))\n"
        "print(seen[0])\n"
    )

    def started(last):
        return subprocess.run(
            [sys.executable, script, str(last)], capture_output=True, text=True, check=False
        )

    assert started(3).returncode == -9
    whole = started(-1)
    assert whole.returncode == 0, whole.stderr
    path = space.workspace.items(space.run)
    killed, _ = read_items(path)
    path.unlink()
    assert int(started(-1).stdout) == int(whole.stdout) + 3
    expected, _ = read_items(path)
    assert np.allclose(
        np.stack(killed["loglikelihood"]), np.stack(expected["loglikelihood"]), atol=1e-5
    )


def test_values_of_another_key_are_not_used(tmp_path):
    with Journal(tmp_path, "a" * 64) as journal:
        journal.write(np.array([0, 2]), np.array([-1.0, -2.0]))
    with Journal(tmp_path, "a" * 64, rank=1) as journal:
        journal.write(np.array([3]), np.array([-3.0]))
    values = np.full(4, np.nan)
    Journal(tmp_path, "b" * 64).read(values)
    assert np.isnan(values).all()
    Journal(tmp_path, "a" * 64).read(values)
    assert values.tolist()[::2] == [-1.0, -2.0]
    assert np.isnan(values[1])
    assert values[3] == -3.0


@pytest.mark.parametrize("tail", [bytes(16), bytes(7), bytes(100), b"\xff" * 16])
def test_what_a_power_cut_leaves_at_the_end_is_no_value(tmp_path, tail):
    def known():
        values = np.full(4, np.nan)
        Journal(tmp_path, "a" * 64).read(values)
        return values.tolist()

    with Journal(tmp_path, "a" * 64) as journal:
        journal.write(np.array([2]), np.array([-2.0]))
    (file,) = tmp_path.iterdir()
    with file.open("ab") as stream:
        stream.write(tail)
    assert known() == pytest.approx([np.nan, np.nan, -2.0, np.nan], nan_ok=True)
    with Journal(tmp_path, "a" * 64) as journal:
        journal.write(np.array([3]), np.array([-3.0]))
    assert known() == pytest.approx([np.nan, np.nan, -2.0, -3.0], nan_ok=True)


def test_values_without_a_check_are_computed_again(tmp_path):
    unchecked = np.array([(1, -1.0)] * 4, dtype=[("request", "<u4"), ("value", "<f8")])
    (tmp_path / f"{'a' * 32}-0.values").write_bytes(unchecked.tobytes())
    values = np.full(4, np.nan)
    Journal(tmp_path, "a" * 64).read(values)
    assert np.isnan(values).all()


@pytest.mark.parametrize("changed", ["weights", "config", "items", "dtype", "version"])
def test_what_a_value_depends_on_is_in_its_key(tmp_path, monkeypatch, changed):
    first = Checkpoint(save_model(tmp_path / "model"))
    rows = {"made": items()}
    before = values.key(first, scoring.Requests(first, rows))
    assert before == values.key(first, scoring.Requests(first, rows))
    if changed == "weights":
        model = LlamaForCausalLM.from_pretrained(first.folder)
        with torch.no_grad():
            model.model.norm.weight[0] += 1
        model.save_pretrained(first.folder)
    elif changed == "config":
        config = json.loads((first.folder / "config.json").read_text())
        (first.folder / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
    elif changed == "items":
        rows["made"][3]["options"][1] += " It is."
    elif changed == "version":
        monkeypatch.setattr(values, "version", lambda name: "0")
    second = Checkpoint(first.folder, "bfloat16" if changed == "dtype" else "float32")
    assert values.key(second, scoring.Requests(second, rows)) != before


def test_checkpoints_with_one_tokenizer_share_their_requests(space, folder, tmp_path, monkeypatch):
    other = save_model(tmp_path / "other")
    model = LlamaForCausalLM.from_pretrained(other)
    with torch.no_grad():
        model.model.norm.weight[0] += 1
    model.save_pretrained(other)
    encoded = []
    encode = Checkpoint.encode
    monkeypatch.setattr(
        Checkpoint, "encode", lambda self, pairs: encoded.append(len(pairs)) or encode(self, pairs)
    )
    outs = {path: tmp_path / "out" / f"{path.name}.parquet" for path in (folder, other)}
    first, second = scoring.score_to_tables(outs, space.suite)
    assert encoded == [48, 48]
    assert first.tokenise > 0
    assert (second.build, second.tokenise) == (0, 0)
    tables = [read_items(out)[0] for out in outs.values()]
    assert not np.allclose(*(np.stack(table["loglikelihood"]) for table in tables))
    benchmarks = scoring.read_benchmarks(space.suite, space.workspace)
    encoded.clear()
    chats = {folder: False, other: [], tmp_path / "asked": ["two"], tmp_path / "two": ["two"]}
    for path in list(chats)[2:]:
        shutil.copytree(other, path)
    each = dict(scoring.score_each(chats, benchmarks))
    assert encoded == [48, 48] * 2
    assert list(each) == list(chats)
    for table, path in zip(tables, chats, strict=False):
        assert np.allclose(
            np.stack(each[path]["loglikelihood"]), np.stack(table["loglikelihood"]), atol=1e-5
        )
    alone = scoring.score(other, benchmarks)
    assert np.allclose(
        np.stack(alone["loglikelihood"]), np.stack(tables[1]["loglikelihood"]), atol=1e-5
    )


def test_two_processes_share_the_requests(space, folder, tmp_path):
    """Two processes on the CPU, started as `accelerate launch` does, write the table of one."""
    out = tmp_path / "both.parquet"
    script = tmp_path / "both.py"
    script.write_text(
        "import sys\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from pathlib import Path\n"
        "from test_scoring import suite_of\n"
        "from transfer import scoring\n"
        "from transfer.scoring.processes import Processes\n"
        "share = Processes.share\n"
        "def counting(self, *given):\n"
        "    part = share(self, *given)\n"
        f"    (Path({str(tmp_path)!r}) / f'{{self.rank}}.share').write_text(str(len(part)))\n"
        "    return part\n"
        "Processes.share = counting\n"
        f"outs = {{Path({str(folder)!r}): Path({str(out)!r})}}\n"
        "list(scoring.score_to_tables(outs, suite_of('one', 'two')))\n"
    )
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [sys.executable, *command, script],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # A file each: lines of two processes that print to one pipe can run into each other.
    shares = [int(path.read_text()) for path in tmp_path.glob("*.share")]
    assert len(shares) == 2
    assert min(shares) > 20
    assert sum(shares) == 2 * 2 * 8 * 3
    alone = scoring.score(folder, scoring.read_benchmarks(space.suite, space.workspace))
    table, _ = read_items(out)
    for name in ("loglikelihood", "unconditional"):
        assert np.allclose(np.stack(table[name]), np.stack(alone[name]), atol=1e-5)


def test_a_table_of_other_items_is_written_anew(space):
    path = scoring.score_run(space.suite, space.run, space.workspace)
    rows = "".join(json.dumps(row) + "\n" for row in items(seed=5))
    (space.workspace.benchmarks / "two-test.jsonl").write_text(rows)
    scoring.score_run(space.suite, space.run, space.workspace)
    assert "5-0" in set(read_items(path)[0]["item"])


@pytest.mark.parametrize("changed", ["template", "config", "dtype", "shards", "nothing", "old"])
def test_a_table_of_another_checkpoint_is_written_anew(space, changed):
    path = scoring.score_run(space.suite, space.run, space.workspace)
    before, metadata = read_items(path)
    folder = space.workspace.checkpoint(space.run)
    if changed == "template":
        template = folder / "chat_template.jinja"
        template.write_text(template.read_text().replace("<|user|>", "<|user|>Question: "))
    elif changed == "config":
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 0.1}))
    elif changed == "dtype":
        list(scoring.score_to_tables({folder: path}, space.suite, None, True, "bfloat16"))
    elif changed == "shards":
        model = LlamaForCausalLM.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size=20_000)
    elif changed == "old":
        kept = {k: v for k, v in metadata.items() if k not in ("config_sha256", "tokenizer_sha256")}
        write_items(path, before, kept)
    written = path.stat().st_mtime_ns
    scoring.score_run(space.suite, space.run, space.workspace)
    table, now = read_items(path)
    assert (path.stat().st_mtime_ns == written) == (changed in ("nothing", "old"))
    assert now["dtype"] == "float32"
    (fresh,) = dict(
        scoring.score_each({folder: ["one"]}, scoring.read_benchmarks(space.suite, space.workspace))
    ).values()
    values = [np.stack(frame["loglikelihood"]) for frame in (table, fresh, before)]
    assert np.allclose(*values[:2], atol=1e-5)
    assert np.allclose(*values[1:], atol=1e-5) == (changed not in ("template", "config"))


def test_one_model_is_held_at_a_time(space, folder, tmp_path, monkeypatch):
    other = shutil.copytree(folder, tmp_path / "other")
    made = []
    read = Checkpoint.__init__

    def noted(self, *given):
        assert all(model() is None for model in made)
        read(self, *given)
        made.append(weakref.ref(self.model))

    monkeypatch.setattr(Checkpoint, "__init__", noted)
    outs = {path: tmp_path / "out" / f"{path.name}.parquet" for path in (folder, other)}
    # What only the collector of cycles would free is held too.
    gc.disable()
    try:
        list(scoring.score_to_tables(outs, space.suite))
        items = scoring.read_benchmarks(space.suite, space.workspace)
        list(scoring.score_each(dict.fromkeys((folder, other), False), items))
    finally:
        gc.enable()
    assert len(made) == 4


def test_shortened_requests_are_counted_though_they_were_scored_before(
    space, folder, tmp_path, monkeypatch
):
    rows = items()
    for row in rows[:3]:
        row["context"] = " ".join(sentences(20))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (space.workspace.benchmarks / "one-test.jsonl").write_text(lines)
    outs = {folder: tmp_path / "items.parquet"}
    (whole,) = scoring.score_to_tables(outs, space.suite)
    monkeypatch.setattr(Journal, "read", lambda _, values: values.fill(-1.0))
    (again,) = scoring.score_to_tables(outs, space.suite)
    assert whole.truncated == again.truncated == 3 * 3


def test_any_checkpoint_can_be_scored_to_a_table(space, folder, tmp_path):
    out = tmp_path / "items.parquet"
    (scored,) = scoring.score_to_tables({folder: out}, space.suite, benchmarks=["two"])
    assert scored.items == 8
    assert read_items(out)[1]["mixture"] == "random"
    with pytest.raises(BadInput, match="benchmark 'three' is not in the suite; it has one, two"):
        list(scoring.score_to_tables({folder: out}, space.suite, benchmarks=["three"]))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("folder", "no such folder"),
        ("config.json", "no config.json"),
        ("tokenizer", "no tokenizer"),
        ("model.safetensors", "no weights"),
        ("pickle", "weights only as a pickle"),
        ("code", "it needs code of its own, and code in a checkpoint is never run"),
        ("cut", "the model cannot be read"),
        ("config", "the model cannot be read|the tokenizer cannot be read"),
        ("lacking", "the weights lack model.layers.1"),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path, broken, says):
    folder = save_model(tmp_path / "model")
    weights = folder / "model.safetensors"
    if broken == "folder":
        folder = tmp_path / "none"
    elif broken == "tokenizer":
        for path in folder.glob("tokenizer*"):
            path.unlink()
    elif broken == "pickle":
        weights.rename(folder / "pytorch_model.bin")
    elif broken == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif broken == "config":
        (folder / "config.json").write_text("{")
    elif broken == "code":
        config = json.loads((folder / "config.json").read_text())
        config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "own.py").write_text("raise SystemExit('code was run')")
    elif broken == "lacking":
        from safetensors.torch import load_file, save_file

        kept = {k: v for k, v in load_file(weights).items() if "layers.1" not in k}
        save_file(kept, weights, metadata={"format": "pt"})
    else:
        (folder / broken).unlink()
    with pytest.raises(BadInput, match=says):
        Checkpoint(folder)


def test_a_pickle_is_opened_only_when_asked(tmp_path, folder):
    other = save_model(tmp_path / "model")
    (other / "model.safetensors").unlink()
    torch.save(LlamaForCausalLM.from_pretrained(folder).state_dict(), other / "pytorch_model.bin")
    with pytest.raises(BadInput, match="unless it is asked for"):
        Checkpoint(other)
    pairs = PAIRS["options"]
    opened = of_ours(Checkpoint(other, pickles=True), pairs)
    assert np.allclose(opened, of_ours(Checkpoint(folder), pairs), atol=1e-5)
    # Where there are safetensors, the hash is of them, and so are the values.
    model = LlamaForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.norm.weight.mul_(3)
    model.save_pretrained(other)
    assert (other / "pytorch_model.bin").exists()
    safe = of_ours(Checkpoint(other), pairs)
    assert not np.allclose(safe, opened, atol=0.1)
    assert np.allclose(of_ours(Checkpoint(other, pickles=True), pairs), safe, atol=1e-5)


def test_an_accelerator_that_is_not_there_is_not_used(folder, monkeypatch):
    """As a build of PyTorch for CUDA on a machine without a GPU."""
    monkeypatch.setattr(
        torch.accelerator,
        "current_accelerator",
        lambda check_available=False: None if check_available else torch.device("cuda"),
    )
    assert Checkpoint(folder).device.type == "cpu"


def test_a_process_without_a_device_of_its_own_is_refused(folder, monkeypatch):
    monkeypatch.setattr(
        torch.accelerator,
        "current_accelerator",
        lambda check_available=False: torch.device("cuda"),
    )
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(BadInput, match=r"LOCAL_RANK 2: .* sees 2; give --num_processes 2"):
        Checkpoint(folder)
    # Where each process is shown one device, it is that.
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    assert checkpoints._device() == torch.device("cuda", 0)


def test_an_unknown_dtype_is_refused(folder):
    with pytest.raises(BadInput, match="dtype 'int8': give one of float32, bfloat16, float16"):
        Checkpoint(folder, "int8")


def test_bfloat16_is_near_float32(folder):
    half = of_ours(Checkpoint(folder, "bfloat16"), PAIRS["phrases"])
    full = of_ours(Checkpoint(folder), PAIRS["phrases"])
    assert 0 < np.abs(half - full).max() < 0.05 * np.abs(full).max()


def test_a_model_that_returns_nan_is_refused_with_benchmark_and_item(tmp_path):
    folder = save_model(tmp_path / "model")
    model = LlamaForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    model.save_pretrained(folder)
    with pytest.raises(BadInput, match=r"benchmark made, item '0-0': the model returns NaN"):
        scoring.score_items(Checkpoint(folder), "made", items())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"options": ["cat", ""], "gold": 0}, "option 1 is empty"),
        ({"gold": 3}, r"gold is no option \(3\); give the number of the right one, from 0 to 2"),
        ({"gold": "0"}, r"gold is no option \('0'\)"),
        ({"gold": None}, "lacks gold"),
        ({"options": None}, "lacks options"),
        ({"options": "ab"}, "options is 'ab'; give a list of strings"),
        ({"options": [1, 2]}, "option 0 is 1; give a string"),
        ({"context": None}, "lacks context"),
        ({"context": 5}, "context is 5; give a string"),
    ],
)
def test_an_item_that_cannot_be_scored_is_named(checkpoint, change, says):
    rows = items()
    rows[2] |= change
    with pytest.raises(BadInput, match=f"benchmark made, item '0-2': {says}"):
        scoring.score_items(checkpoint, "made", rows)


def test_items_without_an_id_or_none_at_all_are_named(checkpoint):
    rows = items()
    del rows[2]["id"]
    with pytest.raises(BadInput, match="benchmark made, item number 2: id is None; give a string"):
        scoring.score_items(checkpoint, "made", rows)
    with pytest.raises(BadInput, match="benchmark made: no items"):
        scoring.score_items(checkpoint, "made", [])


def test_a_tokenizer_without_a_token_that_begins_a_text_is_refused(tmp_path):
    folder = save_model(tmp_path / "model")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["bos_token"], config["eos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="model: the tokenizer has neither bos_token nor eos_token"):
        Checkpoint(folder)


def test_an_option_without_a_token_of_its_own_is_named(checkpoint, monkeypatch):
    encode = checkpoint.encode

    def melting(pairs):
        return [pair._replace(continuation=[]) for pair in encode(pairs)]

    monkeypatch.setattr(checkpoint, "encode", melting)
    with pytest.raises(BadInput, match=r"item '0-0': option ' The .* has no token of its own"):
        scoring.score_items(checkpoint, "made", items())


def test_chat_needs_a_template(tmp_path):
    folder = save_model(tmp_path / "model")
    for path in folder.glob("chat_template*"):
        path.unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="no chat template; score without chat or add one"):
        scoring.score_items(Checkpoint(folder), "made", items(), chat=True)


def test_no_benchmark_is_refused(folder):
    with pytest.raises(BadInput, match="no benchmark to score"):
        scoring.score(folder, {})


def test_the_table_has_a_row_an_item(checkpoint):
    table = scoring.score_items(checkpoint, "made", items())
    assert isinstance(table, pd.DataFrame)
    assert table["item"].tolist() == [row["id"] for row in items()]
