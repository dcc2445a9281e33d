"""Every link within the built book leads to a page that is there, and to a place on it."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

LEFT_OUT = {"genindex.html", "search.html", "py-modindex.html"}


class Page(HTMLParser):
    """The links of a page, and the places on it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        for name in ("id", "name"):
            if found.get(name):
                self.places.add(found[name])
        link = found.get("href" if tag in ("a", "link") else "src")
        if link:
            self.links.append(link)


def broken(folder: Path) -> list[str]:
    """Return what is wrong with the links of the pages in a folder."""
    paths = [path for path in folder.rglob("*.html") if "_static" not in path.parts]
    pages = {path.resolve(): Page(path) for path in paths}
    problems = []
    for path, page in pages.items():
        if path.name in LEFT_OUT:
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            where = f"{path.relative_to(folder.resolve())}: {link}"
            if not target.exists():
                problems.append(f"{where}: no such file")
            elif target in pages and parts.fragment:
                place = unquote(parts.fragment)
                problems += [] if place in pages[target].places else [f"{where}: no such place"]
    return problems


def test_the_check_sees_a_broken_link(tmp_path):
    (tmp_path / "a.html").write_text(
        "<p id=x><a href='#x'>.</a><a href='b%20c.html#y'>.</a><a href='https://x.org/z'>.</a>"
        "<a href='gone.html'>.</a><img src='gone.png'>"
    )
    (tmp_path / "b c.html").write_text("<p id=z>")
    assert broken(tmp_path) == [
        "a.html: b%20c.html#y: no such place",
        "a.html: gone.html: no such file",
        "a.html: gone.png: no such file",
    ]


@pytest.mark.browser
def test_no_link_of_the_book_is_broken(site):
    problems = broken(site)
    assert not problems, "\n".join(problems)
