"""Opens every page of the built book as a reader would, and looks for what a reader would miss."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser

WIDE, NARROW = 1280, 390
HEAVIEST = 3e6
"""Bytes of a page."""
SLOWEST = 2.0
"""Seconds until a page from disk can be used."""
GENERATED = {"genindex.html", "search.html", "py-modindex.html"}

FINISHED = """() => {
  const charts = [...document.querySelectorAll('.chart')];
  const mathjax = document.querySelector('script[src*="mathjax.js"]');
  return charts.every(chart => chart.dataset.drawn)
    && (!mathjax || (window.MathJax && MathJax.startup && MathJax.startup.promise
        && document.querySelectorAll('.math').length
           <= document.querySelectorAll('mjx-container').length));
}"""
LOOK = """() => {
  const shown = element => element.getClientRects().length > 0;
  const root = document.documentElement;
  return {
    theme: root.dataset.theme,
    charts: [...document.querySelectorAll('.chart')].map(chart => {
      const picture = chart.querySelector('svg.marks');
      return {
        label: picture && picture.getAttribute('aria-label'),
        drawn: chart.dataset.drawn,
        width: picture ? picture.getBoundingClientRect().width : 0,
        marks: picture ? picture.querySelectorAll('.mark-group path, .mark-symbol path, '
          + '.mark-rect path, .mark-line path, .mark-rule line').length : 0,
      };
    }),
    stills: [...document.querySelectorAll('.chart-still')].filter(shown).length,
    math: document.querySelectorAll('.math').length,
    typeset: document.querySelectorAll('mjx-container svg').length,
    mathErrors: [...document.querySelectorAll('[data-mjx-error], mjx-merror')].length,
    unresolved: document.querySelectorAll('.problematic, .system-message').length,
    nameless: [...document.querySelectorAll('img')].filter(img => !img.alt && shown(img)).length,
    overflow: root.scrollWidth - root.clientWidth,
    wide: [...document.querySelectorAll('article *')]
      .filter(e => e.getBoundingClientRect().right > root.clientWidth + 1 && shown(e))
      .slice(0, 3).map(e => e.tagName + '.' + e.className),
  };
}"""


class Visit:
    """One page in one window: what it asked for, what it complained of, how it looks."""

    def __init__(self, page: object, address: str, width: int, theme: str) -> None:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        self.where = f"{address} at {width} px, {theme}"
        self.problems: list[str] = []
        self.theme = theme
        host = urlsplit(address)[:2]

        def requested(request):
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob") and parts[:2] != host:
                self.problems.append(f"asked for {request.url}")

        def answered(response):
            if response.status >= 400:
                self.problems.append(f"{response.status} for {response.url}")

        def said(message):
            if message.type in ("error", "warning"):
                self.problems.append(f"console {message.type}: {message.text}")

        def raised(error):
            self.problems.append(f"script error: {error}")

        def failed(request):
            # Going to the next page breaks off what the last one still asked for, such as its icon.
            if request.failure != "net::ERR_ABORTED":
                self.problems.append(f"not loaded: {request.url}: {request.failure}")

        handlers = {
            "request": requested,
            "response": answered,
            "console": said,
            "pageerror": raised,
            "requestfailed": failed,
        }
        for event, handler in handlers.items():
            page.on(event, handler)
        try:
            page.goto(address, wait_until="load")
            try:
                page.wait_for_function(FINISHED, timeout=10_000, polling=50)
            except Exception as error:
                self.problems.append(f"charts or math never finished ({type(error).__name__})")
            self.look = page.evaluate(LOOK)
        finally:
            for event, handler in handlers.items():
                page.remove_listener(event, handler)

    def check(self) -> list[str]:
        look, problems = self.look, self.problems
        for number, chart in enumerate(look["charts"]):
            if not chart["marks"] or chart["width"] < 150:
                problems.append(f"chart {number} did not draw: {chart}")
            elif not chart["label"]:
                problems.append(f"chart {number} has no label")
            elif chart["drawn"] != self.theme:
                problems.append(f"chart {number} wears {chart['drawn']}")
        if look["stills"]:
            problems.append(f"{look['stills']} charts still show the still picture")
        if look["theme"] != self.theme:
            problems.append(f"the page wears {look['theme']}")
        if look["typeset"] < look["math"] or look["mathErrors"]:
            problems.append(f"math: {look['typeset']} of {look['math']}, {look['mathErrors']} bad")
        if look["unresolved"]:
            problems.append(f"{look['unresolved']} unresolved references")
        if look["nameless"]:
            problems.append(f"{look['nameless']} pictures without alternative text")
        if look["overflow"] > 0:
            problems.append(f"scrolls sideways by {look['overflow']} px: {look['wide']}")
        return [f"{self.where}: {problem}" for problem in problems]


def addresses(site: Path, base: str) -> list[str]:
    pages = sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html"))
    return [f"{base}/{page}" for page in pages if page not in GENERATED and "_static" not in page]


@pytest.fixture
def page(browser) -> Iterator[object]:
    # The address is kept out of the context's own checks: file pages are their own origin.
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    ("origin", "width", "theme"),
    [
        ("http", WIDE, "light"),
        ("http", NARROW, "dark"),
        ("file", WIDE, "dark"),
        ("file", NARROW, "light"),
    ],
)
def test_every_page_stands_on_its_own(site, served, page, origin, width, theme):
    base = served if origin == "http" else site.as_uri()
    problems = []
    for address in addresses(site, base):
        problems += Visit(page, address, width, theme).check()
    assert not problems, "\n".join(problems)


SHRUNK = """() => [...document.querySelectorAll('svg.marks')]
  .map(chart => chart.getBoundingClientRect().width / chart.getAttribute('width'))"""
LARGE_AS_DRAWN = f"() => ({SHRUNK})().every(share => Math.abs(share - 1) < 0.01)"


def test_charts_follow_a_window_that_changes(served, page):
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.goto(f"{served}/notebooks/12-calibration.html", wait_until="load")
    page.wait_for_function(FINISHED, timeout=10_000)
    assert page.evaluate(LARGE_AS_DRAWN)
    for width in (1, WIDE, NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(50)
    try:
        page.wait_for_function(LARGE_AS_DRAWN, timeout=5_000)
    except Exception:
        pytest.fail(f"charts are shrunk to {page.evaluate(SHRUNK)} of what was drawn")


AXE = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  return found.violations
    .filter(fault => ['serious', 'critical'].includes(fault.impact))
    .map(fault => `${fault.id}, ${fault.nodes.length} times: ${fault.nodes[0].html.slice(0, 120)}`);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(site, served, page, theme):
    script = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    problems = []
    for address in addresses(site, served):
        visit = Visit(page, address, WIDE, theme)
        page.evaluate(script)
        problems += [f"{visit.where}: {fault}" for fault in page.evaluate(AXE)]
    assert not problems, "\n".join(problems)


def test_pages_are_light(site, served, page):
    for address in addresses(site, site.as_uri()):
        page.goto(address, wait_until="load")
        own = Path(urlsplit(address).path).stat().st_size
        assert own < HEAVIEST, f"{address} has {own / 1e6:.1f} MB"
        interactive = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
        assert interactive < 1000 * SLOWEST, f"{address} took {interactive:.0f} ms"


def test_charts_follow_the_theme(site, served, page):
    for address in addresses(site, served):
        if Visit(page, address, WIDE, "light").look["charts"]:
            page.evaluate("document.documentElement.dataset.theme = 'dark'")
            page.wait_for_function(
                "[...document.querySelectorAll('.chart')].every(c => c.dataset.drawn === 'dark')",
                timeout=10_000,
            )
            return
    pytest.skip("the book has no chart yet")


def test_charts_have_a_picture_where_no_script_runs(site, served, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for address in addresses(site, served):
        page.goto(address, wait_until="load")
        assert page.locator(".chart-live:visible").count() == 0
        for picture in page.locator(".chart-still").all():
            assert picture.is_visible()
            assert len(picture.get_attribute("alt")) > 20
    context.close()


def test_each_executed_page_can_be_downloaded(site):
    pages = sorted((site / "notebooks").glob("*.html"))
    if not pages:
        pytest.skip("the book has no notebook yet")
    for built in pages:
        notebook = f"_sources/notebooks/{built.stem}.ipynb"
        assert (site / notebook).is_file()
        assert notebook in built.read_text(encoding="utf-8")


def test_exercises_are_linked_and_so_is_what_a_student_needs(site):
    pages = sorted((site / "notebooks").glob("*-exercises.html"))
    if not pages:
        pytest.skip("a book of one's own table has no exercises")
    for page in pages:
        chapter = page.with_name(page.name.replace("-exercises", ""))
        assert f'href="{page.name}"' in chapter.read_text(encoding="utf-8")
        links = re.findall(r'download="" href="([^"]+)"', page.read_text(encoding="utf-8"))
        files = {Path(link).name: (page.parent / link).resolve() for link in links}
        assert all(file.is_file() for file in files.values())
        student = files.pop(f"{chapter.stem}.ipynb")
        notebook = json.loads(student.read_text(encoding="utf-8"))
        code = "".join("".join(cell["source"]) for cell in notebook["cells"])
        assert {name for name in ("scores.csv", "answers.csv") if f'"{name}"' in code} == set(files)
        assert "assert " not in code


def test_a_choice_in_a_linked_figure_shows_other_mixtures(site, served, page):
    Visit(page, f"{served}/notebooks/04-rq2-benchmarks.html", WIDE, "light")
    figure = page.locator("#fig-reliability")
    points = figure.locator(".mark-text text")
    first = points.all_text_contents()
    chosen = figure.locator(".vega-bind select").first
    options = chosen.locator("option").all_inner_texts()
    other = next(name for name in options if name and name != chosen.input_value())
    chosen.select_option(label=other)
    page.wait_for_timeout(300)
    assert any(text.startswith(other) for text in points.all_text_contents())
    assert points.all_text_contents() != first


def test_linked_figures_fit_a_narrow_page(site, served, page):
    Visit(page, f"{served}/notebooks/04-rq2-benchmarks.html", NARROW, "light")
    picture = page.locator("#fig-reliability svg.marks")
    assert picture.evaluate(
        "e => Number(e.getAttribute('width')) <= e.parentElement.clientWidth + 1"
    )
