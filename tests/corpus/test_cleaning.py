import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.made_archives import code, prose
from transfer.corpus.cleaning import (
    Deduplicator,
    WordCodes,
    cleaned,
    hash_of,
    is_english,
    is_plain_code,
    shingle_hashes,
    words,
)

FOREIGN = [
    "il pleut sur la ville et les gens marchent dans la rue avec des parapluies noirs " * 4,
    "der Zug fährt durch das Tal und die Leute sehen aus dem Fenster auf den Fluss " * 4,
    "Поезд идёт через долину и люди смотрят из окна на реку и на горы вдали " * 4,
    "列车穿过山谷，人们从窗户向外看着河流和远处的山。" * 10,
    "0x1f 0x2e 0x3d 99 17 4 a1b2 c3d4 e5f6 " * 20,
]


@pytest.mark.parametrize("text", FOREIGN)
def test_other_languages_are_dropped(text):
    assert not is_english(text, words(text))


@pytest.mark.parametrize("seed", range(20))
def test_english_is_kept_in_any_case_and_without_punctuation(seed):
    text = prose(seed)
    for form in (text, text.upper(), re.sub(r"[^a-z ]", " ", text.lower())):
        assert is_english(form, words(form))


def test_code_is_judged_by_its_letters_only():
    assert is_plain_code(code(0))
    assert not is_plain_code("имя = 'значение'\n" * 20)


@given(st.text(max_size=200))
def test_cleaned_is_stable_and_without_control_characters(text):
    once = cleaned(text)
    assert cleaned(once) == once
    assert not re.search(r"[\x00-\x08\r\x7f]|\n{3}", once)


def test_copies_and_near_copies_are_dropped():
    seen = Deduplicator()
    text = prose(1, 30)
    assert seen.is_new(words(text))
    assert not seen.is_new(words(text.upper()))
    assert not seen.is_new(words(text + " And one more sentence at the end."))
    assert not seen.is_new(words(text[len(text) // 4 :]))
    assert seen.is_new(words(prose(2, 30)))
    assert seen.is_new(words(text[: len(text) // 5] + prose(3, 30)))


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 6))
def test_shingle_hashes_are_equal_where_runs_are_equal(codes, length):
    hashes = shingle_hashes(codes, length)
    runs = [tuple(codes[i : i + length]) for i in range(len(codes) - length + 1)]
    assert len(hashes) == len(runs)
    assert len(set(hashes.tolist())) == len(set(runs))
    assert all(
        (hashes[i] == hashes[j]) == (runs[i] == runs[j]) for i in range(len(runs)) for j in (0,)
    )


def test_hashes_do_not_depend_on_the_process():
    program = "from transfer.corpus.cleaning import hash_of; print(hash_of('river'))"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) == hash_of("river") == WordCodes()["river"]
    assert np.uint64(hash_of("river")) != np.uint64(hash_of("rivers"))
