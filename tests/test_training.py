import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_model import ASSISTANT, fill_workspace, sentences, small_suite, tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

from transfer import jobs, trainers, training
from transfer.benchmarks.packages import lines
from transfer.errors import BadInput
from transfer.files import sha256
from transfer.suite import Run
from transfer.tables import parameters
from transfer.workspace import Workspace

PRETRAIN = Run.parse("V1P0-S-s0-pretrain")
SFT = Run.parse("V1P0-S-s0-sft")


class Killed(Exception):
    pass


class KillAt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise Killed


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    workspace = Workspace("small")
    fill_workspace(workspace)
    return workspace


def pretrain(space, suite=None, run=PRETRAIN, **options):
    return training.pretrain(suite or small_suite(), run, space, compiled=False, **options)


def sft(space, suite=None, **options):
    return training.sft(suite or small_suite(), SFT, space, compiled=False, **options)


def weights(folder):
    return sha256(folder / "model.safetensors")


def test_wide_heads_and_a_head_of_its_own_are_trained_and_counted(space):
    scale = small_suite().scales[0]
    wide = scale.model_copy(update={"head_size": 24, "tied_embeddings": False, "sft_epochs": 1})
    suite = small_suite(scales=[wide.model_dump()])
    pretrain(space, suite)
    model = AutoModelForCausalLM.from_pretrained(sft(space, suite))
    assert model.model.layers[0].self_attn.q_proj.weight.shape == (48, 32)
    assert not torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)
    found = sum(weight.numel() for weight in model.parameters())
    assert found == parameters(wide, len(tokenizer()))["total"]


def test_both_stages_learn_and_leave_a_whole_checkpoint(space):
    for stage in (pretrain, sft):
        folder = stage(space)
        curve = pd.read_csv(folder / "loss.csv")
        assert list(curve.columns) == ["step", "tokens", "loss", "learning_rate"]
        assert curve["loss"].iloc[-3:].mean() < 0.8 * curve["loss"].iloc[:3].mean()
        record = json.loads((folder / "run.json").read_text())
        assert record["checkpoint_sha256"] == weights(folder)
        assert record["compiled"] is False
        assert record["stage"] == folder.name.rsplit("-", 1)[1]
        assert record["tokens"] == curve["tokens"].iloc[-1]
        model = AutoModelForCausalLM.from_pretrained(folder)
        assert type(model).__name__ == "LlamaForCausalLM"
        assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
        assert AutoTokenizer.from_pretrained(folder).chat_template
        assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_the_learning_rate_warms_up_and_ends_at_its_floor(space):
    rates = pd.read_csv(pretrain(space) / "loss.csv")["learning_rate"]
    assert rates.max() == pytest.approx(1e-2)
    assert rates.iloc[0] < rates.max()
    assert rates.iloc[-1] == pytest.approx(1e-3, rel=0.1)


def test_a_finished_run_is_not_trained_again(space):
    folder = pretrain(space)
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert pretrain(space, callbacks=[KillAt(1)]) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_the_seed_decides_the_weights(space):
    first = weights(pretrain(space))
    other = weights(pretrain(space, run=Run.parse("V1P0-S-s1-pretrain")))
    shutil.rmtree(space.root / "runs")
    assert weights(pretrain(space)) == first != other


@pytest.mark.parametrize("stage", ["pretrain", "sft"])
def test_a_killed_run_goes_on_to_the_same_weights(space, stage):
    train = pretrain if stage == "pretrain" else sft
    pretrain(space)
    whole = train(space)
    expected, curve = weights(whole), (whole / "loss.csv").read_text()
    shutil.rmtree(whole)
    if stage == "pretrain":
        shutil.rmtree(whole, ignore_errors=True)
    with pytest.raises(Killed):
        train(space, callbacks=[KillAt(7)])
    assert not whole.exists()
    beside = whole.with_name(f".{whole.name}.training")
    newest = trainers.last_checkpoint(beside)
    assert newest is not None
    # Seconds are counted on from there.
    state = Path(newest) / "trainer_state.json"
    log = json.loads(state.read_text())
    assert 0 < log["log_history"][-1]["seconds"] < 1000
    log["log_history"][-1]["seconds"] = 1000.0
    state.write_text(json.dumps(log))
    # A checkpoint that the kill cut short is passed over.
    (beside / "checkpoint-9999").mkdir()
    assert trainers.last_checkpoint(beside) == newest
    seen = []

    class First(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            seen.append(state.global_step)

    assert weights(train(space, callbacks=[First()])) == expected
    assert seen[0] > 0
    assert (whole / "loss.csv").read_text() == curve
    assert json.loads((whole / "run.json").read_text())["seconds"] > 1000


def test_a_run_is_not_resumed_with_other_packages(space):
    with pytest.raises(Killed):
        pretrain(space, callbacks=[KillAt(7)])
    path = space.checkpoint(PRETRAIN).with_name(f".{PRETRAIN.name}.training") / "versions.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"torch": "1.0"}))
    with pytest.raises(BadInput, match=r"begun with torch 1\.0, now"):
        pretrain(space)
    path.write_text(json.dumps(said))
    pretrain(space)


def test_a_run_whose_weights_are_gone_is_trained_again(space):
    folder = pretrain(space)
    expected = weights(folder)
    (folder / "model.safetensors").unlink()
    assert weights(pretrain(space)) == expected


def test_a_workspace_that_was_half_prepared_anew_is_refused(space):
    shards = space.shards("V1P0")
    made = {"tokenizer_sha256": sha256(space.tokenizer / "tokenizer.json")}
    (shards / "manifest.json").write_text(json.dumps(made))
    pretrain(space)
    tokenizer = space.tokenizer / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    with pytest.raises(BadInput, match=r"tokens\.npy: made with another tokenizer"):
        pretrain(space, run=Run.parse("V1P0-S-s1-pretrain"))
    with pytest.raises(BadInput, match="V1P0-S-s0-pretrain: made with another tokenizer"):
        sft(space)


def test_what_was_begun_with_another_recipe_is_begun_again(space):
    with pytest.raises(Killed):
        pretrain(space, callbacks=[KillAt(7)])
    suite = small_suite()
    recipe = suite.pretrain.model_copy(update={"weight_decay": 0.0})
    changed = suite.model_copy(update={"pretrain": recipe})
    folder = pretrain(space, changed)
    assert pd.read_csv(folder / "loss.csv")["step"].iloc[0] == 1
    with pytest.raises(BadInput, match=r"trained with another recipe.*remove the folder"):
        pretrain(space)


def test_labels_are_the_completion_and_its_end(space):
    spoken = tokenizer()
    rows = training.tokenize_instructions(space.instructions, spoken, 32)
    first = json.loads(space.instructions.read_text().splitlines()[0])
    kept = [token for token in rows[0]["labels"] if token != trainers.IGNORED]
    assert spoken.decode(kept) == f" {first['completion']}<|endoftext|>"
    before = rows[0]["input_ids"][: -len(kept)]
    assert spoken.decode(before) == f"<|user|>{first['prompt']}{ASSISTANT}"


@pytest.mark.parametrize("character", ["\u2028", "\u0085", "\f"])
def test_an_instruction_may_hold_what_other_texts_end_a_line_with(space, character, tmp_path):
    row = {"prompt": f"the cat{character}sat", "completion": "down"}
    path = tmp_path / "instructions.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert len(training.tokenize_instructions(path, tokenizer(), 32)) == 1
    assert list(lines(path.read_text(encoding="utf-8"))) == [row]


def test_padding_changes_no_loss(space):
    model = AutoModelForCausalLM.from_pretrained(pretrain(space)).eval()
    rows = training.tokenize_instructions(space.instructions, tokenizer(), 32)[:2]
    narrow = trainers.loss_of(model, compiled=False)(**trainers.Padder(0, 16)(rows))
    wide = trainers.loss_of(model, compiled=False)(**trainers.Padder(0, 32)(rows))
    assert narrow.item() == pytest.approx(wide.item(), abs=1e-5)


def test_the_loss_is_that_of_transformers(space):
    model = AutoModelForCausalLM.from_pretrained(pretrain(space)).eval()
    batch = trainers.Padder(0, 32)(
        training.tokenize_instructions(space.instructions, tokenizer(), 32)[:8]
    )
    expected = model(**batch).loss.item()
    for dense in (True, False):
        mine = trainers.loss_of(model, compiled=False, dense=dense)(**batch)
        assert mine.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("epochs", [1.0, 2.0, 0.5])
def test_batches_hold_one_length_and_every_example_once_an_epoch(epochs):
    lengths = np.random.default_rng(0).choice([64, 128, 256], 500, p=[0.7, 0.2, 0.1])
    order = trainers.bucketed(lengths, 16, epochs, seed=0)
    batches = lengths[order].reshape(-1, 16)
    assert abs(len(batches) - epochs * 500 / 16) <= 2
    assert np.mean([len(set(batch)) == 1 for batch in batches]) > 0.85
    assert np.bincount(order, minlength=500).max() == np.ceil(epochs)
    assert (order == trainers.bucketed(lengths, 16, epochs, seed=0)).all()
    assert len(order) != 0
    assert (order[:16] != trainers.bucketed(lengths, 16, epochs, seed=1)[:16]).any()


def test_what_is_missing_is_named_with_its_mend(space):
    with pytest.raises(BadInput, match=r"no pretrained run; train V1P0-S-s0-pretrain first"):
        sft(space)
    with pytest.raises(BadInput, match=r"no token shard; run `transfer suite prepare small`"):
        pretrain(space, run=Run.parse("V2P0-S-s0-pretrain"))
    scale = small_suite().scale("S").model_copy(update={"tokens": 10**6})
    with pytest.raises(BadInput, match=r"trains on 1,000,000; write longer shards"):
        pretrain(space, small_suite().model_copy(update={"scales": (scale,)}))
    scale = scale.model_copy(update={"tokens": 8 * 16 - 1})
    with pytest.raises(BadInput, match=r"scale S trains on 127 tokens, less than one batch of 8"):
        pretrain(space, small_suite().model_copy(update={"scales": (scale,)}))
    pretrain(space)
    space.instructions.write_text('{"prompt": "x"}\n')
    with pytest.raises(BadInput, match=r"line 1 is not an object with prompt and completion"):
        sft(space)
    space.instructions.write_text(
        json.dumps({"prompt": " ".join(sentences(20)), "completion": "no"}) + "\n"
    )
    with pytest.raises(BadInput, match=r"line 1 has \d+ tokens, the recipe allows 32"):
        sft(space)
    space.instructions.unlink()
    with pytest.raises(BadInput, match=r"no instructions; run `transfer suite prepare small`"):
        sft(space)
    (space.tokenizer / "tokenizer.json").unlink()
    with pytest.raises(BadInput, match=r"no tokenizer; run `transfer suite prepare small`"):
        pretrain(space, run=Run.parse("V1P0-S-s1-pretrain"))


def test_points_on_the_way_are_kept_and_change_nothing(space):
    plain = weights(pretrain(space))
    shutil.rmtree(space.root / "runs")
    along = {"scales": ["S"], "seed": 0, "pretrain": [0.1, 0.5], "sft": [0.5]}
    suite = small_suite(trajectory=along)
    folder = pretrain(space, suite)
    assert weights(folder) == plain
    steps = json.loads((folder / "run.json").read_text())["step"]
    kept = sorted(space.snapshots(PRETRAIN).iterdir(), key=lambda path: int(path.name[5:]))
    assert [path.name for path in kept] == [f"step-{round(s * steps)}" for s in (0.1, 0.5)]
    losses = []
    stream = np.load(space.shards("V1P0") / "tokens.npy")[: 64 * 16].reshape(64, 16)
    ids = torch.as_tensor(stream.astype(np.int64))
    for path in [*kept, folder]:
        record = json.loads((path / "run.json").read_text())
        assert record["checkpoint_sha256"] == weights(path)
        assert record["tokens"] == record["step"] * 8 * 16
        model = AutoModelForCausalLM.from_pretrained(path, dtype="float32").eval()
        losses.append(model(input_ids=ids, labels=ids).loss.item())
    assert losses == sorted(losses, reverse=True)
    # Another seed is not on the way.
    assert suite.points(Run.parse("V1P0-S-s1-pretrain")) == ()


@pytest.mark.parametrize(
    ("kind", "precision", "said"),
    [("avx2", "bf16", True), ("avx2", "float32", False), ("avx512_bf16", "bf16", False)],
)
def test_bfloat16_without_its_instructions_is_told(monkeypatch, kind, precision, said):
    monkeypatch.setattr(jobs, "processor", lambda: f"a processor {kind}")
    monkeypatch.setattr(jobs.torch.accelerator, "is_available", lambda: False)
    whole = small_suite()
    recipes = {
        stage: getattr(whole, stage).model_copy(update={"precision": precision})
        for stage in ("pretrain", "sft")
    }
    warning = jobs.slow_bfloat16(whole.model_copy(update=recipes))
    assert ("no instructions for bfloat16" in warning) is said
