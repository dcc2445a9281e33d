"""What the corpus is made of, in one small file that is committed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from transfer.corpus.decontamination import contaminated, decontaminate
from transfer.corpus.shards import write_shards
from transfer.corpus.streams import build_documents, documents, stream_of
from transfer.corpus.tokenizer import train_tokenizer
from transfer.corpus.web_filter import filter_web, stream_megabytes
from transfer.files import replacing
from transfer.suite import Suite
from transfer.workspace import Workspace


def write_report(suite: Suite, workspace: Workspace, path: Path) -> dict[str, Any]:
    """Write counts and hashes of the corpus as JSON, and return them. No text is in it.

    `streams` has documents and megabytes by split, `texts` what the rules dropped of each text,
    `web` the classifiers and the source mix of V1, V2 and V3 after decontamination,
    `decontamination` what overlapped with test items, `tokenizer` its hash and bytes per token,
    `mixtures` the tokens and repetition of every slot, and `corpus_sha256` the hash over all
    shards.
    """
    shards = write_shards(suite, workspace).facts
    filtered = dict(filter_web(suite, workspace).facts)
    pool = pd.read_parquet(workspace.root / "corpus" / "web.parquet")
    dropped = contaminated(workspace)
    clean = [key not in dropped for key in zip(pool["stream"], pool["id"], strict=True)]
    filtered["stream_mb"] = stream_megabytes(pool[clean])
    report = {
        "suite": suite.name,
        "corpus_sha256": shards["sha256"],
        "tokenizer": train_tokenizer(suite, workspace).facts,
        "classes": _classes(suite, workspace),
        "streams": _streams(suite, workspace),
        "texts": build_documents(suite, workspace).facts["texts"],
        "web": filtered,
        "decontamination": decontaminate(suite, workspace).facts,
        "mixtures": {
            name: {
                "tokens": manifest["tokens"],
                "sha256": manifest["sha256"],
                "slots": {
                    slot: {key: value for key, value in facts.items() if key != "streams"}
                    for slot, facts in manifest["slots"].items()
                },
            }
            for name, manifest in shards["mixtures"].items()
        },
        "slot_streams": _slot_streams(shards["mixtures"]),
    }
    with replacing(path) as beside:
        beside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _streams(suite: Suite, workspace: Workspace) -> dict[str, dict[str, Any]]:
    kinds = {stream_of(text): (text.kind, text.group) for text in suite.texts}
    found = {}
    for stream, (kind, group) in kinds.items():
        frame = documents(workspace, stream)
        sizes = frame["text"].map(lambda text: len(text.encode()))
        found[stream] = {
            "kind": kind,
            "group": group,
            "documents": {str(k): int(v) for k, v in frame["split"].value_counts().items()},
            "mb": {
                str(k): round(v / 1e6, 3) for k, v in sizes.groupby(frame["split"]).sum().items()
            },
        }
    return found


def _classes(suite: Suite, workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return documents and megabytes by class, as counted when the documents were built."""
    facts = build_documents(suite, workspace).facts["texts"]
    found: dict[str, Counter[str]] = {}
    for text in suite.texts:
        counts = facts[text.name]
        held = found.setdefault(text.kind, Counter())
        held["documents"] += counts.get("kept", 0)
        held["bytes"] += counts.get("kept_bytes", 0)
    return {
        kind: {"documents": held["documents"], "mb": round(held["bytes"] / 1e6, 3)}
        for kind, held in found.items()
    }


def _slot_streams(mixtures: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Return tokens by stream of every slot, in the mixture that takes most of it."""
    most: dict[str, tuple[int, dict[str, int]]] = {}
    for manifest in mixtures.values():
        for slot, facts in manifest["slots"].items():
            if facts["tokens"] > most.get(slot, (0, {}))[0]:
                most[slot] = (facts["tokens"], facts["streams"])
    return {slot: streams for slot, (_, streams) in most.items()}
