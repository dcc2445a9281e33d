"""How the book shows charts: a plug-in of MyST-NB and an extension of Sphinx.

A chart is written as a still picture with its alternative text, followed by its specification.
Where scripts run, `charts.js` replaces the picture by the live chart. Nothing is read from
another host, and every script is a classic one, so that pages also work when opened as files.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import TYPE_CHECKING, Any, ClassVar

from transfer.charts.renderer import MIME_TYPE, describe, svg
from transfer.report.reuse import figure_csv

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

CHART_SCRIPTS = ("vega.js", "chart-themes.js", "charts.js")
TABLE_SCRIPTS = ("tables.js",)
LAST = 900
"""Priority of our page hook: after the theme and the other extensions."""


class ChartMime:
    """Writes Vega-Lite outputs as a still picture and a specification (MyST-NB plug-in)."""

    mime_priority_overrides: ClassVar[list[tuple[str, str, int | None]]] = [("html", MIME_TYPE, 1)]

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[nodes.Element] | None:
        """Return the nodes of a Vega-Lite output, or None for every other kind of output."""
        from docutils import nodes

        if data.mime_type != MIME_TYPE:
            return None
        spec = data.content if isinstance(data.content, dict) else json.loads(data.content)
        return [nodes.raw("", chart_html(spec), format="html")]


def chart_html(spec: dict[str, Any]) -> str:
    """Return the HTML of one chart: still picture, place of the live chart, specification."""
    picture = base64.b64encode(svg(spec).encode("utf-8")).decode("ascii")
    words = html.escape(describe(spec), quote=True)
    table = figure_csv(spec)
    data = ""
    if table:
        packed = base64.b64encode(table.encode("utf-8")).decode("ascii")
        name = f"figure-{hashlib.sha256(table.encode()).hexdigest()[:6]}.csv"
        data = (
            f'<a class="chart-data" download="{name}" href="data:text/csv;base64,{packed}">'
            "Data of this figure (CSV)</a>"
        )
    # A tag within a script element could end it, or keep it from ending.
    content = json.dumps(spec, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return (
        '<div class="chart">'
        f'<img class="chart-still" alt="{words}" src="data:image/svg+xml;base64,{picture}">'
        '<div class="chart-live" hidden></div>'
        f'<script type="application/json">{content}</script>'
        f"{data}</div>"
    )


def choose_scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give a page each script once, those of charts and tables only if it has one, and no Thebe.

    Sphinx 7.4 lists scripts that were added late twice. Thebe, which would run cells on a
    server, is added by Jupyter Book even when it is off, with the address of an outside host.
    """
    for kind, names in (("chart", CHART_SCRIPTS), ("sortable", TABLE_SCRIPTS)):
        if f'class="{kind}"' not in context.get("body", ""):
            continue
        for number, name in enumerate(names):
            app.add_js_file(name, priority=LAST + number, loading_method="defer")
    seen = set()
    kept = []
    for script in context["script_files"]:
        attributes = getattr(script, "attributes", {})
        key = (str(getattr(script, "filename", script)), attributes.get("body"))
        if key in seen or any("thebe" in str(part).lower() for part in key):
            continue
        seen.add(key)
        kept.append(script)
    context["script_files"][:] = kept


def mend_roles(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Call the entries of a bibliography the items of their list, which docutils does not."""
    if "citation-list" in context.get("body", ""):
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def escape_title(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Keep a title text: the theme writes it as it is into the heading of a printed page."""
    if "pagetitle" in context:
        context["pagetitle"] = html.escape(context["pagetitle"])


def name_toggles(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give the buttons that unfold the table of contents a name, which the theme does not."""
    drawn = context.get("generate_toctree_html")
    if drawn is None:
        return

    def named(*args: Any, **kwargs: Any) -> str:
        words = '<summary aria-label="Pages below this one">'
        return str(drawn(*args, **kwargs)).replace("<summary>", words)

    context["generate_toctree_html"] = named


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the page hook with Sphinx."""
    app.connect("html-page-context", choose_scripts, priority=LAST)
    app.connect("html-page-context", mend_roles, priority=LAST)
    app.connect("html-page-context", escape_title, priority=LAST)
    app.connect("html-page-context", name_toggles, priority=LAST)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
