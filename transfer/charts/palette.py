"""One palette: which colour and which shape stands for what, on every page.

Categories, web sources and text classes wear colours. Stages are a ring (not yet fine-tuned) and a
disc, metrics a square and a diamond, scales triangles and a cross, verdicts a tick, a cross and a
bar.

Every colour keeps a contrast of at least 3 to 1 on the light and on the dark page, and the four
category colours stay apart for colour-blind readers (they follow Okabe and Ito, 2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CATEGORY = {
    "Commonsense": "#0072B2",
    "Science": "#009E73",
    "NLI": "#D55E00",
    "Semantic": "#C470A0",
}
WEB = {"V1": "#7F7F7F", "V2": "#8C7A00", "V3": "#5E7FD0"}
TEXT_CLASS = {"web": "#7F7F7F", "code": "#6A8F3C", "curated": "#A36A3B"}
STAGE = {"pretrain": "#7C8794", "sft": "#B0720C"}
VERDICT = {"agrees": "#4C8C4A", "disagrees": "#C0483A", "undecided": "#7F8790"}

_RING = "M1,0A1,1,0,1,0,-1,0A1,1,0,1,0,1,0ZM.6,0A.6,.6,0,1,1,-.6,0A.6,.6,0,1,1,.6,0Z"
_STAR = "M0,-1L.3,-.3L1,0L.3,.3L0,1L-.3,.3L-1,0L-.3,-.3Z"
_X = "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z"
_BAR = "M-.3,-1L.3,-1L.3,1L-.3,1Z"
_TICK = "M-1,0L-.6,-.4L-.2,0L.7,-.9L1,-.5L-.2,.75Z"
_HEXAGON = "M1,0L.5,.87L-.5,.87L-1,0L-.5,-.87L.5,-.87Z"

STAGE_SHAPE = {"pretrain": _RING, "sft": "circle"}
METRIC_SHAPE = {"accuracy": "square", "confidence": "diamond"}
SCALE_SHAPE = {"S": "triangle-down", "M": "cross", "L": "triangle-up"}
SCALE_SIZE = {"S": 35, "M": 80, "L": 150}
WEB_SHAPE = {"V1": _HEXAGON, "V2": _STAR, "V3": "triangle-right"}
VERDICT_SHAPE = {"agrees": _TICK, "disagrees": _X, "undecided": _BAR}
COMPOSITION_DASH = {"P0": [1, 0], "P1": [6, 3], "P2": [2, 2]}

SPARE_COLOURS = ("#5E7FD0", "#8C7A00", "#A36A3B", "#7C8794", "#6A8F3C", "#A0457E")
SPARE_SHAPES = ("triangle-left", "arrow", "wedge")
SPARE_SIZES = (60, 110, 180)
MARK = "#5B7FA6"
"""Of marks that stand for nothing but themselves."""
REFERENCE = "#8A8A8A"
"""Of chance, of the diagonal, and of the paper's values: what the data are held against."""
CORRELATION = ("#2166AC", "#F4F1EC", "#B2541A")
"""Ends and middle of the diverging scale of a correlation, from -1 over 0 to 1."""

LIGHT = "#FFFFFF"
DARK = "#121212"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def ordered(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the distinct names, known ones first and in the palette's order."""
    there = list(dict.fromkeys(map(str, names)))
    first = [name for name in known if name in there]
    return first + [name for name in there if name not in first]


def worn(names: Sequence[str], known: Mapping[str, Any], spare: Sequence[Any]) -> list[Any]:
    """Return what each name wears; names that the palette does not know take what is spare."""
    unknown = [name for name in names if name not in known]
    return [
        known[name] if name in known else spare[unknown.index(name) % len(spare)] for name in names
    ]


def _theme(ink: str, faint: str, grid: str) -> dict[str, Any]:
    words = {"labelColor": ink, "titleColor": ink}
    sizes = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    lines = {"domainColor": faint, "tickColor": faint, "gridColor": grid}
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "axis": words | sizes | lines | {"labelLimit": 260},
        "legend": words
        | sizes
        | {"orient": "bottom", "symbolFillColor": faint, "symbolOpacity": 1, "columns": 4},
        "title": {"color": ink, "subtitleColor": ink, "anchor": "start"},
        "text": {"color": ink, "font": FONT, "fontSize": 11},
        "rule": {"color": faint},
    }


THEMES = {
    "light": _theme("#24292F", "#6E7781", "#E3E6EA"),
    "dark": _theme("#E6E6E6", "#9A9FA6", "#33373D"),
}
"""Vega-Lite configurations of the two themes; charts themselves name no ink and no ground."""
