"""Write each mixture as one stream of tokens whose every prefix has the mixture's shares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.progress import Progress

from transfer.corpus.decontamination import contaminated, decontaminate
from transfer.corpus.steps import Step, digest
from transfer.corpus.streams import documents, stream_of
from transfer.corpus.tokenizer import END, load_tokenizer, train_tokenizer
from transfer.corpus.web_filter import filter_web
from transfer.entries import Mixture
from transfer.files import replacing, sha256
from transfer.suite import Suite
from transfer.workspace import Workspace

BLOCK = 1024
_VERSION = 1


class Slot(NamedTuple):
    """A part of a mixture that is filled from one pool of documents."""

    name: str
    share: float


def slots_of(mixture: Mixture, curated_groups: dict[str, float]) -> list[Slot]:
    """Return the slots of a mixture; the shares sum to 1, those of zero are left out.

    The web slot is named after its variant, the curated slots after their groups.
    """
    slots = [Slot(mixture.web, mixture.web_share), Slot("code", mixture.code_share)]
    slots += [Slot(group, mixture.curated_share * share) for group, share in curated_groups.items()]
    return [slot for slot in slots if slot.share > 0]


def interleaved(counts: Sequence[int], seed: int) -> np.ndarray:
    """Return the slot of every block: an order in which each prefix has the shares of the whole.

    Block i of a slot of n blocks is placed at (i + u) / n, u uniform in [0, 1), and all blocks
    are sorted by place. So a slot's blocks keep their order, and the count of a slot within any
    prefix is never more than about two blocks off its share.
    """
    random = np.random.default_rng(seed)
    places = [(np.arange(count) + random.random(count)) / count for count in counts if count]
    slots = np.repeat(np.arange(len(counts)), counts)
    return slots[np.argsort(np.concatenate(places), kind="stable")]


def block_counts(slots: Sequence[Slot], blocks: int) -> list[int]:
    """Return how many blocks each slot fills: largest remainders, so that they sum to `blocks`."""
    exact = np.array([slot.share for slot in slots]) * blocks
    counts = np.floor(exact).astype(int)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: blocks - counts.sum()]] += 1
    return counts.tolist()


def write_shards(suite: Suite, workspace: Workspace) -> Step:
    """Write `shards/<mixture>/tokens.npy` (uint16) and `manifest.json` of every mixture.

    A shard has as many tokens as the largest scale needs, rounded up to a block of 1,024; a
    smaller scale trains on its prefix. Documents follow each other in an order that depends on
    their ids only, so mixtures that share a slot share the beginning of its documents. Each
    ends with `<|endoftext|>`. A slot that runs out of documents starts again from its first.

    Returns
    -------
    Step
        Its `facts` hold every mixture's manifest, and `sha256` over all shards.
    """
    step = Step(workspace, "shards", _inputs(suite, workspace))
    paths = {mixture.name: workspace.shards(mixture.name) for mixture in suite.mixtures}
    if step.done and all((path / "tokens.npy").exists() for path in paths.values()):
        return step
    needed = _longest_slots(suite)
    blocks = _tokens(suite) // BLOCK
    manifests = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("token shards", total=len(needed) + len(suite.mixtures))
        filled = {}
        pools = _Pools(suite, workspace)
        for name, count in needed.items():
            progress.update(task, description=f"tokens of {name}")
            filled[name] = pools.fill(name, count * BLOCK)
            progress.advance(task)
        for mixture in suite.mixtures:
            progress.update(task, description=f"shard of {mixture.name}")
            slots = slots_of(mixture, suite.curated_groups)
            counts = block_counts(slots, blocks)
            order = interleaved(counts, seed=0)
            tokens = np.empty((blocks, BLOCK), dtype=np.uint16)
            for index, (slot, count) in enumerate(zip(slots, counts, strict=True)):
                tokens[order == index] = (
                    filled[slot.name].tokens[: count * BLOCK].reshape(-1, BLOCK)
                )
            manifests[mixture.name] = _write(
                paths[mixture.name],
                tokens.reshape(-1),
                {
                    "suite": suite.name,
                    "mixture": mixture.name,
                    "block": BLOCK,
                    "tokenizer_sha256": train_tokenizer(suite, workspace).facts["sha256"],
                    "slots": {
                        slot.name: filled[slot.name].summary(count * BLOCK)
                        for slot, count in zip(slots, counts, strict=True)
                    },
                },
            )
            progress.advance(task)
    whole = hashlib.sha256("".join(m["sha256"] for m in manifests.values()).encode()).hexdigest()
    step.finish({"sha256": whole, "mixtures": manifests})
    return step


class Filled(NamedTuple):
    """The tokens of a slot, and where each document and each round through them ends."""

    tokens: np.ndarray
    ends: np.ndarray
    streams: list[str]
    round_tokens: int | None

    def summary(self, count: int) -> dict[str, Any]:
        """Return tokens, documents, repetition and source mix of the first `count` tokens.

        `repetition` is tokens over distinct tokens: 1 as long as no document comes twice.
        """
        last = int(np.searchsorted(self.ends, count)) + 1
        sizes = np.diff(np.minimum(self.ends[:last], count), prepend=0)
        mix = pd.Series(sizes).groupby(np.array(self.streams[:last])).sum()
        distinct = count if self.round_tokens is None else min(count, self.round_tokens)
        return {
            "tokens": count,
            "documents": last,
            "repetition": round(count / distinct, 4),
            "streams": {str(k): int(v) for k, v in mix.sort_values(ascending=False).items()},
        }


class _Pools:
    """The documents of every slot, in the order in which they are used."""

    def __init__(self, suite: Suite, workspace: Workspace) -> None:
        self._suite = suite
        self._workspace = workspace
        self._tokenizer = load_tokenizer(workspace)
        self._end = self._tokenizer.token_to_id(END)
        self._dropped = contaminated(workspace)
        self._web = pd.read_parquet(workspace.root / "corpus" / "web.parquet")

    def fill(self, slot: str, count: int) -> Filled:
        """Return `count` tokens of a slot, going through its documents again where it must."""
        frame = self._documents(slot)
        parts: list[np.ndarray] = []
        streams: list[str] = []
        total = 0
        for stream, coded in self._encoded(frame):
            parts.append(coded)
            streams.append(stream)
            total += len(coded)
            if total >= count:
                break
        round_tokens = total if total < count else None
        once = len(parts)
        while total < count:
            again = len(parts) % once
            parts.append(parts[again])
            streams.append(streams[again])
            total += len(parts[again])
        ends = np.cumsum([len(part) for part in parts])
        return Filled(np.concatenate(parts)[:count], ends, streams, round_tokens)

    def _documents(self, slot: str) -> pd.DataFrame:
        suite = self._suite
        if slot == "code":
            texts = [text for text in suite.texts if text.kind == "code"]
        elif slot in suite.curated_groups:
            texts = [text for text in suite.texts if text.kind == "curated" and text.group == slot]
        else:
            texts = [text for text in suite.texts if text.kind == "web"]
        streams = dict.fromkeys(stream_of(text) for text in texts)
        frame = pd.concat(
            [documents(self._workspace, name, "pretrain").assign(stream=name) for name in streams],
            ignore_index=True,
        )
        clean = [key not in self._dropped for key in zip(frame["stream"], frame["id"], strict=True)]
        frame = frame[clean]
        if slot in self._web.columns:
            kept = set(self._web.loc[self._web[slot], "id"])
            frame = frame[frame["id"].isin(kept)]
        order = [hashlib.sha256(f"order {name}".encode()).hexdigest() for name in frame["id"]]
        return frame.iloc[np.argsort(np.array(order), kind="stable")]

    def _encoded(self, frame: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
        texts, streams = frame["text"].tolist(), frame["stream"].tolist()
        for start in range(0, len(texts), 256):
            batch = self._tokenizer.encode_batch_fast(
                texts[start : start + 256], add_special_tokens=False
            )
            for stream, coded in zip(streams[start : start + 256], batch, strict=True):
                yield stream, np.array([*coded.ids, self._end], dtype=np.uint16)


def _inputs(suite: Suite, workspace: Workspace) -> str:
    """Return a digest of all that the shards depend on.

    Of the test items only the documents that they made drop count: other items with the same
    effect do not make the shards anew.
    """
    return digest(
        _VERSION,
        train_tokenizer(suite, workspace).facts["sha256"],
        filter_web(suite, workspace).inputs,
        decontaminate(suite, workspace).facts["dropped_sha256"],
        [mixture.model_dump() for mixture in suite.mixtures],
        suite.curated_groups,
        _tokens(suite),
    )


def _tokens(suite: Suite) -> int:
    longest = max(scale.tokens for scale in suite.scales)
    return -(-longest // BLOCK) * BLOCK


def _longest_slots(suite: Suite) -> dict[str, int]:
    """Return, for every slot, the most blocks that any mixture takes of it."""
    needed: dict[str, int] = {}
    for mixture in suite.mixtures:
        slots = slots_of(mixture, suite.curated_groups)
        for slot, count in zip(slots, block_counts(slots, _tokens(suite) // BLOCK), strict=True):
            needed[slot.name] = max(count, needed.get(slot.name, 0))
    return needed


def _write(folder: Path, tokens: np.ndarray, manifest: dict[str, Any]) -> dict[str, Any]:
    with replacing(folder) as beside:
        beside.mkdir()
        np.save(beside / "tokens.npy", tokens)
        manifest = {"tokens": len(tokens), "sha256": sha256(beside / "tokens.npy")} | manifest
        text = json.dumps(manifest, indent=1) + "\n"
        (beside / "manifest.json").write_text(text, encoding="utf-8")
    return manifest
