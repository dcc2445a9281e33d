"""A book made of a table whose names are markup: a browser shows them and runs nothing."""

import itertools

import pandas as pd
import pytest

from transfer.report import report

MIXTURES = ("<script>alert(1)</script>", "{ref}`q` $x$", "[l](javascript:alert(1))", "<!--<script>")
SCALES = ('"><img src=x onerror=alert(1)>', "{{x}}")
BENCHMARKS = ("</script><svg onload=alert(1)>", "**b**", "d|e")
INJECTED = "img[src=x], svg[onload], [onerror], [onload], a[href^='javascript:']"


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strange")
    rows = [
        {
            "mixture": mixture,
            "scale": scale,
            "seed": 0,
            "stage": stage,
            "benchmark": benchmark,
            "category": BENCHMARKS[BENCHMARKS.index(benchmark) % 2],
            "accuracy": 0.3 + 0.07 * (7 * place % 9) / 2,
            "confidence": 0.4 + 0.06 * (5 * place % 8) / 2,
        }
        for place, (mixture, scale, stage, benchmark) in enumerate(
            itertools.product(MIXTURES, SCALES, ("base<b>", "chat"), BENCHMARKS)
        )
    ]
    path = folder / "strange.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return report(path, folder / "out", {"resamples": 50}).parent


@pytest.mark.slow
@pytest.mark.browser
def test_names_that_are_markup_are_shown_and_not_obeyed(strange, browser):
    page = browser.new_page()
    seen = []
    page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: seen.append(str(error)))
    shown = ""
    for path in sorted(strange.rglob("*.html")):
        if "_static" in path.parts:
            continue
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")
        assert page.locator(INJECTED).count() == 0, path.name
        shown += page.locator("main").inner_text()
        said = page.locator("body").inner_text()
        assert "Made from strange.csv" in said, path.name
        assert "pretrain is base<b> and sft is chat" in said, path.name
    page.close()
    assert seen == []
    for name in (*MIXTURES, *BENCHMARKS):
        assert name in shown
