import html

from hypothesis import given
from hypothesis import strategies as st

from transfer.corpus.markup import (
    detokenize,
    grouped,
    paragraphs,
    pieces,
    strip_html,
    strip_man,
    strip_rst,
    strip_wikitext,
)


@given(st.text(alphabet="ab &<>;.\n", max_size=60))
def test_strip_html_gives_back_escaped_text(text):
    assert strip_html(html.escape(text)) == text


def test_strip_html_leaves_out_scripts_and_tags():
    page = (
        "<head><title>x</title></head><p>One <b>two</b><script>var a = '<p>'</script><br/>3 &lt; 4"
    )
    assert strip_html(page).split() == ["One", "two", "3", "<", "4"]


def test_strip_rst_keeps_prose():
    text = (
        "Title\n=====\n\n.. note::\n\n   See :ref:`the page <page>` and `here <to>`_, ``code``.\n"
    )
    assert strip_rst(text) == "Title\n\n\n   See the page and here, code.".replace("\n\n\n", "\n\n")


def test_strip_man_keeps_prose():
    text = '.\\" comment\n.TH LS 1\n.SH NAME\nls \\- list \\fIfiles\\fR\n.PP\nIt\\&.\n'
    assert strip_man(text).split() == ["LS", "1", "NAME", "ls", "-", "list", "files", "It."]


def test_strip_wikitext_keeps_link_text():
    text = "'''An [[Orbit|orbit]]''' {{cite|{{a}}}}is a [[path]].<ref>no</ref>[[File:x.png|no]]"
    assert strip_wikitext(text) == "An orbit is a path."


def test_detokenize():
    assert detokenize("He did n't say ( yet ) , `` why '' .") == 'He didn\'t say (yet), "why".'


@given(st.lists(st.text(alphabet="ab ", max_size=20), max_size=30), st.integers(1, 50))
def test_grouped_keeps_every_line_once(lines, characters):
    passages = list(grouped(lines, characters))
    assert "\n".join(passages) == "\n".join(lines)
    assert all(len(passage) + 1 >= characters for passage in passages[:-1])


@given(st.text(alphabet="ab \n", max_size=300), st.integers(5, 40))
def test_pieces_keep_all_characters_but_line_ends(text, limit):
    cut = pieces(text, limit=limit, characters=limit)
    assert "".join(cut).replace("\n", "") == text.replace("\n", "")
    assert all(len(piece) <= 2 * limit for piece in cut)


def test_paragraphs_join_wrapped_lines():
    assert list(paragraphs("one\ntwo\n\n\nthree", 5)) == ["one two", "three"]
