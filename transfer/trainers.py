"""How training steps are made fast, ordered and resumable on top of the trainers.

The order of examples is given, not drawn on the way: a resumed run reads on where it stopped. The
step computes its loss inside one compiled graph of fixed shape and hands back a scalar.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rich.progress
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset, Sampler
from transformers import LlamaForCausalLM, Trainer, TrainerCallback
from trl import SFTTrainer

from transfer.workspace import home

IGNORED = -100
"""Label of a position that has no loss."""

LENGTHS = (64, 128, 192)
"""Examples are padded to one of these lengths, or to the longest that is allowed, in tokens."""


class Rows(Dataset[dict[str, np.ndarray]]):
    """Sequences of one length, as rows of an array of token ids."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        row = self.rows[index].astype(np.int64)
        return {"input_ids": row, "labels": row}


class Padder:
    """Put examples into one batch, padded on the right to one of a few lengths.

    There is no attention mask: attention is causal, so a token never sees padding on its right.
    """

    def __init__(self, pad: int, longest: int) -> None:
        self.pad, self.longest = pad, longest

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return `input_ids` and `labels` of shape (examples, length)."""
        width = padded(max(len(row["input_ids"]) for row in examples), self.longest)
        shape = (len(examples), width)
        ids, labels = torch.full(shape, self.pad), torch.full(shape, IGNORED)
        for at, row in enumerate(examples):
            ids[at, : len(row["input_ids"])] = torch.as_tensor(row["input_ids"])
            labels[at, : len(row["labels"])] = torch.as_tensor(row["labels"])
        return {"input_ids": ids, "labels": labels}


class _Ordered:
    """Trainer that reads examples in a given order and takes the loss as the model returns it."""

    order: np.ndarray

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return _Given(self.order)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """Return the loss, a scalar in nats per predicted token."""
        return model(**inputs)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        Trainer._save_checkpoint(self, model, trial)  # type: ignore[arg-type]


class Pretrainer(_Ordered, Trainer):
    """transformers' Trainer on a given order of sequences."""


class Finetuner(_Ordered, SFTTrainer):
    """TRL's SFTTrainer on a given order of tokenized examples."""


class _Given(Sampler[int]):
    def __init__(self, order: np.ndarray) -> None:
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order.tolist())


def loss_of(
    model: LlamaForCausalLM, compiled: bool, dense: bool = True
) -> Callable[..., torch.Tensor]:
    """Return a function of token ids and labels that gives the mean loss of the next token.

    Parameters
    ----------
    model
        Of which body and head are used.
    compiled
        Compile it for every shape it meets. Compiled code is kept in the folder of all workspaces,
        for the next run of the same shape.
    dense
        Whether nearly all positions have a label. Where few have one, the head runs on those
        alone, outside the compiled graph, since their number changes from batch to batch.
    """
    base, head = model.model, model.lm_head

    def body(input_ids: torch.Tensor) -> torch.Tensor:
        return base(input_ids=input_ids, use_cache=False).last_hidden_state.flatten(0, 1)

    def mean_loss(hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(head(hidden).float(), targets, ignore_index=IGNORED)

    def dense_loss(input_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return mean_loss(body(input_ids), _next(labels))

    if compiled:
        if model.device.type == "cpu":
            # On a CPU the compiled product of queries and keys beats the fused kernel, whose
            # backward pass is slow for narrow heads: by 1.1 to 1.2 times at S and M.
            model.set_attn_implementation("eager")
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(home() / "compiled"))
        torch.compiler.reset()
        if dense:
            return torch.compile(dense_loss, dynamic=False)
        body = torch.compile(body, dynamic=False)
    elif dense:
        return dense_loss

    def sparse_loss(input_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        targets = _next(labels)
        kept = torch.nonzero(targets != IGNORED).squeeze(1)
        return mean_loss(body(input_ids)[kept], targets[kept])

    return sparse_loss


def _next(labels: torch.Tensor) -> torch.Tensor:
    """Return, for every position of a batch in one row, the label of the position after it."""
    return F.pad(labels[:, 1:], (0, 1), value=IGNORED).flatten()


def padded(length: int, longest: int) -> int:
    """Return the length that an example is padded to, in tokens."""
    return next((width for width in LENGTHS if length <= width < longest), longest)


def bucketed(lengths: np.ndarray, batch: int, epochs: float, seed: int) -> np.ndarray:
    """Return an order of examples in which every batch holds examples of one padded length.

    Within an epoch, the examples of each length are shuffled and cut into batches; the few that
    fill none are put into batches of mixed length, and at most one incomplete batch is dropped.
    Then the batches are shuffled. A fraction of an epoch keeps the first batches.

    Parameters
    ----------
    lengths
        Padded length of every example.
    batch
        Examples per batch.
    epochs
        Passes over the examples.
    seed
        Of the order; the same for every mixture.

    Returns
    -------
    numpy.ndarray
        Indices of examples, a multiple of `batch` of them.
    """
    random = np.random.default_rng([seed, 1])
    chosen: list[np.ndarray] = []
    for epoch in range(int(np.ceil(epochs))):
        batches: list[np.ndarray] = []
        rest: list[np.ndarray] = []
        for length in np.unique(lengths):
            found = random.permutation(np.flatnonzero(lengths == length))
            full = len(found) - len(found) % batch
            batches.extend(found[:full].reshape(-1, batch))
            rest.append(found[full:])
        mixed = random.permutation(np.concatenate(rest))
        batches.extend(mixed[: len(mixed) - len(mixed) % batch].reshape(-1, batch))
        wanted = round(min(1.0, epochs - epoch) * len(batches))
        chosen.extend(batches[at] for at in random.permutation(len(batches))[:wanted])
    return np.concatenate(chosen) if chosen else np.array([], dtype=int)


def last_checkpoint(folder: Path) -> str | None:
    """Return the newest whole checkpoint of the Trainer in a folder, or None.

    The Trainer writes `trainer_state.json` last, so one that can be read closes a checkpoint.
    """
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: -int(path.name.split("-")[1]))
    for path in found:
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            continue
        return str(path)
    return None


class Snapshots(TrainerCallback):
    """Calls `save(model, step)` after certain steps."""

    def __init__(self, steps: Sequence[int], save: Callable[[Any, int], None]) -> None:
        self.steps, self.save = frozenset(steps), save

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Save the model if this is one of the steps."""
        if state.global_step in self.steps:
            self.save(model, state.global_step)


class Clock(TrainerCallback):
    """Counts the seconds of training, those before a resumed checkpoint among them.

    The count goes into the training log, which each checkpoint holds.
    """

    def __init__(self) -> None:
        self.before, self.began = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training up to now, of the clock."""
        return self.before + time.monotonic() - self.began

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take up the count where the checkpoint has it."""
        counts = [entry["seconds"] for entry in state.log_history if "seconds" in entry]
        self.before = counts[-1] if counts else 0.0

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the count beside the loss."""
        state.log_history[-1]["seconds"] = round(self.seconds, 1)


class Progress(TrainerCallback):
    """A progress bar with the loss and the steps per second of this process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bar = rich.progress.Progress(
            "{task.description}",
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            "steps",
            rich.progress.TimeRemainingColumn(),
            console=rich.console.Console(stderr=True),
        )

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the bar where the run stands."""
        self.task = self.bar.add_task(self.name, total=state.max_steps, completed=state.global_step)
        self.bar.start()
        self.since, self.first = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the loss."""
        if logs and "loss" in logs:
            speed = (state.global_step - self.first) / (time.monotonic() - self.since)
            self.bar.update(
                self.task, description=f"{self.name}  loss {logs['loss']:.3f}  {speed:.1f}/s"
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the bar."""
        self.bar.stop()
