"""Properties of the tree and of what is computed on it, on made-up token ids."""

import copy
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from transfer.loglikelihood import Encoded, Engine, attention, blocks, chunks
from transfer.loglikelihood import engine as engines
from transfer.loglikelihood.packing import packs
from transfer.loglikelihood.tree import LEAF_TOKENS, plant

LONGEST = 120

tokens = st.integers(0, 5)
# Few distinct tokens and long shared beginnings, so that everything there is to share occurs.
stems = st.sampled_from([(1,) * 40, (1,) * 40 + (2, 3) * 20, (4, 5) * 30, (0,)])
contexts = st.builds(lambda stem, end: (*stem, *end), stems, st.lists(tokens, max_size=6))
continuations = st.lists(tokens, min_size=1, max_size=7).map(tuple)
requests = st.lists(st.builds(Encoded, contexts, continuations), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=6,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=LONGEST,
        initializer_range=0.4,
    )
    return LlamaForCausalLM(config).eval()


@torch.inference_mode()
def one_by_one(model, encoded):
    """Return the scores by the model's own forward pass on each request."""
    values, greedy = [], []
    for context, continuation in encoded:
        whole = (context + continuation)[-(LONGEST + 1) :]
        logits = model(torch.tensor([whole[:-1]])).logits[0, -len(continuation) :]
        target = torch.tensor(continuation)
        picked = torch.log_softmax(logits, -1).gather(-1, target[:, None])
        values.append(float(picked.double().sum()))
        greedy.append(bool((logits.argmax(-1) == target).all()))
    return np.array(values), np.array(greedy)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(encoded=requests, budget=st.sampled_from([1, 16, 64, 300, 4096]), data=st.data())
def test_scores_do_not_depend_on_order_budget_or_company(model, encoded, budget, data):
    way = data.draw(st.sampled_from(["blocks", "chunks", "plain"]))
    engine = Engine(model, LONGEST, way, budget, data.draw(st.sampled_from([1, 3])))
    # As on a GPU, whose results are read when the next pack is under way.
    engine._ahead = data.draw(st.sampled_from([0, 1, 3]))
    expected, greedy = one_by_one(model, encoded)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "QUERIES", data.draw(st.sampled_from([1, 7, 256])))
        scores = engine(encoded)
    assert np.abs(scores.loglikelihood - expected).max() < 1e-4
    assert (scores.greedy == greedy).all()
    order = data.draw(st.permutations(range(len(encoded))))
    part = order[: data.draw(st.integers(1, len(order)))]
    again = engine([encoded[at] for at in part])
    assert np.abs(again.loglikelihood - expected[part]).max() < 1e-4


def planned(start, end, size):
    return chunks.plan(start, end, size, torch.device("cpu"), torch.float32)


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 60)), max_size=30),
    size=st.integers(1, 90),
    queries=st.sampled_from([1, 8, 64, 256]),
    most=st.sampled_from([1, 2**16]),
    kept=st.booleans(),
)
def test_chunks_let_every_token_see_what_its_range_says(pairs, size, queries, most, kept):
    start = np.array([low for low, _ in pairs] + list(range(size)))
    end = np.array([low + count for low, count in pairs] + list(range(1, size + 1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "QUERIES", queries)
        patch.setattr(chunks, "KEYS_AT_MOST", most)
        patch.setattr(chunks, "MASKS_AT_MOST", 2**26 if kept else 0)
        calls = planned(start, end, size)
    numbers = torch.cat([call.numbers for call in calls])
    asked = torch.cat([call.asking for call in calls])[numbers.argsort()].flatten()
    assert asked[:size].tolist() == list(range(size))
    assert (asked[size:] == size - 1).all()
    for call in calls:
        assert call.places.numel() <= most or len(call.places) == 1
        masks = call.mask(torch.float32)[:, 0]
        for asking, places, mask in zip(call.asking, call.places, masks, strict=True):
            for at, row in zip(asking.tolist(), mask, strict=True):
                seen = places[row == 0].tolist()
                assert len(seen) == len(set(seen))
                assert set(seen) == set(np.flatnonzero((start <= at) & (at < end)).tolist())
                assert torch.isneginf(row[row != 0]).all()


def test_chunks_of_short_items_have_no_keys_but_their_own():
    size, item = 4096, 32
    start = np.arange(size)
    (call,) = planned(start, (start // item + 1) * item, size)
    assert call.elements == size * chunks.QUERIES


def test_a_call_holds_few_keys_however_long_a_context_is():
    size = 20_000
    calls = planned(np.arange(size), np.full(size, size), size)
    held = [call.places.numel() for call in calls]
    assert max(held) <= chunks.KEYS_AT_MOST
    # Half of all pairs are in vain in a chain; its chunks have little more than the other half.
    assert sum(held) < 0.6 * size * size / chunks.QUERIES
    assert len(calls) < 20


def test_one_long_stem_does_not_widen_the_chunks_of_others():
    """A context of 2,000 tokens with two questions, and short items."""
    start = np.arange(8192)
    end = np.concatenate([np.full(2000, 2064), np.full(32, 2032), np.full(32, 2064)])
    rest = np.arange(2064, 8192)
    end = np.concatenate([end, np.minimum(2064 + ((rest - 2064) // 32 + 1) * 32, 8192)])
    calls = planned(start, end, 8192)
    needed = sum(len(np.unique(row)) for call in calls for row in call.places)
    assert sum(call.places.numel() for call in calls) < 2 * needed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(encoded=requests, budget=st.integers(1, 200), shared=st.booleans())
def test_every_request_can_be_read_off_the_packs(encoded, budget, shared):
    """Follow the mask: what a read place sees is the tokens before its target, in order."""
    roots = plant(encoded, LONGEST, shared)
    read = {}
    earlier = {}
    for pack in packs(roots, budget):
        assert pack.size <= budget or len(pack.nodes) == 1
        ids, positions, ends = pack.ids(), pack.positions(), pack.ends()
        starts = dict(zip(map(id, pack.nodes), pack.starts, strict=True))
        for place, (request, order, target) in zip(*pack.reads(), strict=True):
            above = [
                (node.positions[at], node.ids[at])
                for node, first, last in pack.seen
                if id(node) not in starts and first <= place < last
                for at in range(len(node))
            ]
            assert all(id(n) in earlier for n, *_ in pack.seen if id(n) not in starts)
            own = [(positions[j], ids[j]) for j in range(place + 1) if place < ends[j]]
            path = sorted(above + own)
            assert [position for position, _ in path] == list(range(len(path)))
            read[request, order] = ([int(token) for _, token in path], target)
        earlier |= {id(node): node for node in pack.kept}
        for node in pack.dropped:
            del earlier[id(node)]
    assert not earlier
    for number, (context, continuation) in enumerate(encoded):
        whole = (context + continuation)[-(LONGEST + 1) :]
        for order, target in enumerate(continuation):
            before = whole[: len(whole) - len(continuation) + order]
            assert read.pop((number, order)) == (list(before), target)
    assert not read


def test_a_shared_stem_is_run_once(model):
    stem = tuple(np.random.default_rng(0).integers(0, 6, 100).tolist())
    encoded = [Encoded((*stem, a), (b, a)) for a in range(6) for b in range(6)]
    engine = Engine(model, LONGEST, "blocks")
    engine(encoded)
    assert engine.usage == (36 * 102, 100 + 6 + 36, 6 + 36, 0)


@pytest.mark.parametrize(("way", "ahead"), [("blocks", 0), ("chunks", 1)])
def test_truncated_requests_are_counted(model, way, ahead):
    encoded = [Encoded((token,) * 200, (2,)) for token in (1, 3)]
    encoded += [Encoded((1,) * 20, (2,)), Encoded((1,) * 120, (2,))]
    engine = Engine(model, LONGEST, way, 120)
    engine._ahead = ahead
    assert np.abs(engine(encoded).loglikelihood - one_by_one(model, encoded)[0]).max() < 1e-4
    assert engine.usage[::3] == (3 * 120 + 20, 2)
    # Memory runs out after the first pack.
    read, ran = engine._read, []

    def once(*given):
        ran.append(1)
        if len(ran) == 2:
            raise torch.OutOfMemoryError("no room")
        return read(*given)

    engine._read = once
    engine(encoded)
    assert len(ran) > 2
    assert engine.usage[::3] == (3 * 120 + 20, 2)


@pytest.mark.parametrize(("way", "ahead"), [("blocks", 0), ("chunks", 1), ("chunks", 3)])
def test_when_memory_runs_out_the_budget_is_halved_and_nothing_is_lost(model, caplog, way, ahead):
    engine = Engine(model, LONGEST, way, 64)
    engine._ahead = ahead
    encoded = [Encoded((1, 2, number % 6), (3, 4, 5, number // 6)) for number in range(36)]
    expected = engine(encoded).loglikelihood
    read, sizes = engine._read, []

    def small(pack, *rest):
        sizes.append(pack.size)
        if pack.size > 20:
            raise torch.OutOfMemoryError("no room")
        return read(pack, *rest)

    engine._read = small
    done = {}
    for numbers, scores in engine.stream(encoded):
        assert not done.keys() & set(numbers.tolist())
        done |= zip(numbers.tolist(), scores.loglikelihood, strict=True)
    assert np.allclose([done[number] for number in range(36)], expected, atol=1e-5)
    assert engine.pack_tokens <= 32
    assert "out of memory: going on with 32 tokens a pass" in caplog.text
    assert max(sizes) > 20

    engine._read = lambda *given: (_ for _ in ()).throw(RuntimeError("another fault"))
    with pytest.raises(RuntimeError, match="another fault"):
        engine(encoded)


@pytest.mark.parametrize("way", ["blocks", "chunks", "plain"])
def test_one_request_that_gives_nan_spoils_no_other(model, way):
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.model.embed_tokens.weight[5] = torch.nan
    encoded = [Encoded((1, 2, number % 5), (3, 4, number // 5 % 5)) for number in range(60)]
    encoded[30] = Encoded((1, 2, 5), (3, 4, 0))
    # Whether a trial sees the token is another question.
    engine = Engine(model, LONGEST, way)
    engine.model = broken
    scores = engine(encoded)
    assert np.flatnonzero(np.isnan(scores.loglikelihood)).tolist() == [30]
    kept = [number for number in range(60) if number != 30]
    expected = one_by_one(broken, [encoded[number] for number in kept])[0]
    assert np.abs(scores.loglikelihood[kept] - expected).max() < 1e-4


def test_logits_are_never_held_for_all_rows(model, monkeypatch):
    monkeypatch.setitem(engines.LOGIT_BYTES, "cpu", 4 * 6 * 16)
    encoded = [Encoded((number % 6, 1, 2), (3,) * 20) for number in range(6)]
    engine = Engine(model, LONGEST, "blocks")
    rows = []
    head = model.get_output_embeddings().forward
    monkeypatch.setattr(model.lm_head, "forward", lambda x: rows.append(len(x)) or head(x))
    values = engine(encoded).loglikelihood
    assert max(rows) == 16
    assert sum(rows) == engine.usage.predicted == 120
    monkeypatch.undo()
    assert np.abs(values - one_by_one(model, encoded)[0]).max() < 1e-4


@pytest.mark.parametrize("whole", [False, True])
def test_sequences_side_by_side_are_within_the_budget_with_their_padding(model, monkeypatch, whole):
    monkeypatch.setitem(engines.LOGIT_BYTES, "cpu", 4 * 6 * 40)
    draw = np.random.default_rng(0)
    sizes = [*[4] * 30, *[9] * 10, 60, 100]
    encoded = [Encoded(tuple(draw.integers(0, 6, size).tolist()), (1, 2, 3)) for size in sizes]
    engine = Engine(model, LONGEST, "plain", 64)
    engine.manner = engine.manner._replace(whole_head=whole)
    expected, greedy = one_by_one(model, encoded)
    ran, held = [], []
    base, head = model.model.forward, model.lm_head.forward
    monkeypatch.setattr(
        model.model, "forward", lambda **k: ran.append(k["input_ids"].shape) or base(**k)
    )
    monkeypatch.setattr(
        model.lm_head, "forward", lambda x: held.append(x.shape[:-1].numel()) or head(x)
    )
    scores = engine(encoded)
    assert np.abs(scores.loglikelihood - expected).max() < 1e-4
    assert (scores.greedy == greedy).all()
    # Distinct requests: of four tokens some are equal.
    assert sum(count for count, _ in ran) > 35
    assert max(count for count, _ in ran) > 5
    assert all(count * width <= 64 or count == 1 for count, width in ran)
    assert max(held) <= 40


def test_very_many_contexts_that_begin_each_other(model):
    many = tuple(np.random.default_rng(0).integers(0, 6, 32 * 1100).tolist())
    encoded = [Encoded(many[: 32 * count], (5,)) for count in range(1, 1100)]
    (root,) = plant(encoded, 40_000)
    depth = 0
    while root.children:
        root, depth = root.children[-1], depth + 1
    assert depth > 1000


def test_a_context_with_very_many_continuations_has_small_leaves(model):
    """As the empty context of a suite, before which all options are scored."""
    draw = np.random.default_rng(0)
    many = [Encoded((0,), tuple(draw.integers(0, 6, 9).tolist())) for _ in range(2000)]
    made = packs(plant(many, LONGEST), 4096)
    assert max(len(node) for pack in made for node in pack.nodes) <= LEAF_TOKENS
    assert sum(pack.size for pack in made) < 2000 * 9
    scores = Engine(model, LONGEST, "blocks", 4096)(many)
    some = draw.integers(0, len(many), 50)
    expected, greedy = one_by_one(model, [many[at] for at in some])
    assert np.abs(scores.loglikelihood[some] - expected).max() < 1e-4
    assert (scores.greedy[some] == greedy).all()


def test_threads_wait_for_stems_that_another_runs(model, monkeypatch):
    """Every pack but the first has its stem in an earlier one, which is slow."""
    monkeypatch.setattr(engines, "LEAST_TOKENS", 1)
    draw = np.random.default_rng(0)
    stem = tuple(draw.integers(0, 6, 60).tolist())
    encoded = [Encoded((*stem, a, b), (a, 1, b)) for a in range(6) for b in range(6)]
    engine = Engine(model, LONGEST, "blocks", 64 * 4, 4)
    run, seen = engine._run_tree, []

    def slow(pack, stems, read):
        if not seen:
            time.sleep(0.2)
        seen.append((threading.get_ident(), len(pack.kept)))
        return run(pack, stems, read)

    engine._run_tree = slow
    scores = engine(encoded)
    assert len({thread for thread, _ in seen}) > 1
    assert sum(kept for _, kept in seen) >= 1
    expected, greedy = one_by_one(model, encoded)
    assert np.abs(scores.loglikelihood - expected).max() < 1e-4
    assert (scores.greedy == greedy).all()


def test_long_nodes_attend_in_parts_to_what_is_before_them(model, monkeypatch):
    monkeypatch.setattr(blocks, "QUERIES", 8)
    draw = np.random.default_rng(0)
    stem = tuple(draw.integers(0, 6, 45).tolist())
    encoded = [Encoded((*stem, a), (a, 1, b)) for a in range(3) for b in range(6)]
    # Trees of 20 to 30 tokens, and a chain of 31.
    for size in (12, 18, 30):
        start = tuple(draw.integers(0, 6, size).tolist())
        encoded += [Encoded(start, (a, *stem[: size // 2])) for a in range(2)]
    encoded.append(Encoded(stem[5:36], (1,)))
    engine = Engine(model, LONGEST, "blocks", threads=1)
    expected, greedy = one_by_one(model, encoded)
    scores = engine(encoded)
    assert np.abs(scores.loglikelihood - expected).max() < 1e-4
    assert (scores.greedy == greedy).all()
    (pack,) = packs(plant(encoded, LONGEST), 4096)
    calls = blocks.plan(pack, None, torch.device("cpu"), torch.float32).blocks
    longest = [call.asking.shape[1] for call in calls if call.places.shape[1] >= 16]
    assert len(longest) > 3
    assert max(longest) == 8


@pytest.mark.parametrize("budget", [2, 400, 800, 100_000])
def test_threads_get_packs_of_like_size_within_the_budget(model, monkeypatch, budget):
    monkeypatch.setattr(engines, "LEAST_TOKENS", 16)
    draw = np.random.default_rng(0)
    sizes = draw.integers(10, 60, 40).tolist()
    contexts = [tuple(draw.integers(0, 6, size).tolist()) for size in sizes]
    roots = plant([Encoded(context, (1,)) for context in contexts], LONGEST)
    made = [
        pack.size for pack in Engine(model, LONGEST, "blocks", budget, threads=2)._cut(roots, 2)
    ]
    assert sum(made) == sum(sizes)
    assert max(made) <= max(budget // 2, max(sizes))
    if budget > 2:
        assert len(made) % 2 == 0
        assert max(made) < 1.15 * sum(made) / len(made)


def test_what_stops_one_thread_stops_those_that_wait_for_it(model, monkeypatch):
    monkeypatch.setattr(engines, "LEAST_TOKENS", 1)
    stem = (1, 2, 3) * 20
    encoded = [Encoded((*stem, a, b), (a, 1, b)) for a in range(6) for b in range(6)]
    engine = Engine(model, LONGEST, "blocks", 64 * 3, 3)
    run = engine._run_tree

    def broken(pack, stems, read):
        if pack.kept:
            time.sleep(0.2)
            raise RuntimeError("the first fault")
        return run(pack, stems, read)

    engine._run_tree = broken
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="the first fault"):
        engine(encoded)
    assert torch.get_num_threads() == before
    engine._run_tree = run
    expected, _ = one_by_one(model, encoded)
    assert np.abs(engine(encoded).loglikelihood - expected).max() < 1e-4


def test_the_last_layer_is_run_where_it_is_read(model, monkeypatch):
    sizes = []
    for layer in model.model.layers:
        forward = layer.mlp.forward
        monkeypatch.setattr(
            layer.mlp, "forward", lambda x, f=forward: sizes.append(x.shape[1]) or f(x)
        )
    encoded = [Encoded((1, 2, 3, 4, number), (5,)) for number in range(6)]
    engine = Engine(model, LONGEST, "blocks", threads=1)
    sizes.clear()
    before = [layer.mlp.forward for layer in model.model.layers]
    scores = engine(encoded)
    assert sizes == [30, 6]
    assert [layer.mlp.forward for layer in model.model.layers] == before
    expected, _ = one_by_one(model, encoded)
    assert np.abs(scores.loglikelihood - expected).max() < 1e-4


def test_in_the_last_layer_only_tokens_that_are_read_attend(model, monkeypatch):
    asked = []
    flash = attention._flash

    def counted(query, *rest):
        asked.append(query.shape[0] * query.shape[2])
        return flash(query, *rest)

    engine = Engine(model, LONGEST, "blocks", threads=1)
    monkeypatch.setattr(attention, "_flash", counted)
    stem = (1, 2) * 20
    encoded = [Encoded((*stem, number, 4), (5, number)) for number in range(6)]
    scores = engine(encoded)
    # First layer: the stem and, padded to its size, a leaf of three tokens; the other leaves; all
    # leaves under the stem. Last layer: the two tokens of each leaf that are read.
    assert asked == [2 * 40, 5 * 3, 6 * 3, 6 * 2, 6 * 2]
    expected, _ = one_by_one(model, encoded)
    assert np.abs(scores.loglikelihood - expected).max() < 1e-4


def test_under_autocast_the_tree_is_kept(model):
    encoded = [Encoded((1, 2, 3, number), (4, 5)) for number in range(6)]
    expected, _ = one_by_one(model, encoded)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        engine = Engine(model, LONGEST)
        half = engine(encoded).loglikelihood
    assert engine.way == "blocks"
    assert 0 < np.abs(half - expected).max() < 0.2


@pytest.mark.parametrize("way", ["blocks", "plain"])
def test_equal_tokens_cut_at_different_places_are_read_where_each_is_cut(model, way):
    encoded = [Encoded((1, 2, 3), (4, 5)), Encoded((1, 2), (3, 4, 5)), Encoded((1, 2, 3, 4), (5,))]
    expected, greedy = one_by_one(model, encoded)
    scores = Engine(model, LONGEST, way)(encoded)
    assert np.abs(scores.loglikelihood - expected).max() < 1e-4
    assert (scores.greedy == greedy).all()
