import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.made_archives import code, prose
from transfer.corpus import train_tokenizer
from transfer.corpus.tokenizer import load_tokenizer
from transfer.files import sha256

CHAT = [
    {"role": "user", "content": "How many days?"},
    {"role": "assistant", "content": "42 days"},
    {"role": "user", "content": "Why?"},
]


@pytest.fixture
def tokenizer(built):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(built[1].tokenizer)


def test_special_tokens(tokenizer):
    assert tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|user|>", "<|assistant|>"]) == [
        0,
        1,
        2,
    ]
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == tokenizer.pad_token_id == 0
    assert len(tokenizer) == 400
    assert tokenizer.model_max_length == 512
    assert tokenizer("one<|endoftext|>two").input_ids.count(0) == 1


def test_text_comes_back_in_lower_case(tokenizer):
    for text in (prose(1), code(1), "Tabs\tand\n\n  spaces, ümlaut 列车"):
        ids = tokenizer(text).input_ids
        assert tokenizer.decode(ids) == text.lower()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_any_text_comes_back(built, text):
    model = load_tokenizer(built[1])
    ids = model.encode(text, add_special_tokens=False).ids
    assert model.decode(ids, skip_special_tokens=False) == model.normalizer.normalize_str(text)


def test_every_digit_is_a_token(tokenizer):
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("in 1234567 days").input_ids)
    assert [token for token in tokens if any(map(str.isdigit, token))] == list("1234567")


def test_chat_template(tokenizer):
    text = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|user|>How many days?<|assistant|> 42 days<|endoftext|><|user|>Why?<|assistant|> "
    )


def test_only_what_the_assistant_says_is_marked_for_training(tokenizer):
    coded = tokenizer.apply_chat_template(
        CHAT[:2], return_dict=True, return_assistant_tokens_mask=True
    )
    said = [i for i, mask in zip(coded["input_ids"], coded["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(said) == " 42 days<|endoftext|>"


def test_facts_and_skipping(built):
    suite, workspace = built
    path = workspace.tokenizer / "tokenizer.json"
    before = path.stat().st_mtime_ns
    facts = train_tokenizer(suite, workspace).facts
    assert path.stat().st_mtime_ns == before
    assert facts["sha256"] == sha256(path)
    assert facts["vocabulary"] == 400
    assert set(facts["bytes_per_token"]) == {"web", "code", "curated"}
    assert all(1 < value < 8 for value in facts["bytes_per_token"].values())
