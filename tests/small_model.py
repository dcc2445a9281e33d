"""A tiny suite, tokenizer, shard and model, made in the test's own folder from made-up text."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from transfer.suite import Suite
from transfer.workspace import Workspace

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""Where what is scored beside lm-evaluation-harness runs: on a GPU wherever one is at hand."""

TREE_WAY = "blocks" if DEVICE == "cpu" else "chunks"
"""How attention over a tree is computed there, where nothing else is asked for."""

END, USER, ASSISTANT = "<|endoftext|>", "<|user|>", "<|assistant|>"
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{{ '<|assistant|> ' + m['content'] + eos_token }}{% else %}{{ '<|user|>' + m['content'] }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|> ' }}{% endif %}"
)
NOUNS = ["cat", "dog", "fox", "hen", "owl", "pig", "cow", "ant", "bee", "rat"]
VERBS = ["sees", "hears", "finds", "likes", "chases"]


def sentences(count: int, seed: int = 0) -> list[str]:
    """Return made-up sentences with some regularity to learn."""
    draw = random.Random(seed)
    return [
        f"The {draw.choice(NOUNS)} {draw.choice(VERBS)} the {draw.choice(NOUNS)}."
        for _ in range(count)
    ]


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-pair tokenizer with the suite's special tokens and chat template."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=[END, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(sentences(300), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        chat_template=TEMPLATE,
        model_max_length=64,
    )


def save_model(folder: Path, positions: int = 64) -> Path:
    """Save a random Llama model, with weights large enough to tell its options apart."""
    torch.manual_seed(0)
    spoken = tokenizer()
    config = LlamaConfig(
        vocab_size=len(spoken),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    spoken.save_pretrained(folder)
    return folder


def small_suite(**changes: object) -> Suite:
    """Return a suite of one mixture and one small scale."""
    content: dict[str, object] = {
        "name": "small",
        "title": "Small",
        "sources": [],
        "texts": [],
        "curated_groups": {},
        "mixtures": [
            {"name": "V1P0", "web": "V1", "web_share": 1, "code_share": 0, "curated_share": 0}
        ],
        "scales": [
            {
                "name": "S",
                "hidden_size": 32,
                "layers": 1,
                "heads": 2,
                "intermediate_size": 48,
                "tokens": 20 * 8 * 16,
                "learning_rate": 1e-2,
                "sft_learning_rate": 5e-3,
                "seeds": [0, 1],
            }
        ],
        "tokenizer": {"vocabulary": 320, "lowercase": False, "training_mb": 1},
        "pretrain": {
            "sequence_length": 16,
            "batch_sequences": 8,
            "warmup_fraction": 0.1,
            "weight_decay": 0.1,
            "min_learning_rate_fraction": 0.1,
            "precision": "float32",
        },
        "sft": {
            "examples": 60,
            "epochs": 2,
            "batch_examples": 8,
            "max_length": 32,
            "warmup_fraction": 0.1,
            "weight_decay": 0.0,
            "precision": "float32",
        },
        "benchmarks": [],
    }
    return Suite.model_validate(content | changes)


def fill_workspace(workspace: Workspace) -> None:
    """Write tokenizer, a shard and instructions."""
    spoken = tokenizer()
    spoken.save_pretrained(workspace.tokenizer)
    ids = [token for line in sentences(600) for token in [*spoken(line)["input_ids"], 0]]
    folder = workspace.shards("V1P0")
    folder.mkdir(parents=True)
    np.save(folder / "tokens.npy", np.array(ids, dtype=np.uint16))
    rows = [
        {"prompt": f"Who {line.split()[2]}?", "completion": line.split()[1], "source": "made"}
        for line in sentences(60, seed=1)
    ]
    workspace.instructions.write_text("".join(json.dumps(row) + "\n" for row in rows))


def benchmark(name: str, in_sft: bool = False, prompt: str = "question") -> dict[str, object]:
    """Return a benchmark as a suite file holds it."""
    return {
        "name": name,
        "title": name,
        "category": "Science",
        "options": 3,
        "chance": 1 / 3,
        "normalization": "sum",
        "prompt": prompt,
        "sources": [],
        "licence": "MIT",
        "in_sft": in_sft,
    }
