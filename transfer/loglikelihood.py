"""Log-likelihoods of continuations after contexts, under one checkpoint.

The numbers are those of lm-evaluation-harness's `hf` model (0.4.13) to 1e-4 nats in float32: the
same strings, the same boundary between context and continuation, the same truncation from the
left. A context is run once for all of its continuations, which are laid out behind it in one
sequence, each seeing the context and itself; the head of the model runs only on the positions
that predict a token of a continuation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from transfer.errors import BadInput

BATCH_TOKENS = 4096
"""Positions in one forward pass, padding included."""

ROW_TOKENS = 384
"""Continuations of one context are spread over several rows beyond this many positions."""

TOLERANCE = 1e-3
"""Nats by which the shared layout may differ from a plain forward pass before it is not used."""

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")


class Encoded(NamedTuple):
    """Token ids of a context, never empty, and of its continuation."""

    context: list[int]
    continuation: list[int]


class _Read(NamedTuple):
    """Which positions of a row predict the tokens of a request."""

    request: int
    places: list[int]
    targets: Sequence[int]


class _Row(NamedTuple):
    """A context (segment 0) and continuations of it, one segment each, in one sequence."""

    ids: list[int]
    positions: list[int]
    segments: list[int]
    reads: list[_Read]


class Checkpoint:
    """A model and its tokenizer, read from a folder in Hugging Face format.

    Parameters
    ----------
    folder
        Holds the config, weights in safetensors and the tokenizer. Code in it is never run.

    Raises
    ------
    BadInput
        If the folder, its config, tokenizer or weights are missing or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _check(folder)
        self.device = torch.accelerator.current_accelerator() or torch.device("cpu")
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            raise BadInput(f"{folder}: the tokenizer cannot be read ({_line(error)})") from error
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
        except Exception as error:
            raise BadInput(f"{folder}: the model cannot be read ({_line(error)})") from error
        model, report = loaded
        if report["missing_keys"]:
            raise BadInput(
                f"{folder}: the weights lack {min(report['missing_keys'])}; save the model again"
            )
        self.model = model.eval().to(self.device)
        self.longest = _longest(self.model.config, self.tokenizer)
        bos = self.tokenizer.bos_token_id
        self.prefix: int = self.tokenizer.eos_token_id if bos is None else bos
        self._shared: bool | None = None

    def chat(self, content: str) -> str:
        """Return a user's turn in the chat template, up to where the answer begins."""
        if not self.tokenizer.chat_template:
            raise BadInput(
                f"{self.folder}: the tokenizer has no chat template; score without chat or add one"
            )
        return self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
        """Return the token ids of pairs of context and continuation.

        Spaces at the end of a context belong to the continuation. The two are encoded together
        and cut after as many tokens as the context alone has. An empty context is the token that
        begins a text. A continuation may come out empty.
        """
        moved = []
        for context, continuation in pairs:
            bare = context.rstrip()
            moved.append((bare, context[len(bare) :] + continuation))
        ids = self._ids([text for bare, rest in moved if bare for text in (bare, bare + rest)])
        alone = self._ids([rest for bare, rest in moved if not bare], special=False)
        encoded = []
        for bare, rest in moved:
            if bare:
                context_ids = ids[bare]
                encoded.append(Encoded(context_ids, ids[bare + rest][len(context_ids) :]))
            else:
                cut = int(alone[rest][:1] == [self.prefix])
                encoded.append(Encoded([self.prefix], alone[rest][cut:]))
        return encoded

    def _ids(self, texts: Sequence[str], special: bool = True) -> dict[str, list[int]]:
        """Return the token ids of texts; one that begins with the prefix gets no second one."""
        start = self.tokenizer.decode([self.prefix])
        found: dict[str, list[int]] = {}
        distinct = list(dict.fromkeys(texts))
        for add in (True, False):
            chosen = [t for t in distinct if (special and not t.startswith(start)) == add]
            if chosen:
                ids = self.tokenizer(chosen, add_special_tokens=add)["input_ids"]
                found.update(zip(chosen, ids, strict=True))
        return found

    def loglikelihoods(self, encoded: Sequence[Encoded]) -> np.ndarray:
        """Return the log-likelihood of every continuation, in nats, summed over its tokens.

        Where context and continuation are longer than the model reads, the context loses its
        first tokens. NaN comes back as NaN.

        Raises
        ------
        BadInput
            If a continuation has no token, or more than the model reads.
        """
        for pair in encoded:
            if not 1 <= len(pair.continuation) <= self.longest:
                raise BadInput(
                    f"{self.folder}: a continuation has {len(pair.continuation)} tokens, the model "
                    f"reads 1 to {self.longest}; mend the option"
                )
        if self._shared is None:
            few = encoded[:8]
            gap = np.abs(self._run(few, shared=True) - self._run(few, shared=False))
            self._shared = not np.any(gap > TOLERANCE)
        return self._run(encoded, self._shared)

    @torch.inference_mode()
    def _run(self, encoded: Sequence[Encoded], shared: bool) -> np.ndarray:
        """Return the sums in the order of the requests; identical ones are run once."""
        distinct: dict[_Request, int] = {}
        places = [
            distinct.setdefault((tuple(pair.context), tuple(pair.continuation)), len(distinct))
            for pair in encoded
        ]
        totals = np.zeros(len(distinct))
        for batch in _batches(_rows(distinct, self.longest, shared)):
            reads = [(at, read) for at, row in enumerate(batch) for read in row.reads]
            owners = np.repeat([r.request for _, r in reads], [len(r.targets) for _, r in reads])
            np.add.at(totals, owners, self._values(batch, reads, shared))
        return totals[places]

    def _values(
        self, batch: Sequence[_Row], reads: Sequence[tuple[int, _Read]], shared: bool
    ) -> np.ndarray:
        """Return the log-probability of every token that is read, in order."""
        width = max(len(row.ids) for row in batch)
        places = [at * width + place for at, read in reads for place in read.places]
        targets = [target for _, read in reads for target in read.targets]
        kept, which = np.unique(places, return_inverse=True)
        at = torch.from_numpy(kept).to(self.device)
        given: dict[str, torch.Tensor] = {"input_ids": self._padded(batch, "ids", 0)}
        if any(row.segments[-1] for row in batch):
            segments = self._padded(batch, "segments", -1)
            earlier = torch.ones(width, width, dtype=torch.bool, device=self.device).tril()
            own = segments[:, :, None] == segments[:, None, :]
            given["attention_mask"] = (earlier & (own | (segments[:, None, :] == 0)))[:, None]
            given["position_ids"] = self._padded(batch, "positions", 0)
        if shared:
            hidden = self.model.base_model(**given, use_cache=False)[0]
            logits = self.model.get_output_embeddings()(hidden.flatten(0, 1)[at])
        else:
            logits = self.model(**given, use_cache=False).logits.flatten(0, 1)[at]
        chosen = torch.log_softmax(logits.float(), -1)[
            torch.from_numpy(which).to(self.device), torch.tensor(targets, device=self.device)
        ]
        return chosen.double().cpu().numpy()

    def _padded(self, batch: Sequence[_Row], field: str, fill: int) -> torch.Tensor:
        """Return a field of the rows, padded on the right, where causal attention never looks."""
        rows = [getattr(row, field) for row in batch]
        padded = np.full((len(rows), max(map(len, rows))), fill)
        for at, row in enumerate(rows):
            padded[at, : len(row)] = row
        return torch.from_numpy(padded).to(self.device)


_Request = tuple[tuple[int, ...], tuple[int, ...]]


def _rows(requests: Iterable[_Request], longest: int, shared: bool) -> list[_Row]:
    """Return the rows to run: one a context, or more where its continuations do not fit one."""
    open_rows: dict[Any, _Row] = {}
    rows = []
    for number, (context, continuation) in enumerate(requests):
        whole = (context + continuation)[-(longest + 1) : -1]
        start = len(whole) - len(continuation) + 1
        head, tail = whole[:start], whole[start:]
        key: Any = head if shared else number
        row = open_rows.get(key)
        if row is None or (tail and len(row.ids) + len(tail) > max(ROW_TOKENS, len(whole))):
            row = _Row(list(head), list(range(start)), [0] * start, [])
            open_rows[key] = row
            rows.append(row)
        after = len(row.ids)
        places = [start - 1, *range(after, after + len(tail))]
        row.reads.append(_Read(number, places, continuation))
        if tail:
            row.segments.extend([row.segments[-1] + 1 if shared else 0] * len(tail))
            row.positions.extend(range(start, start + len(tail)))
            row.ids.extend(tail)
    return rows


def _batches(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Yield rows of like length, as many as fit; those that need no mask by themselves."""
    batch: list[_Row] = []
    for row in sorted(rows, key=lambda row: (row.segments[-1] > 0, len(row.ids))):
        masked = row.segments[-1] > 0
        full = (len(batch) + 1) * len(row.ids) > BATCH_TOKENS
        if batch and (full or masked != (batch[-1].segments[-1] > 0)):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _check(folder: Path) -> None:
    """Raise if a folder lacks what a checkpoint has."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; give a checkpoint in Hugging Face format")
    if not (folder / "config.json").exists():
        raise BadInput(f"{folder}: no config.json; give a checkpoint in Hugging Face format")
    if not any((folder / name).exists() for name in _TOKENIZERS):
        raise BadInput(f"{folder}: no tokenizer; save the model's tokenizer into the folder")
    if not any(folder.glob("*.safetensors")):
        pickles = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
        raise BadInput(
            f"{folder}: weights only as a pickle ({pickles[0].name}), which is not opened; "
            "save them as safetensors"
            if pickles
            else f"{folder}: no weights (*.safetensors); save the model into the folder"
        )


def _longest(config: Any, tokenizer: Any) -> int:
    """Return how many tokens a model reads, looked up where lm-evaluation-harness does."""
    config = getattr(config, "text_config", None) or config
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        if getattr(config, name, None) is not None:
            return int(getattr(config, name))
    limit = getattr(tokenizer, "model_max_length", None)
    return int(limit) if limit is not None and limit < 10**29 else 2048


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
