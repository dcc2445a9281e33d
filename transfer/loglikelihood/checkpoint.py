"""A model and its tokenizer, read from a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from transfer.errors import BadInput
from transfer.files import sha256
from transfer.loglikelihood.encoding import Encoder
from transfer.loglikelihood.engine import Engine
from transfer.loglikelihood.tree import Encoded

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "tokenizer_config.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)
_TOKENIZER_PARTS = (
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)


class Checkpoint:
    """A model and its tokenizer, read from a folder in Hugging Face format.

    Parameters
    ----------
    folder
        Holds the config, weights in safetensors and the tokenizer. Code in it is never run.
    dtype
        `float32`, `bfloat16` or `float16`: what the model computes in. The softmax is always taken
        in float32.
    pickles
        Whether weights that are only there as a pickle are opened. A pickle can run code. Where
        there are safetensors, they are read.

    Raises
    ------
    BadInput
        If the folder, its config, tokenizer or weights are missing or cannot be read.
    """

    def __init__(self, folder: Path, dtype: str = "float32", pickles: bool = False) -> None:
        self.folder = folder
        check_folder(folder, pickles)
        check_dtype(dtype)
        self.device = _device()
        self.tokenizer = read_tokenizer(folder)
        self.prefix = prefix_of(self.tokenizer, folder)
        model = read_model(
            lambda: AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=DTYPES[dtype],
                use_safetensors=any(folder.glob("*.safetensors")),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            ),
            folder,
        )
        self.model = model.eval().to(self.device)
        self.longest = _longest(self.model.config, self.tokenizer)
        self.encoder = Encoder(self.tokenizer, self.prefix)
        self.engine = Engine(self.model, self.longest)

    def hash(self) -> str:
        """Return the SHA-256 of the weights; of the hashes of their files where there are more."""
        return weights_hash(self.folder)

    def tokenizer_hash(self) -> str:
        """Return a hash of the files that the tokenizer and its chat template are read from."""
        return tokenizer_hash(self.folder)

    def chat(self, content: str) -> str:
        """Return a user's turn in the chat template, up to where the answer begins."""
        check_chat(self.tokenizer, self.folder)
        return self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
        """Return the token ids of pairs of context and continuation, as `Encoder` does."""
        return self.encoder(pairs)

    def loglikelihoods(self, encoded: Sequence[Encoded]) -> np.ndarray:
        """Return the log-likelihood of every continuation, in nats, summed over its tokens.

        Where context and continuation are longer than the model reads, the context loses its
        first tokens. NaN comes back as NaN.

        Raises
        ------
        BadInput
            If a continuation has no token, or more than the model reads.
        """
        self.refuse_lengths(encoded)
        return self.engine(encoded).loglikelihood

    def refuse_lengths(self, encoded: Sequence[Encoded]) -> None:
        """Raise if a continuation has no token, or more than the model reads."""
        for pair in encoded:
            if not 1 <= len(pair.continuation) <= self.longest:
                raise BadInput(
                    f"{self.folder}: a continuation has {len(pair.continuation)} tokens, the model "
                    f"reads 1 to {self.longest}; mend the option"
                )


def check_folder(folder: Path, pickles: bool) -> None:
    """Raise if a folder lacks what a checkpoint has."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; give a checkpoint in Hugging Face format")
    if not (folder / "config.json").exists():
        raise BadInput(f"{folder}: no config.json; give a checkpoint in Hugging Face format")
    if not any((folder / name).exists() for name in _TOKENIZERS):
        raise BadInput(f"{folder}: no tokenizer; save the model's tokenizer into the folder")
    found = _pickles(folder)
    if not any(folder.glob("*.safetensors")) and not (pickles and found):
        raise BadInput(
            f"{folder}: weights only as a pickle ({found[0].name}), which is not opened unless it "
            "is asked for, since it can run code; save them as safetensors, or give --pickles"
            if found
            else f"{folder}: no weights (*.safetensors); save the model into the folder"
        )


def check_dtype(dtype: str) -> None:
    """Raise if a model cannot be asked to compute in this type."""
    if dtype not in DTYPES:
        raise BadInput(f"dtype {dtype!r}: give one of {', '.join(DTYPES)}")


def check_config(folder: Path) -> None:
    """Raise if a folder's config is not of a known kind of model."""
    try:
        AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise BadInput(f"{folder}: the model cannot be read ({_line(error)})") from error


def check_chat(tokenizer: Any, folder: Path) -> None:
    """Raise if a tokenizer has no chat template."""
    if not tokenizer.chat_template:
        raise BadInput(
            f"{folder}: the tokenizer has no chat template; score without chat or add one"
        )


def read_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a folder, or raise if it cannot be read."""
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise BadInput(f"{folder}: the tokenizer cannot be read ({_line(error)})") from error


def prefix_of(tokenizer: Any, folder: Path) -> int:
    """Return the token that begins a text, or raise if there is none."""
    bos = tokenizer.bos_token_id
    prefix = tokenizer.eos_token_id if bos is None else bos
    if prefix is None:
        raise BadInput(
            f"{folder}: the tokenizer has neither bos_token nor eos_token, one of which begins "
            "a text; name one in tokenizer_config.json"
        )
    return prefix


def read_model(load: Callable[[], Any], where: object) -> Any:
    """Return a model; raise if it cannot be read, or lacks weights.

    Parameters
    ----------
    load
        Returns the model and the report of its loading (`output_loading_info` of transformers).
    where
        What messages call it.
    """
    try:
        model, report = load()
    except Exception as error:
        raise BadInput(f"{where}: the model cannot be read ({_line(error)})") from error
    if missing := report["missing_keys"]:
        raise BadInput(f"{where}: the weights lack {min(missing)}; save the model again")
    return model


def weights_hash(folder: Path) -> str:
    """Return the SHA-256 of a folder's weights; of the hashes of their files if there are more."""
    files = sorted(folder.glob("*.safetensors")) or _pickles(folder)
    sums = [sha256(path) for path in files]
    return sums[0] if len(sums) == 1 else _digest(sums)


def tokenizer_hash(folder: Path) -> str:
    """Return a hash of the files that a folder's tokenizer and chat template are read from."""
    files = [folder / name for name in (*_TOKENIZERS, *_TOKENIZER_PARTS)]
    return _digest([f"{path.name} {sha256(path)}" for path in files if path.exists()])


def _device() -> torch.device:
    """Return the accelerator of this process, or the CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return torch.device("cpu")
    rank, count = int(os.environ.get("LOCAL_RANK", "0")), torch.accelerator.device_count()
    if count == 1:
        # Some launchers show each process a device of its own.
        return torch.device(accelerator.type, 0)
    if rank >= count:
        raise BadInput(
            f"LOCAL_RANK {rank}: no device is left for this process, which sees {count}; "
            f"give --num_processes {count}"
        )
    return torch.device(accelerator.type, rank)


def _pickles(folder: Path) -> list[Path]:
    return sorted(path for kind in ("*.bin", "*.pt", "*.pth") for path in folder.glob(kind))


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _longest(config: Any, tokenizer: Any) -> int:
    """Return how many tokens a model reads, looked up where lm-evaluation-harness does."""
    config = getattr(config, "text_config", None) or config
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        if getattr(config, name, None) is not None:
            return int(getattr(config, name))
    limit = getattr(tokenizer, "model_max_length", None)
    return int(limit) if limit is not None and limit < 10**29 else 2048


def _line(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    if "trust_remote_code" in said:
        return "it needs code of its own, and code in a checkpoint is never run"
    return said.splitlines()[0]
