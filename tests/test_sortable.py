"""A table to sort and filter: what it writes is text, and what it is sorted by is said."""

import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from transfer.sortable import sortable

TAG = "</td><script>alert(1)</script>"


def parsed(frame, **given):
    text = sortable(frame, **given)._repr_html_()
    return ET.fromstring(text.replace(" data-numeric", ' data-numeric=""'))


def cells(root, column):
    place = [heading.text for heading in root.iter("th")].index(column)
    return [(row[place].text, row[place].get("data-key")) for row in root.find(".//tbody")]


def test_numbers_are_short_and_sorted_in_full():
    root = parsed(pd.DataFrame({"r": [-0.123456, float("nan"), 1.0], "n": [9, 10, 11]}))
    assert cells(root, "r") == [("−0.12", "-0.123456"), ("–", ""), ("1.00", "1.0")]
    assert cells(root, "n") == [("9", "9"), ("10", "10"), ("11", "11")]
    assert [heading.get("data-numeric") for heading in root.iter("th")] == ["", ""]


def test_categories_are_sorted_in_their_order():
    tier = pd.Categorical(["low", None, "high"], categories=["high", "low"], ordered=True)
    root = parsed(pd.DataFrame({"tier": tier}), filters=["tier"])
    assert cells(root, "tier") == [("low", "000001"), ("–", ""), ("high", "000000")]
    (heading,) = root.iter("th")
    assert heading.get("data-filter") == ""
    assert heading.get("data-numeric") is None


def test_keys_say_what_a_column_is_sorted_by():
    root = parsed(pd.DataFrame({"interval": ["[0, 1]", "–"]}), keys={"interval": [0.5, None]})
    assert cells(root, "interval") == [("[0, 1]", "0.5"), ("–", "")]
    (heading,) = root.iter("th")
    assert heading.get("data-numeric") == ""


def test_names_that_are_markup_are_text():
    root = parsed(pd.DataFrame({TAG: [TAG]}), filters=[TAG], caption=TAG, chosen={TAG: f'"{TAG}'})
    assert [heading.get("data-filter") for heading in root.iter("th")] == [f'"{TAG}']
    assert [heading.text for heading in root.iter("th")] == [TAG]
    assert cells(root, TAG) == [(TAG, TAG)]
    assert root.find(".//caption").text == TAG
    assert root.find(".//script") is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"filters": ["tier"]}, "no column 'tier'"),
        ({"keys": {"low": [1]}}, "no column 'low'"),
        ({"keys": {"r": [1, 2]}}, "2 keys of 'r' for 1 rows"),
    ],
)
def test_what_is_not_there_is_named(given, says):
    with pytest.raises(ValueError, match=says):
        sortable(pd.DataFrame({"r": [0.5]}), **given)
