"""Every shape of request on every kind of model, against lm-evaluation-harness's `hf`."""

import os
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from small_model import DEVICE, NOUNS, TREE_WAY, sentences, tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from transfer.suite import repository

os.environ["HF_HUB_OFFLINE"] = "1"
pytest.importorskip("lm_eval")
from lm_eval.models.huggingface import HFLM

from transfer.errors import BadInput
from transfer.harness import TransferLM

TOLERANCE = 1e-4
"""Nats, in float32."""

SIZES = {
    "vocab_size": 320,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 160,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
GPT2 = {
    "vocab_size": 320,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 160,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
SHARES = {
    "Llama": SIZES | {"num_key_value_heads": 2},
    "GPTNeoX": SIZES,
    "GPT2": GPT2,
    "Qwen2": SIZES | {"num_key_value_heads": 2},
    "Gemma": SIZES | {"num_key_value_heads": 1, "head_dim": 16},
    "Olmo2": SIZES | {"num_key_value_heads": 4},
}
"""Models that take attention over a tree."""

ALONE = {
    "Mistral": SIZES | {"num_key_value_heads": 2, "sliding_window": 8},
    "Gemma2": SIZES | {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 8},
    "Bloom": SIZES | {"n_layer": 2, "n_head": 4},
    "Mamba": {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
    "Granite": SIZES | {"num_key_value_heads": 2, "logits_scaling": 8.0},
    "Cohere": SIZES | {"num_key_value_heads": 2, "logit_scale": 0.0625},
    # Longer than what is tried out, and shorter than what the model reads.
    "Qwen2Moe": SIZES
    | {
        "num_key_value_heads": 2,
        "sliding_window": 80,
        "use_sliding_window": True,
        "max_window_layers": 2,
        "num_experts": 4,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
    "Phimoe": SIZES | {"num_key_value_heads": 2, "sliding_window": 80, "num_local_experts": 4},
}
"""Models that do not: windows, caps, biases by distance, scaled logits, and a state in place of
attention."""

LINES = sentences(40, seed=3)
SHOTS = " ".join(LINES[:9])
SHAPES = {
    "short multiple choice": [(line, f" {noun}") for line in LINES[:8] for noun in NOUNS[:4]],
    "long continuations": [
        (line, " " + " ".join(LINES[at : at + 6])) for at, line in enumerate(LINES[:9])
    ],
    "several long continuations": [
        (line, " " + " ".join(LINES[at : at + 3])) for line in LINES[:3] for at in range(5)
    ],
    "few-shot": [(f"{SHOTS}\n\n{line}", f" {noun}.") for line in LINES[9:19] for noun in NOUNS[:3]],
    "passages": [
        (f"{' '.join(LINES[at : at + 7])}\nThe {noun}", f" sees the {other}.")
        for at in (0, 9, 18)
        for noun in NOUNS[:4]
        for other in NOUNS[4:7]
    ],
    "a context that begins another": [(" ".join(LINES[:n]), f" {LINES[n]}") for n in range(1, 13)],
    "single-token options": [(line, option) for line in LINES[:6] for option in (" c", " o", " t")],
    "empty context": [("", line) for line in LINES[:5]] + [("", "<|endoftext|>The cat")],
    "truncated": [(" ".join(LINES * 2), f" {o}") for o in (*NOUNS[:3], *LINES[:3])],
    "options that share a prefix": [
        (LINES[0], f" The {a} sees the {b}.") for a in NOUNS[:4] for b in NOUNS[:4]
    ],
    "options that retokenise": [
        ("The ca", "t sees."),
        ("The cat s", "ees the owl."),
        ("The ", "owl"),
    ],
    "duplicates": [(LINES[0], " cat"), (LINES[1], " owl"), (LINES[0], " cat"), (LINES[0], " cat")],
}


def model_of(name, sizes, seed=0):
    """Return a random model, its weights large enough to tell options apart."""
    torch.manual_seed(seed)
    config = getattr(transformers, f"{name}Config")(**sizes)
    return AutoModelForCausalLM.from_config(config).eval().to(DEVICE)


def both(model, spoken=None, batch_size=3):
    spoken = spoken or tokenizer()
    spoken.model_max_length = 10**30
    return [
        kind(pretrained=model, tokenizer=spoken, batch_size=batch_size, max_length=160)
        for kind in (TransferLM, HFLM)
    ]


def check(ours, theirs, pairs):
    requests = [
        SimpleNamespace(args=pair, task_name="made", doc_id=at) for at, pair in enumerate(pairs)
    ]
    found = ours.loglikelihood(requests, disable_tqdm=True)
    expected = theirs.loglikelihood(requests, disable_tqdm=True)
    gap = max(abs(a - b) for (a, _), (b, _) in zip(found, expected, strict=True))
    assert gap < TOLERANCE
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    return gap, np.std([value for value, _ in expected])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SHARES | ALONE)
def test_every_shape_of_request_is_as_theirs(name):
    ours, theirs = both(model_of(name, (SHARES | ALONE)[name]))
    spread = []
    for shape, pairs in SHAPES.items():
        try:
            spread.append(check(ours, theirs, pairs)[1])
        except AssertionError as error:
            raise AssertionError(f"{name}, {shape}: {error}") from error
    assert min(spread) > 0.01
    assert ours.engine.way == (TREE_WAY if name in SHARES else "plain")
    texts = [SimpleNamespace(args=(" ".join(LINES[:n]),)) for n in (1, 5, 40)]
    found = ours.loglikelihood_rolling(texts, disable_tqdm=True)
    expected = theirs.loglikelihood_rolling(texts, disable_tqdm=True)
    # Sums over hundreds of tokens.
    assert np.allclose(found, expected, rtol=1e-6, atol=TOLERANCE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", ["chunks", "plain"])
@pytest.mark.parametrize("name", ["Llama", "GPT2", "Granite", "Cohere"])
def test_every_way_of_attention_is_as_theirs(name, way):
    ours, theirs = both(model_of(name, (SHARES | ALONE)[name]))
    ours._way, ours._pack_tokens = way, 70
    for pairs in SHAPES.values():
        check(ours, theirs, pairs)
    assert ours.engine.way == (way if name in SHARES else "plain")


def test_an_unknown_way_is_refused():
    ours, _ = both(model_of("Llama", SHARES["Llama"]))
    ours._way = "flash"
    with pytest.raises(BadInput, match="way 'flash': give one of blocks, chunks, plain"):
        check(ours, ours, SHAPES["duplicates"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "scale"), [("NanoChat", 0.05), ("Gemma2", 0.04)])
def test_a_cap_of_logits_that_hardly_caps_them_is_kept(name, scale):
    sizes = SIZES | {"num_key_value_heads": 2, "head_dim": 8, "initializer_range": scale}
    sizes |= {"attn_logit_softcapping": None} if name == "Gemma2" else {}
    ours, theirs = both(model_of(name, sizes))
    for shape in ("long continuations", "short multiple choice"):
        check(ours, theirs, SHAPES[shape])
    assert ours.engine.manner.whole_head


SCALED = {
    "longrope": {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4},
    "dynamic": {"factor": 4.0},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", [None, "plain"])
@pytest.mark.parametrize("kind", SCALED)
def test_positions_are_scaled_by_the_length_of_each_request(kind, way):
    """Their own positions depend on the batch, and on those before it; so each model is new."""
    sizes = SIZES | {"num_key_value_heads": 2, "original_max_position_embeddings": 80}
    sizes["max_position_embeddings"] = 160 if kind == "longrope" else 80
    rope = {"rope_type": kind, "rope_theta": 1e4, "original_max_position_embeddings": 80}
    name = "Phi3" if kind == "longrope" else "Llama"
    model = model_of(name, sizes | {"rope_parameters": rope | SCALED[kind]})
    ours, theirs = both(model, batch_size=1)
    ours._way = way
    # Of 70 to 160 tokens, one of them of 80, and short ones.
    spoken = ours.tokenizer
    lines = " ".join(LINES * 2)
    ends = [len(spoken.decode(spoken(lines)["input_ids"][:n])) for n in range(70, 170, 5)]
    pairs = [(lines[:end], option) for end in ends for option in (" The cat sees", " dog")]
    pairs += SHAPES["few-shot"] + SHAPES["truncated"] + SHAPES["short multiple choice"]
    theirs.logits_cache = False
    forward = theirs._model_call

    def alone(*given, **named):
        for module in theirs.model.modules():
            if hasattr(module, "max_seq_len_cached"):
                module.max_seq_len_cached = 0
        return forward(*given, **named)

    theirs._model_call = alone
    sizes = {len(c) + len(t) - 1 for c, t in ours.encoder(pairs)}
    assert {79, 80, 81} & sizes
    assert min(sizes) < 60
    assert max(sizes) >= 150
    check(ours, theirs, pairs)
    check(ours, theirs, pairs[::-3])
    assert ours.engine.way == (way or TREE_WAY)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("run", ["V1P0-S-s0-pretrain", "V1P0-S-s0-sft"])
def test_a_trained_checkpoint_gives_the_same(run):
    folder = repository() / "data" / "mini" / "checkpoints" / run
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ours, theirs = both(model.eval().to(DEVICE), AutoTokenizer.from_pretrained(folder))
    for pairs in SHAPES.values():
        check(ours, theirs, pairs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_sixty_million_parameters_give_the_same():
    sizes = SIZES | {
        "vocab_size": 32000,
        "hidden_size": 512,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "intermediate_size": 1408,
        "initializer_range": 0.05,
    }
    ours, theirs = both(model_of("Llama", sizes))
    assert 5e7 < sum(p.numel() for p in ours.model.parameters()) < 7e7
    for pairs in SHAPES.values():
        check(ours, theirs, pairs)


@pytest.mark.filterwarnings("ignore")
def test_one_call_in_any_order_gives_what_calls_by_shape_give():
    ours, theirs = both(model_of("Llama", SHARES["Llama"]))
    # Their cache mixes up two requests of equal tokens that are cut at different places.
    theirs.logits_cache = False
    pairs = [pair for shape in SHAPES.values() for pair in shape]
    random.Random(0).shuffle(pairs)
    check(ours, theirs, pairs)


@pytest.mark.filterwarnings("ignore")
def test_in_bfloat16_the_softmax_is_closer_to_float32_than_theirs():
    exact, _ = both(model_of("Llama", SHARES["Llama"]))
    ours, theirs = both(model_of("Llama", SHARES["Llama"]).to(torch.bfloat16))
    pairs = SHAPES["short multiple choice"] + SHAPES["passages"]
    requests = [SimpleNamespace(args=p, task_name="made", doc_id=0) for p in pairs]
    values = [
        np.array([v for v, _ in model.loglikelihood(requests, disable_tqdm=True)])
        for model in (exact, ours, theirs)
    ]
    assert ours.engine.way == TREE_WAY
    gaps = [np.abs(value - values[0]).mean() for value in values[1:]]
    assert 0 < gaps[0] < gaps[1]
