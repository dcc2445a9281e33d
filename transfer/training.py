"""Train one run of a suite: a Llama-architecture model from token shards, or its fine-tuning.

`pretrain` and `sft` go through transformers' Trainer and TRL's SFTTrainer; accelerate picks the
device. Both stages share one way of working: the order of the sequences is drawn from the run's
seed before the first step, so that a killed run goes on where its last checkpoint stood, and the
run's folder appears only when the run is finished.

Two departures from the trainers' own way, both for speed on a CPU: the loss is computed inside the
compiled graph, which hands back a scalar and never a tensor of logits; and sequences are padded on
the right to a few fixed lengths without an attention mask, which causal attention does not need.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from transfer.errors import BadInput
from transfer.jobs import Job
from transfer.plans import shard_file
from transfer.suite import Run, Suite
from transfer.trainers import (
    IGNORED,
    Finetuner,
    Padder,
    Pretrainer,
    Rows,
    bucketed,
    padded,
)
from transfer.workspace import Workspace

POSITIONS = 512
"""Sequence that a model of a suite can read at least, in tokens."""


def pretrain(
    suite: Suite,
    run: Run,
    workspace: Workspace,
    *,
    compiled: bool | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Path:
    """Return the folder of a pretrained run, training it if it is not there yet.

    Parameters
    ----------
    suite, run, workspace
        What to train and where. The mixture's shard and the tokenizer must exist.
    compiled
        Compile the training step; faster after a warm-up of some tens of seconds. By default on a
        CPU alone: on a GPU a run of the mini suite takes about a minute as it is.
    callbacks
        Further callbacks of transformers' Trainer.

    Raises
    ------
    BadInput
        If the tokenizer or the shard is missing or they are not of one another, the scale's token
        budget is shorter than a batch or longer than the shard, or the run is there from another
        recipe.
    """
    scale, recipe = suite.scale(run.scale), suite.pretrain
    job = Job(suite, run, workspace)
    if job.finished():
        return job.folder

    count = scale.tokens // recipe.sequence_length
    steps = count // recipe.batch_sequences
    if not steps:
        raise BadInput(
            f"suite {suite.name}: scale {scale.name} trains on {scale.tokens:,} tokens, less than "
            f"one batch of {recipe.batch_sequences} x {recipe.sequence_length}; raise its tokens "
            "or lower pretrain.batch_sequences"
        )
    shard = shard_file(workspace, run.mixture)
    tokenizer = AutoTokenizer.from_pretrained(workspace.tokenizer)
    stream = np.load(shard, mmap_mode="r")
    if len(stream) < count * recipe.sequence_length:
        raise BadInput(
            f"{shard}: {len(stream):,} tokens, but scale {scale.name} trains on {scale.tokens:,}; "
            "write longer shards or lower tokens in the suite file"
        )
    rows = stream[: count * recipe.sequence_length].reshape(count, recipe.sequence_length)
    order = np.random.default_rng([run.seed, 0]).permutation(count)

    set_seed(run.seed)
    model = LlamaForCausalLM(_llama(suite, run, tokenizer))
    arguments = TrainingArguments(
        **job.arguments(steps, recipe.batch_sequences, recipe.precision),
        learning_rate=scale.learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=round(recipe.warmup_fraction * steps),
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": recipe.min_learning_rate_fraction},
    )
    trainer = Pretrainer(
        model=model,
        args=arguments,
        train_dataset=Rows(rows),
        data_collator=Padder(0, recipe.sequence_length),
        callbacks=list(callbacks),
    )
    trainer.order = order[: steps * recipe.batch_sequences]
    tokens = np.full(steps, recipe.batch_sequences * recipe.sequence_length)
    return job.train(trainer, tokens, compiled)


def sft(
    suite: Suite,
    run: Run,
    workspace: Workspace,
    *,
    compiled: bool | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Path:
    """Return the folder of a fine-tuned run, training it from its parent if it is not there yet.

    The loss is taken on the completion and the end-of-text token that closes it.

    Parameters
    ----------
    suite, run, workspace
        What to train and where. The pretraining run and the instructions must exist.
    compiled
        Compile the training step; faster after a warm-up of some tens of seconds. By default on a
        CPU alone: on a GPU a run of the mini suite takes about a minute as it is.
    callbacks
        Further callbacks of transformers' Trainer.

    Raises
    ------
    BadInput
        If the parent run or the instructions are missing, an instruction cannot be read or is
        too long, or the run is there from another recipe.
    """
    from datasets import Dataset as Table
    from trl import SFTConfig

    scale = suite.scale(run.scale)
    recipe = suite.finetuning(scale)
    job = Job(suite, run, workspace)
    if job.finished():
        return job.folder

    tokenizer = AutoTokenizer.from_pretrained(workspace.tokenizer)
    examples = tokenize_instructions(workspace.instructions, tokenizer, recipe.max_length)
    lengths = np.array([padded(len(row["input_ids"]), recipe.max_length) for row in examples])
    order = bucketed(lengths, recipe.batch_examples, recipe.epochs, run.seed)
    steps = len(order) // recipe.batch_examples
    if not steps:
        raise BadInput(
            f"{workspace.instructions}: {len(examples)} instructions are less than one batch of "
            f"{recipe.batch_examples}; add some or lower batch_examples"
        )

    set_seed(run.seed)
    model = LlamaForCausalLM.from_pretrained(workspace.checkpoint(run.parent), dtype=torch.float32)
    arguments = SFTConfig(
        **job.arguments(steps, recipe.batch_examples, recipe.precision),
        learning_rate=scale.sft_learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=round(recipe.warmup_fraction * steps),
        lr_scheduler_type="cosine",
        max_length=recipe.max_length,
        activation_checkpointing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = Finetuner(
        model=model,
        args=arguments,
        train_dataset=Table.from_list(examples),
        data_collator=Padder(tokenizer.pad_token_id, recipe.max_length),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    trainer.order = order
    tokens = lengths[order].reshape(steps, -1).max(axis=1) * recipe.batch_examples
    return job.train(trainer, tokens, compiled)


def tokenize_instructions(path: Path, tokenizer: Any, longest: int) -> list[dict[str, list[int]]]:
    """Return token ids and labels of every instruction, as a chat of one turn.

    The text is encoded whole and split after the prompt, as a scored option is, so that the model
    is fine-tuned on the very tokens that it is scored on.

    Raises
    ------
    BadInput
        If a line is not an object with `prompt` and `completion`, or has more than `longest`
        tokens.
    """
    prompts, texts = [], []
    with path.open(encoding="utf-8") as stream:
        # Not `splitlines`, which also cuts at characters that JSON may hold, such as U+2028.
        for number, line in enumerate(stream, start=1):
            try:
                row = json.loads(line)
                user = {"role": "user", "content": row["prompt"]}
                answer = {"role": "assistant", "content": row["completion"]}
            except (json.JSONDecodeError, KeyError, TypeError):
                raise BadInput(
                    f"{path}: line {number} is not an object with prompt and completion; rebuild it"
                ) from None
            chat = tokenizer.apply_chat_template
            # A space that the template leaves before the answer belongs to its first token.
            prompts.append(chat([user], tokenize=False, add_generation_prompt=True).rstrip())
            texts.append(chat([user, answer], tokenize=False))
    before = tokenizer(prompts)["input_ids"]
    examples = []
    for number, (head, ids) in enumerate(
        zip(before, tokenizer(texts)["input_ids"], strict=True), start=1
    ):
        if len(ids) > longest:
            raise BadInput(
                f"{path}: line {number} has {len(ids)} tokens, the recipe allows {longest}; "
                "shorten it or raise sft.max_length"
            )
        labels = [IGNORED] * len(head) + ids[len(head) :]
        examples.append({"input_ids": ids, "labels": labels})
    return examples


def _llama(suite: Suite, run: Run, tokenizer: Any) -> LlamaConfig:
    scale = suite.scale(run.scale)
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=scale.hidden_size,
        num_hidden_layers=scale.layers,
        num_attention_heads=scale.heads,
        num_key_value_heads=scale.heads,
        head_dim=scale.head_width,
        intermediate_size=scale.intermediate_size,
        max_position_embeddings=max(POSITIONS, suite.pretrain.sequence_length),
        tie_word_embeddings=scale.tied_embeddings,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
