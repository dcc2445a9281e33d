"""Train the suite's byte-pair tokenizer on its own pretraining documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from transfer.corpus.steps import Step, digest
from transfer.corpus.streams import build_documents, documents, stream_of
from transfer.entries import TextClass
from transfer.files import replacing, sha256
from transfer.suite import Suite
from transfer.workspace import Workspace

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END = "<|endoftext|>"
USER = "<|user|>"
ASSISTANT = "<|assistant|>"
SPECIAL = (END, USER, ASSISTANT)
MODEL_MAX_LENGTH = 512
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{{ '<|assistant|>' }}"
    "{% generation %}{{ ' ' + message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ '<|user|>' + message['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|> ' }}{% endif %}"
)
"""An answer begins with a space: its first word then has the tokens it has in running text."""
_VERSION = 1
_SHARES: dict[TextClass, float] = {"web": 0.45, "code": 0.35, "curated": 0.20}


def train_tokenizer(suite: Suite, workspace: Workspace) -> Step:
    """Train the tokenizer and save it in Hugging Face format.

    It is trained on `training_mb` megabytes of pretraining documents, 45 % raw web, 35 % code and
    20 % curated text, drawn evenly from their streams, so that it favours no mixture. Text is
    lower-cased where the suite says so and every digit is a token of its own. Ids 0, 1 and 2 are
    `<|endoftext|>` (beginning, end and padding), `<|user|>` and `<|assistant|>`.

    Returns
    -------
    Step
        Its `facts` hold `sha256` of `tokenizer.json`, the vocabulary's size, and bytes per token
        by class.
    """
    step = Step(
        workspace,
        "tokenizer",
        digest(_VERSION, suite.tokenizer.model_dump(), build_documents(suite, workspace).inputs),
    )
    if step.done and (workspace.tokenizer / "tokenizer.json").exists():
        return step

    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    sample = list(_sample(suite, workspace))
    model = Tokenizer(models.BPE())
    if suite.tokenizer.lowercase:
        model.normalizer = normalizers.Lowercase()
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=suite.tokenizer.vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator((text for _, text in sample), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=model,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        model_max_length=MODEL_MAX_LENGTH,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
    wrapped.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT]})
    wrapped.chat_template = CHAT_TEMPLATE
    with replacing(workspace.tokenizer) as beside:
        wrapped.save_pretrained(beside)
    step.finish(
        {
            "sha256": sha256(workspace.tokenizer / "tokenizer.json"),
            "vocabulary": model.get_vocab_size(),
            "training_bytes": sum(len(text.encode()) for _, text in sample),
            "bytes_per_token": _bytes_per_token(model, sample),
        }
    )
    return step


def load_tokenizer(workspace: Workspace) -> Tokenizer:
    """Return the trained tokenizer as the `tokenizers` library loads it."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(workspace.tokenizer / "tokenizer.json"))


def _sample(suite: Suite, workspace: Workspace) -> Iterator[tuple[TextClass, str]]:
    """Yield class and text of documents, from each stream by its share of its class."""
    streams = {stream_of(text): text.kind for text in suite.texts}
    texts = {name: _in_hash_order(workspace, name) for name in streams}
    sizes = {name: sum(len(text) for text in held) for name, held in texts.items()}
    totals = Counter[TextClass]()
    for name, kind in streams.items():
        totals[kind] += sizes[name]
    for name, kind in streams.items():
        room = suite.tokenizer.training_mb * 1e6 * _SHARES[kind] * sizes[name] / totals[kind]
        for text in texts[name]:
            if room <= 0:
                break
            room -= len(text)
            yield kind, text


def _in_hash_order(workspace: Workspace, stream: str) -> list[str]:
    frame = documents(workspace, stream, "pretrain").sort_values("id")
    return frame["text"].tolist()


def _bytes_per_token(model: Tokenizer, sample: list[tuple[TextClass, str]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind in _SHARES:
        part = [text for owner, text in sample if owner == kind][:500]
        if part:
            tokens = sum(len(coded.ids) for coded in model.encode_batch_fast(part))
            found[kind] = round(sum(len(text.encode()) for text in part) / tokens, 3)
    return found
