"""The two filtered web variants: linear classifiers that keep a fifth of the raw pool.

V2 keeps what resembles encyclopaedic and science prose, V3 what resembles answers to
instructions and questions. V1 is the pool itself. Positives and negatives are cropped alike, in
lower case and without digits and punctuation, so that length and formatting do not give the
source away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import Progress

from transfer.corpus.archives import members
from transfer.corpus.fetch import fetch
from transfer.corpus.instruction_outputs import MEMBERS, passages
from transfer.corpus.steps import Step, digest
from transfer.corpus.streams import build_documents, documents, stream_of
from transfer.files import replacing
from transfer.suite import Suite
from transfer.workspace import Workspace

VARIANTS = ("V2", "V3")
KEPT = 0.2
EDUCATIONAL = (
    "vital_articles",
    "squad_passages",
    "wikipedia_passages",
    "wikipedia_sample",
    "multirc_passages",
    "ropes_passages",
    "qasc_facts",
    "abstracts",
)
HOWTO = "howto"
_POSITIVES = 9000
_NEGATIVES = 12000
_CROP = 800
_SCORED = 2000
_VERSION = 1


def filter_web(suite: Suite, workspace: Workspace) -> Step:
    """Score every raw web document and mark those that V2 and V3 keep.

    Writes `corpus/web.parquet`: `stream`, `id`, `bytes`, the two scores, and booleans `V2` and
    `V3`. Only documents of the pretraining split are scored or trained on.

    Returns
    -------
    Step
        Its `facts` hold, for each variant, the held-out accuracy of its classifier (one tenth of
        the examples) and megabytes kept; the Jaccard overlap of V2 and V3 by bytes; and the
        megabytes of each stream in each variant.
    """
    done = build_documents(suite, workspace)
    step = Step(workspace, "web_filter", digest(_VERSION, done.inputs))
    path = workspace.root / "corpus" / "web.parquet"
    if step.done and path.exists():
        return step
    streams = dict.fromkeys(stream_of(text) for text in suite.texts if text.kind == "web")
    pool = pd.concat(
        [documents(workspace, name, "pretrain").assign(stream=name) for name in streams],
        ignore_index=True,
    )
    texts = pool["text"].tolist()
    pool["bytes"] = [len(text.encode()) for text in texts]
    random = np.random.default_rng(0)
    chosen = random.choice(len(texts), min(_NEGATIVES, len(texts)), replace=False)
    negatives = [texts[index] for index in chosen]
    facts: dict[str, Any] = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("web classifiers", total=3)
        positives = {
            "V2": _educational(workspace),
            "V3": _answers(suite, workspace),
        }
        progress.advance(task)
        rows = _features([text[:_SCORED] for text in texts])
        progress.advance(task)
        for variant in VARIANTS:
            model, accuracy = fit(positives[variant], negatives, seed=0)
            pool[f"{variant}_score"] = model.decision_function(rows).astype(np.float32)
            pool[variant] = top_share(pool[f"{variant}_score"], pool["bytes"], KEPT)
            facts[variant] = {
                "positives": min(len(positives[variant]), _POSITIVES),
                "negatives": len(negatives),
                "heldout_accuracy": round(accuracy, 4),
                "mb": round(float(pool.loc[pool[variant], "bytes"].sum()) / 1e6, 3),
            }
        progress.advance(task)
    with replacing(path) as beside:
        pool.drop(columns=["text", "split"]).to_parquet(beside, index=False)
    both = pool.loc[pool["V2"] & pool["V3"], "bytes"].sum()
    either = pool.loc[pool["V2"] | pool["V3"], "bytes"].sum()
    facts["jaccard_bytes"] = round(float(both / either), 4)
    facts["stream_mb"] = stream_megabytes(pool)
    step.finish(facts)
    return step


def stream_megabytes(pool: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return megabytes by stream for V1 (the whole pool), V2 and V3."""
    found = {}
    for variant in ("V1", *VARIANTS):
        part = pool if variant == "V1" else pool[pool[variant]]
        sizes = part.groupby("stream", sort=False)["bytes"].sum().sort_values(ascending=False)
        found[variant] = {str(name): round(size / 1e6, 3) for name, size in sizes.items()}
    return found


def top_share(scores: pd.Series, sizes: pd.Series, share: float) -> np.ndarray:
    """Return which documents, best scores first, make up a share of all bytes.

    The document that passes the mark is left out, so the kept bytes never exceed the share.
    """
    order = np.argsort(-scores.to_numpy(), kind="stable")
    inside = np.cumsum(sizes.to_numpy()[order]) <= share * sizes.sum()
    kept = np.zeros(len(scores), dtype=bool)
    kept[order[inside]] = True
    return kept


def fit(positives: Sequence[str], negatives: Sequence[str], seed: int) -> tuple[Any, float]:
    """Return a logistic regression on word unigrams and bigrams, and its held-out accuracy.

    Examples are cropped at random to 800 characters; one tenth of them is held out.
    """
    from sklearn.linear_model import SGDClassifier

    random = np.random.default_rng(seed)
    chosen = random.permutation(len(positives))[:_POSITIVES]
    examples = [positives[index] for index in chosen] + list(negatives)
    labels = np.r_[np.ones(len(chosen)), np.zeros(len(negatives))]
    rows = _features([_crop(text, random) for text in examples])
    order = random.permutation(len(labels))
    train, held = np.split(order, [int(0.9 * len(order))])
    model = SGDClassifier(
        loss="log_loss",
        alpha=2e-6,
        max_iter=8,
        tol=None,
        class_weight="balanced",
        random_state=seed,
    )
    model.fit(rows[train], labels[train])
    return model, float(model.score(rows[held], labels[held]))


def _features(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        ngram_range=(1, 2),
        n_features=2**19,
        alternate_sign=False,
        binary=True,
        token_pattern=r"\b[a-z]+\b",
        dtype=np.float32,
    )
    return vectorizer.transform(texts)


def _crop(text: str, random: np.random.Generator) -> str:
    start = int(random.integers(0, max(1, len(text) - _CROP)))
    return text[start : start + _CROP]


def _educational(workspace: Workspace) -> list[str]:
    return [
        text
        for stream in EDUCATIONAL
        if (workspace.documents / f"{stream}.parquet").exists()
        for text in documents(workspace, stream, "pretrain")["text"]
    ]


def _answers(suite: Suite, workspace: Workspace) -> list[str]:
    """Return answers to instructions, and how-to answers three times each as they are few."""
    found: list[str] = []
    sources = Counter(text.source for text in suite.texts if stream_of(text) == HOWTO)
    for source in sources:
        path = fetch(suite.source(source), workspace.downloads)
        found += passages(members(path, MEMBERS))
    if (workspace.documents / f"{HOWTO}.parquet").exists():
        found += documents(workspace, HOWTO, "pretrain")["text"].tolist() * 3
    return [text for text in found if re.search(r"[a-z]", text)]
