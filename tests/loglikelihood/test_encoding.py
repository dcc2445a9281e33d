"""Token ids put together from parts are those of the whole text."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from transfer.loglikelihood import encoding
from transfer.loglikelihood.encoding import Encoder
from transfer.suite import repository

SHIPPED = repository() / "data" / "mini" / "checkpoints" / "V1P0-S-s0-pretrain"
WORDS = ["the", "cat", "Question:", "isn't", "1984,", "caf\u00e9", "\n", "\n\n", "a.", "", "x", "-"]

texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=30)


@pytest.fixture(scope="module")
def encoder():
    return Encoder(AutoTokenizer.from_pretrained(SHIPPED), prefix=0)


def whole(encoder, pairs):
    """Return what pairs come to if nothing is put together from parts."""
    encoder._local = False
    try:
        return encoder(pairs)
    finally:
        encoder._local = True


@given(contexts=st.lists(texts, min_size=1, max_size=4), options=st.lists(texts, max_size=4))
@settings(max_examples=100, deadline=None)
def test_parts_give_the_tokens_of_the_whole(encoder, contexts, options):
    pairs = [(context, f" {option}") for context in contexts for option in options]
    encoder.forget()
    moved = [(context.rstrip(), rest) for context, rest in pairs]
    assert encoder._by_parts(moved) == encoder._by_texts(moved)
    assert encoder(pairs) == whole(encoder, pairs)


@pytest.mark.parametrize("wrong", [lambda text: len(text) // 2, lambda text: text.find(" ") + 1])
def test_a_wrong_cut_is_found_out(encoder, monkeypatch, wrong):
    monkeypatch.setattr(encoding, "_cut", lambda text: ([text[: wrong(text)]], text[wrong(text) :]))
    encoder.forget()
    try:
        assert encoder._by_parts([("the catastrophe of isolation", " yes")]) is None
    finally:
        encoder._local = True
        encoder.forget()


def test_what_questions_share_is_tokenised_once(encoder, monkeypatch):
    passage = "It was a dark and stormy night in the old town. " * 20
    shots = "".join(f"Question: is it {word}?\nAnswer: yes\n\n" for word in ("so", "true", "late"))
    lengths = []
    plain = encoder._plain
    monkeypatch.setattr(
        encoder, "_plain", lambda texts: lengths.append(sum(map(len, set(texts)))) or plain(texts)
    )
    for shared in (f"{passage}\n", shots):
        contexts = [f"{shared}Question: was it {word}?\nAnswer:" for word in ("wet", "dry", "old")]
        encoder.forget()
        lengths.clear()
        pairs = [(context, f" {option}") for context in contexts for option in ("yes", "no")]
        assert encoder(pairs) == whole(encoder, pairs)
        assert lengths[0] < 1.5 * len(shared) + 250


def across(words):
    """Return a tokenizer with tokens that hold a space within."""
    backend = Tokenizer(models.BPE(unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Split("\n", "isolated")
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["?"], show_progress=False)
    backend.train_from_iterator([words] * 50, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="?")


def test_a_tokenizer_whose_tokens_go_across_words_is_given_whole_texts():
    said = "the cat sat on the mat and the cat sat on the hat"
    tokenizer = across(said)
    encoder = Encoder(tokenizer, prefix=0)
    assert any("t s" in token for token in tokenizer.get_vocab())
    assert not encoder._local
    ((context, continuation),) = encoder([("the cat sat", " on the mat")])
    ids = tokenizer("the cat sat on the mat")["input_ids"]
    assert list(context) == tokenizer("the cat sat")["input_ids"]
    assert list(continuation) == ids[len(context) :]


def test_a_text_that_proves_the_parts_wrong_has_all_of_them_tokenised_whole(encoder, monkeypatch):
    pairs = [("the cat sat", " on the mat"), ("the cat sat", " on the hat")]
    expected = whole(encoder, pairs)
    plain = encoder._plain
    monkeypatch.setattr(
        encoder, "_plain", lambda texts: {text: [*ids, 1] for text, ids in plain(texts).items()}
    )
    encoder.forget()
    assert encoder(pairs) == expected
    assert not encoder._local
    encoder._local = True
    encoder.forget()
