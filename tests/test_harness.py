"""The model `transfer` of lm-evaluation-harness, beside their `hf` on their own machinery."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_model import DEVICE, NOUNS, save_model, sentences
from transformers import LlamaForCausalLM

from transfer.errors import BadInput

os.environ["HF_HUB_OFFLINE"] = "1"
pytest.importorskip("lm_eval")
from transfer.harness import TransferLM

TOLERANCE = 1e-4
"""Nats, in float32."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "random")


@pytest.fixture(scope="module")
def task_files(tmp_path_factory):
    """Task files of three kinds over made-up items."""
    folder = tmp_path_factory.mktemp("tasks")
    lines = sentences(12, seed=4)
    rows = [
        {"context": line, "options": [f"The {n} too." for n in NOUNS[:3]], "gold": at % 3}
        for at, line in enumerate(lines)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kinds = {
        "choice": "output_type: multiple_choice\ndoc_to_choice: options\ndoc_to_target: gold\n"
        "metric_list:\n  - metric: acc\n  - metric: acc_norm\n",
        "choice_fewshot": "output_type: multiple_choice\ndoc_to_choice: options\n"
        "doc_to_target: gold\nnum_fewshot: 2\nfewshot_split: test\n"
        "metric_list:\n  - metric: acc\n",
        "rolling": "output_type: loglikelihood_rolling\ndoc_to_target: '{{context}}'\n"
        "metric_list:\n  - metric: word_perplexity\n  - metric: bits_per_byte\n",
        "until": "output_type: generate_until\ndoc_to_target: '{{options[0]}}'\n"
        "generation_kwargs:\n  until: ['.']\n  max_gen_toks: 5\n"
        "metric_list:\n  - metric: exact_match\n",
    }
    for name, text in kinds.items():
        (folder / f"{name}.yaml").write_text(
            f"task: made_{name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n"
            f"    test: {folder / 'rows.jsonl'}\n  cache_dir: {folder / 'cache'}\n"
            f"test_split: test\ndoc_to_text: '{{{{context}}}}'\n{text}"
        )
    return folder


ALONE = ("-m", "transfer.harness")
TOGETHER = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *ALONE)


def run_cli(model, folder, task_files, out, *more, start=ALONE):
    command = [sys.executable, *start]
    command += ["--model", model, "--model_args", f"pretrained={folder},dtype=float32"]
    command += ["--device", DEVICE, "--batch_size", "4", "--include_path", str(task_files)]
    command += ["--output_path", str(out), "--log_samples", *more]
    env = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    (result,) = out.rglob("results_*.json")
    samples = {
        path.name.split("_20")[0]: [json.loads(line) for line in path.read_text().splitlines()]
        for path in out.rglob("samples_*.jsonl")
    }
    return json.loads(result.read_text()), samples


@pytest.mark.slow
def test_their_command_line_writes_the_same_files(folder, task_files, tmp_path):
    names = ["--tasks", "made_choice,made_choice_fewshot,made_rolling,made_until"]
    ours, our_samples = run_cli("transfer", folder, task_files, tmp_path / "ours", *names)
    theirs, their_samples = run_cli("hf", folder, task_files, tmp_path / "theirs", *names)
    assert ours.keys() == theirs.keys()
    assert ours["results"].keys() == theirs["results"].keys()
    for task, expected in theirs["results"].items():
        found = ours["results"][task]
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            if isinstance(value, float):
                assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-6)
    assert our_samples.keys() == their_samples.keys()
    for task, expected_rows in their_samples.items():
        for found, expected in zip(our_samples[task], expected_rows, strict=True):
            assert found["doc"] == expected["doc"]
            if "until" in task:
                assert found["resps"] == expected["resps"]
                continue
            for a, b in zip(found["resps"], expected["resps"], strict=True):
                assert np.allclose(
                    np.ravel(a[0]).astype(float) if "rolling" in task else float(a[0][0]),
                    np.ravel(b[0]).astype(float) if "rolling" in task else float(b[0][0]),
                    atol=TOLERANCE,
                )
                assert "rolling" in task or a[0][1] == b[0][1]


def test_results_are_of_what_was_asked_or_refused(folder, task_files, tmp_path):
    from transfer.tasks import Conditions, evaluate

    asked = Conditions(["made_choice"], include=task_files, limit=4)
    made = evaluate(str(folder), tmp_path / "results", asked)
    assert evaluate(str(folder), tmp_path / "results", asked) is None
    for other, said in (
        (asked._replace(tasks=["made_choice_fewshot"]), "other tasks"),
        (asked._replace(limit=2), r"other limit \(4\)"),
    ):
        with pytest.raises(BadInput, match=said):
            evaluate(str(folder), tmp_path / "results", other)
    own = task_files / "choice.yaml"
    text = own.read_text()
    own.write_text(text.replace("{{context}}", "{{context}} So:"))
    with pytest.raises(BadInput, match="other include_sha256"):
        evaluate(str(folder), tmp_path / "results", asked)
    own.write_text(text)
    assert evaluate(str(folder), tmp_path / "results", asked) is None
    with pytest.raises(BadInput, match="nowhere: no such folder; check --include"):
        evaluate(str(folder), tmp_path / "results", asked._replace(include=tmp_path / "nowhere"))
    # What a killed process left has no stamp, and is made again.
    (made / "asked.json").unlink()
    for path in made.glob("samples_*"):
        path.unlink()
    assert evaluate(str(folder), tmp_path / "results", asked) == made
    assert len(list(made.glob("samples_*"))) == len(list(made.glob("results_*"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def broken_checkpoint(folder, how):
    """Break a checkpoint in one way; return the folder to score."""
    weights, config = folder / "model.safetensors", folder / "config.json"
    said = json.loads(config.read_text())
    if how == "folder":
        return folder.with_name("none")
    if how == "empty":
        (folder.with_name("empty")).mkdir()
        return folder.with_name("empty")
    if how == "tokenizer":
        for path in folder.glob("tokenizer*"):
            path.unlink()
    elif how == "pickle":
        weights.rename(folder / "pytorch_model.bin")
    elif how == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif how == "shapes":
        config.write_text(json.dumps(said | {"intermediate_size": 3}))
    elif how == "architecture":
        config.write_text(json.dumps(said | {"model_type": "own"}))
    elif how == "lacking":
        from safetensors.torch import load_file, save_file

        kept = {k: v for k, v in load_file(weights).items() if "layers.1" not in k}
        save_file(kept, weights, metadata={"format": "pt"})
    elif how in ("bos", "chat"):
        for path in folder.glob("chat_template*"):
            path.unlink()
        path = folder / "tokenizer_config.json"
        gone = ("chat_template",) if how == "chat" else ("bos_token", "eos_token")
        kept = {k: v for k, v in json.loads(path.read_text()).items() if k not in gone}
        path.write_text(json.dumps(kept))
    else:
        (folder / how).unlink()
    return folder


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("folder", "none: no such folder|none: neither a folder"),
        ("empty", "empty: no config.json"),
        ("config.json", "model: no config.json"),
        ("tokenizer", "model: no tokenizer"),
        ("model.safetensors", "model: no weights"),
        ("pickle", "model: weights only as a pickle"),
        ("cut", "model: the model cannot be read"),
        ("shapes", "model: the model cannot be read"),
        ("architecture", "model: the model cannot be read"),
        ("lacking", "model: the weights lack model.layers.1"),
        ("bos", "model: the tokenizer has neither bos_token nor eos_token"),
        ("chat", "model: the tokenizer has no chat template"),
    ],
)
def test_a_checkpoint_that_cannot_be_scored_is_refused(task_files, tmp_path, how, says):
    from transfer.tasks import Conditions, evaluate

    broken = broken_checkpoint(save_model(tmp_path / "model"), how)
    asked = Conditions(["made_choice"], include=task_files, limit=2)
    with pytest.raises(BadInput, match=says) as refused:
        evaluate(str(broken), tmp_path / "results", asked, chat=how == "chat")
    assert "\n" not in str(refused.value)


def test_conditions_that_cannot_be_are_refused(folder, tmp_path):
    from typer.testing import CliRunner

    from transfer.cli import app

    start = ["score", str(folder), "--task", "made_choice", "--out", str(tmp_path / "out")]
    for option, value in (("--limit", "0"), ("--shots", "-1"), ("--dtype", "int8")):
        result = CliRunner().invoke(app, [*start, option, value])
        assert result.exit_code == 2
        assert option.strip("-") in result.stderr
        assert "Traceback" not in result.output


@pytest.mark.slow
def test_two_processes_write_the_results_of_one(folder, task_files, tmp_path):
    names = ["--tasks", "made_choice,made_rolling"]
    one, one_samples = run_cli("transfer", folder, task_files, tmp_path / "one", *names)
    two, two_samples = run_cli(
        "transfer", folder, task_files, tmp_path / "two", *names, start=TOGETHER
    )
    for task, expected in one["results"].items():
        for name, value in expected.items():
            if isinstance(value, float):
                assert two["results"][task][name] == pytest.approx(value, rel=1e-6)
        assert len(two_samples[f"samples_{task}"]) == len(one_samples[f"samples_{task}"]) == 12


def requests_of(pairs):
    return [
        SimpleNamespace(args=pair, task_name="made", doc_id=at) for at, pair in enumerate(pairs)
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_continuation_without_a_token_is_refused_with_its_task(folder):
    model = TransferLM(str(folder), dtype="float32")
    with pytest.raises(BadInput, match="task made, document 1: the continuation '' has 0 tokens"):
        model.loglikelihood(requests_of([("The cat", " sees"), ("The cat", "")]))


@pytest.mark.filterwarnings("ignore")
def test_nan_is_refused_with_its_task(folder):
    broken = LlamaForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        broken.model.norm.weight[0] = float("nan")
    model = TransferLM(broken)
    with pytest.raises(BadInput, match="task made, document 0: the model returns NaN"):
        model.loglikelihood(requests_of([("The cat", " sees")]))
    with pytest.raises(BadInput, match="task made, document 0: the model returns NaN"):
        model.loglikelihood_rolling(requests_of([("The cat sees",)]))


@pytest.mark.filterwarnings("ignore")
def test_what_was_scored_goes_into_their_cache(folder):
    model = TransferLM(str(folder), dtype="float32")
    kept = []
    model.set_cache_hook(SimpleNamespace(add_partial=lambda *entry: kept.append(entry)))
    answers = model.loglikelihood(requests_of([("The cat", " sees")]))
    total = model.loglikelihood_rolling([SimpleNamespace(args=("The cat sees.",))])
    assert kept == [
        ("loglikelihood", ("The cat", " sees"), answers[0]),
        ("loglikelihood_rolling", ("The cat sees.",), total[0]),
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_pickle_is_not_opened(folder, tmp_path):
    model = LlamaForCausalLM.from_pretrained(folder)
    broken = save_model(tmp_path / "model")
    (broken / "model.safetensors").unlink()
    torch.save(model.state_dict(), broken / "pytorch_model.bin")
    with pytest.raises(BadInput, match=r"the model cannot be read .*safetensors"):
        TransferLM(str(broken), dtype="float32")
