"""How an Altair chart becomes the output of a notebook cell.

The output holds the Vega-Lite specification, which the book draws live, a PNG for every other
reader of the notebook, and the description as plain text. A chart without a description is
refused: it would have no alternative text.
"""

from __future__ import annotations

import base64
import copy
from typing import Any

import altair as alt
import vl_convert

from transfer.charts.palette import LIGHT, THEMES
from transfer.notes import show_warnings

MIME_TYPE = "application/vnd.vegalite.v6+json"
STILL_WIDTH = 640
"""Width in pixels of a chart that fills its container, where there is no container."""


def enable() -> None:
    """Let every chart of this process be shown by `render`; call it once at a notebook's top.

    Warnings of this package become notes (`transfer.notes`).
    """
    alt.renderers.register("transfer", render)
    alt.renderers.enable("transfer")
    show_warnings()


def render(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Return the mime bundle of a chart: Vega-Lite JSON, PNG and text.

    Raises
    ------
    ValueError
        If the chart has no description.
    """
    words = describe(spec)
    if spec.get("width") == "container":
        # Only sideways: the height follows from the number of rows.
        spec = {**spec, "autosize": {"type": "fit-x", "contains": "padding"}}
    png = vl_convert.vegalite_to_png(
        still(spec),
        vl_version=grammar_version(),
        scale=1.5,
        config=THEMES["light"] | {"background": LIGHT},
    )
    return {
        MIME_TYPE: spec,
        "image/png": base64.b64encode(png).decode("ascii"),
        "text/plain": words,
    }


def describe(spec: dict[str, Any]) -> str:
    """Return the description of a chart, which is its alternative text.

    Raises
    ------
    ValueError
        If there is none.
    """
    description = spec.get("description")
    if not isinstance(description, str) or not description.strip():
        raise ValueError(
            "this chart has no description; give it one with "
            ".properties(description=...), it becomes the alternative text"
        )
    return description


def svg(spec: dict[str, Any]) -> str:
    """Return the chart as an SVG picture in the light theme, on no ground."""
    return vl_convert.vegalite_to_svg(
        still(spec), vl_version=grammar_version(), config=THEMES["light"]
    )


def still(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the specification with a fixed width where it asks for that of its container."""
    fixed = copy.deepcopy(spec)
    if fixed.get("width") == "container":
        fixed["width"] = STILL_WIDTH
    return fixed


def grammar_version() -> str:
    """Return the Vega-Lite version of Altair's charts, as vl-convert names it."""
    return ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
