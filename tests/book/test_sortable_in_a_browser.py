"""A reader sorts and filters a table, with a mouse or without one, and without scripts reads it."""

import pandas as pd
import pytest

from transfer.sortable import sortable
from transfer.suite import repository

pytestmark = pytest.mark.browser

SCRIPT = (repository() / "book" / "assets" / "tables.js").read_text(encoding="utf-8")
FRAME = pd.DataFrame(
    {
        "benchmark": ["alpha", "beta", "gamma", "delta"],
        "scale": pd.Categorical(["S", "L", "S", "L"], categories=["S", "L"], ordered=True),
        "r": [0.1234, 0.1239, float("nan"), -0.5],
    }
)


@pytest.fixture
def page(browser, tmp_path):
    table = sortable(FRAME, filters=["scale"], caption="Four benchmarks")._repr_html_()
    path = tmp_path / "table.html"
    path.write_text(
        f"<!doctype html><html lang='en'><title>t</title><body>{table}<script>{SCRIPT}</script>",
        encoding="utf-8",
    )
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(path.as_uri())
    yield opened
    context.close()


def shown(page):
    return page.locator("tbody tr:visible td:first-child").all_inner_texts()


def test_a_heading_sorts_both_ways_with_absent_cells_last(page):
    heading = page.get_by_role("columnheader", name="r", exact=True)
    heading.get_by_role("button").click()
    assert shown(page) == ["beta", "alpha", "delta", "gamma"]
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").press("Enter")
    assert shown(page) == ["delta", "alpha", "beta", "gamma"]
    assert heading.get_attribute("aria-sort") == "ascending"
    other = page.get_by_role("columnheader", name="scale")
    other.get_by_role("button").click()
    assert [name in ("alpha", "gamma") for name in shown(page)] == [True, True, False, False]
    assert heading.get_attribute("aria-sort") is None


def test_fields_filter_and_the_count_is_said(page):
    assert page.get_by_role("status").inner_text() == "4 of 4 rows"
    page.get_by_label("scale").select_option(label="L")
    assert shown(page) == ["beta", "delta"]
    page.get_by_label("holds").fill("BET")
    assert shown(page) == ["beta"]
    assert page.get_by_role("status").inner_text() == "1 of 4 rows"
    page.get_by_label("holds").fill("none such")
    assert shown(page) == []
    assert page.get_by_role("status").inner_text() == "0 of 4 rows"


def test_a_filter_may_be_set_at_first(tmp_path, page):
    table = sortable(FRAME, filters=["scale"], caption="Four", chosen={"scale": "L"})
    path = tmp_path / "set.html"
    path.write_text(f"{table._repr_html_()}<script>{SCRIPT}</script>", encoding="utf-8")
    page.goto(path.as_uri())
    assert shown(page) == ["beta", "delta"]
    page.get_by_label("scale").select_option(label="all")
    assert len(shown(page)) == 4


def test_options_stand_in_the_order_of_the_column(page):
    options = page.get_by_label("scale").locator("option").all_inner_texts()
    assert options == ["all", "S", "L"]


def test_without_scripts_and_in_print_it_is_a_table(browser, page):
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(page.url)
    assert shown(plain) == list(FRAME["benchmark"])
    assert plain.locator("button, select, input").count() == 0
    context.close()
