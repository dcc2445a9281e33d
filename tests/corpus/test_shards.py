import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.corpus import documents, write_shards
from transfer.corpus.decontamination import contaminated
from transfer.corpus.shards import BLOCK, Slot, block_counts, interleaved, slots_of
from transfer.corpus.tokenizer import load_tokenizer
from transfer.files import sha256

COUNTS = st.lists(st.integers(0, 200), min_size=1, max_size=6).filter(any)


@given(COUNTS, st.integers(0, 3))
def test_every_prefix_has_the_shares_of_the_whole(counts, seed):
    order = interleaved(counts, seed)
    assert np.bincount(order, minlength=len(counts)).tolist() == counts
    share = np.array(counts) / sum(counts)
    seen = np.cumsum(order[:, None] == np.arange(len(counts)), axis=0)
    expected = np.arange(1, len(order) + 1)[:, None] * share
    assert np.abs(seen - expected).max() <= len(counts) + 1


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.integers(1, 5000))
def test_block_counts_sum_and_are_within_one_of_the_share(weights, blocks):
    slots = [Slot(str(i), weight / sum(weights)) for i, weight in enumerate(weights)]
    counts = block_counts(slots, blocks)
    assert sum(counts) == blocks
    assert all(
        abs(count - slot.share * blocks) < 1 + 1e-6
        for count, slot in zip(counts, slots, strict=True)
    )


def test_slots_sum_to_one(built):
    suite, _ = built
    for mixture in suite.mixtures:
        slots = slots_of(mixture, suite.curated_groups)
        assert sum(slot.share for slot in slots) == pytest.approx(1)
        assert [slot.name for slot in slots] == [mixture.web, "code", "known", "looked_up"]


def test_shards_have_the_shares_of_their_mixture(built):
    suite, workspace = built
    facts = write_shards(suite, workspace).facts["mixtures"]
    for mixture in suite.mixtures:
        folder = workspace.shards(mixture.name)
        manifest = json.loads((folder / "manifest.json").read_text())
        tokens = np.load(folder / "tokens.npy")
        assert tokens.dtype == np.uint16
        assert len(tokens) == manifest["tokens"] == 98 * BLOCK
        assert tokens.max() < 400
        assert manifest["sha256"] == sha256(folder / "tokens.npy")
        assert manifest == facts[mixture.name]
        for slot in slots_of(mixture, suite.curated_groups):
            part = manifest["slots"][slot.name]
            assert part["tokens"] == pytest.approx(slot.share * len(tokens), abs=BLOCK)
            assert sum(part["streams"].values()) == part["tokens"]
            assert part["repetition"] >= 1


def test_a_slot_that_runs_out_is_repeated_and_says_so(built):
    suite, workspace = built
    slots = write_shards(suite, workspace).facts["mixtures"]["V2P0"]["slots"]
    assert slots["V2"]["repetition"] > 1
    raw = write_shards(suite, workspace).facts["mixtures"]["V1P0"]["slots"]
    assert raw["V1"]["repetition"] == 1


def test_only_clean_pretraining_documents_are_in_the_shards(built):
    _, workspace = built
    tokenizer = load_tokenizer(workspace)
    tokens = np.load(workspace.shards("V1P0") / "tokens.npy")
    text = tokenizer.decode(tokens.tolist(), skip_special_tokens=False)
    dropped = {identifier for _, identifier in contaminated(workspace)}
    found = 0
    for stream in ("newsgroups", "vital_articles"):
        frame = documents(workspace, stream)
        for row in frame.itertuples():
            inside = row.text.lower() in text
            found += inside
            assert not (inside and (row.split != "pretrain" or row.id in dropped))
    assert found > 20


def test_shards_are_the_same_when_written_again(built, tmp_path):
    suite, workspace = built
    before = write_shards(suite, workspace).facts["sha256"]
    shutil.rmtree(workspace.shards("V3P1"))
    assert write_shards(suite, workspace).facts["sha256"] == before
    assert (workspace.shards("V3P1") / "tokens.npy").exists()
