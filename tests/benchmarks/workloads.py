"""Five kinds of multiple-choice items of made-up words, and the models they are scored with."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from transfer.loglikelihood.engine import Usage
from transfer.suite import repository

Pair = tuple[str, str]

TOKENIZER = repository() / "data" / "mini" / "checkpoints" / "V1P0-S-s0-pretrain"

MODELS = {
    "1.3M": {
        "vocab_size": 4096,
        "hidden_size": 128,
        "intermediate_size": 344,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "tie_word_embeddings": True,
    },
    "60M": {
        "vocab_size": 32000,
        "hidden_size": 512,
        "intermediate_size": 1408,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "tie_word_embeddings": False,
    },
}


def random_model(sizes: Mapping[str, Any], spread: float = 0.05) -> LlamaForCausalLM:
    """Return a random Llama of some sizes, its weights with this standard deviation."""
    torch.manual_seed(0)
    config = LlamaConfig(
        **sizes,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        initializer_range=spread,
    )
    return LlamaForCausalLM(config)


def save_model(name: str, folder: Path) -> Path:
    """Save a random Llama of one of the sizes with the tokenizer of the suite."""
    random_model(MODELS[name]).save_pretrained(folder)
    AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(folder)
    return folder


def asked(pairs: Sequence[Pair], task: str = "made") -> list[Any]:
    """Return pairs of context and continuation as requests of lm-evaluation-harness."""
    return [SimpleNamespace(args=pair, task_name=task, doc_id=at) for at, pair in enumerate(pairs)]


def flops(model: Any, usage: Usage) -> int:
    """Return the floating-point operations of the matrix products of what a call ran."""
    body = sum(p.numel() for n, p in model.model.named_parameters() if "embed" not in n)
    head = model.get_output_embeddings().weight.numel()
    return 2 * (body * usage.run + head * usage.predicted)


def changed(mine: np.ndarray, other: np.ndarray, options: int) -> int:
    """Return the items of which another option is selected."""
    chosen = [values.reshape(-1, options).argmax(1) for values in (mine, other)]
    return int((chosen[0] != chosen[1]).sum())


class Words:
    """Made-up sentences of words that the tokenizer holds whole."""

    def __init__(self, seed: int = 0) -> None:
        vocabulary = AutoTokenizer.from_pretrained(TOKENIZER).get_vocab()
        words = sorted(w[1:] for w in vocabulary if w[:1] == "\u0120" and w[1:].isalpha())
        self.draw = random.Random(seed)
        self.words = [word for word in words if word.isascii() and len(word) > 2]

    def some(self, count: int) -> str:
        """Return this many words."""
        return " ".join(self.draw.choices(self.words, k=count))


def short_choice(items: int, words: Words) -> list[Pair]:
    """Return a question of 25 words with four options of one to four words."""
    pairs = []
    for _ in range(items):
        context = f"Question: {words.some(25)}?\nAnswer:"
        pairs += [(context, f" {words.some(words.draw.randint(1, 4))}") for _ in range(4)]
    return pairs


def hellaswag_like(items: int, words: Words) -> list[Pair]:
    """Return a context of 45 words with four endings of 15 to 35 words."""
    pairs = []
    for _ in range(items):
        context = f"{words.some(3).title()}: {words.some(45)}"
        pairs += [(context, f" {words.some(words.draw.randint(15, 35))}.") for _ in range(4)]
    return pairs


def few_shot(items: int, words: Words) -> list[Pair]:
    """Return short questions behind five examples that together have about 600 tokens."""
    shots = "".join(f"Question: {words.some(95)}?\nAnswer: {words.some(3)}\n\n" for _ in range(5))
    return [(shots + context, option) for context, option in short_choice(items, words)]


def passages(items: int, words: Words) -> list[Pair]:
    """Return passages of about 400 tokens with six questions each, of four options."""
    pairs: list[Pair] = []
    while len(pairs) < 4 * items:
        passage = f"{words.some(380)}.\n"
        pairs += [(passage + context, option) for context, option in short_choice(6, words)]
    return pairs[: 4 * items]


def boolq_like(items: int, words: Words) -> list[Pair]:
    """Return passages of 60 to 180 words with a question each, answered yes or no."""
    pairs = []
    for _ in range(items):
        passage = words.some(words.draw.randint(60, 180))
        context = f"{passage}.\nQuestion: {words.some(9)}?\nAnswer:"
        pairs += [(context, " yes"), (context, " no")]
    return pairs


WORKLOADS = {
    "short 4-choice": (short_choice, 4),
    "HellaSwag-like": (hellaswag_like, 4),
    "5-shot, shared prefix": (few_shot, 4),
    "passages": (passages, 4),
    "BoolQ-like": (boolq_like, 2),
}
"""Each kind, and how many options its items have."""
