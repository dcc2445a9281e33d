"""Figures of how a suite was made: its mixtures, its text, its training."""

from __future__ import annotations

import altair as alt
import pandas as pd

from transfer.charts.estimates import need, several
from transfer.charts.palette import (
    COMPOSITION_DASH,
    SCALE_SHAPE,
    SPARE_COLOURS,
    TEXT_CLASS,
    WEB,
    ordered,
    worn,
)
from transfer.suite import Suite

BAR = 20
MOST_POINTS = 3_000
"""Points of loss curves above which only some are drawn."""


def mixture_shares(suite: Suite) -> alt.Chart:
    """Return the shares of web, code and curated text in each mixture of a suite."""
    shares = pd.DataFrame(
        [
            {
                "mixture": mixture.name,
                "text": kind,
                "share": getattr(mixture, f"{kind}_share"),
                "place": place,
            }
            for mixture in suite.mixtures
            for place, kind in enumerate(TEXT_CLASS)
        ]
    )
    words = "Shares of web, code and curated tokens: " + "; ".join(
        f"{m.name} {m.web_share:.0%}, {m.code_share:.0%}, {m.curated_share:.0%}"
        for m in suite.mixtures
    )
    order = [mixture.name for mixture in suite.mixtures]
    return (
        alt.Chart(shares)
        .mark_bar()
        .encode(
            x=alt.X(
                "share:Q",
                title="share of tokens",
                axis=alt.Axis(format=".0%", tickCount=5),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=alt.Y("mixture:N", sort=order, title=None),
            color=_text_class("text", list(TEXT_CLASS)),
            order=alt.Order("place:Q"),
            tooltip=["mixture:N", "text:N", alt.Tooltip("share:Q", format=".0%")],
        )
        .properties(width="container", height=BAR * len(order), description=f"{words}.")
    )


def corpus_sources(table: pd.DataFrame, most: int = 30) -> alt.Chart:
    """Return the megabytes of text that each stream gives, the largest on top.

    Parameters
    ----------
    table : DataFrame
        `stream, kind` (web, code, curated), `mb`, and where there is: `documents`.
    most : int
        How many streams are shown by name; the rest of a kind is one bar.
    """
    need(table, "stream", "kind", "mb")
    table = table.sort_values("mb", ascending=False)
    head, tail = table.iloc[:most], table.iloc[most:]
    rest = tail.groupby("kind", sort=False)["mb"].agg(["sum", "size"]).reset_index()
    rest = rest.assign(
        stream=[f"{n} more ({k})" for k, n in zip(rest["kind"], rest["size"], strict=True)]
    )
    shown = pd.concat([head, rest.rename(columns={"sum": "mb"})[["stream", "kind", "mb"]]])
    order = shown["stream"].tolist()
    totals = table.groupby("kind")["mb"].sum()
    words = f"Text of {len(table)} streams, {table['mb'].sum():.0f} MB: " + ", ".join(
        f"{kind} {totals[kind]:.0f} MB" for kind in ordered(totals.index, TEXT_CLASS)
    )
    tooltip = ["stream:N", "kind:N", alt.Tooltip("mb:Q", format=".1f")]
    tooltip += ["documents:Q"] if "documents" in shown else []
    return (
        alt.Chart(shown)
        .mark_bar()
        .encode(
            x=alt.X("mb:Q", title="megabytes of text", axis=alt.Axis(tickCount=5)),
            y=alt.Y("stream:N", sort=order, title=None),
            color=_text_class("kind", ordered(shown["kind"], TEXT_CLASS)),
            tooltip=tooltip,
        )
        .properties(
            width="container",
            height=16 * len(order),
            description=f"{words}. Largest: {order[0] if order else 'none'}.",
        )
    )


def loss_curves(table: pd.DataFrame) -> alt.Chart:
    """Return training loss against tokens, one line a run, of many points only some.

    Parameters
    ----------
    table : DataFrame
        `mixture, web, tokens, loss`, and where there are: `scale`, `seed`. One stage. Web source
        is the colour, composition (the end of the mixture's name) the dash.
    """
    need(table, "mixture", "web", "tokens", "loss")
    shown = table.assign(composition=table["mixture"].astype(str).str[-2:])
    webs = ordered(shown["web"], WEB)
    compositions = ordered(shown["composition"], COMPOSITION_DASH)
    keys = ["mixture", *(name for name in ("scale", "seed") if several(shown, name))]
    shown["run"] = shown[keys].astype(str).agg(" ".join, axis=1)
    final = shown.sort_values("tokens").groupby("run")["loss"].last()
    words = f"Training loss of {len(final)} runs over {shown['tokens'].max():,} tokens; "
    words += f"it ends between {final.min():.2f} and {final.max():.2f} nats a token."
    chart = (
        alt.Chart(_thinned(shown))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("tokens:Q", title="tokens seen", axis=alt.Axis(format="~s", tickCount=5)),
            y=alt.Y("loss:Q", title="loss, nats a token", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "web:N",
                scale=alt.Scale(domain=webs, range=worn(webs, WEB, SPARE_COLOURS)),
                legend=alt.Legend(title="web source"),
            ),
            strokeDash=alt.StrokeDash(
                "composition:N",
                scale=alt.Scale(
                    domain=compositions, range=worn(compositions, COMPOSITION_DASH, [[1, 3]])
                ),
                legend=alt.Legend(title="composition"),
            ),
            detail="run:N",
            tooltip=["run:N", "tokens:Q", alt.Tooltip("loss:Q", format=".3f")],
        )
    )
    if several(shown, "scale"):
        scales = ordered(shown["scale"], SCALE_SHAPE)
        widths = [1 + 0.8 * number for number in range(len(scales))]
        chart = chart.encode(
            strokeWidth=alt.StrokeWidth(
                "scale:O",
                scale=alt.Scale(domain=scales, range=widths),
                legend=alt.Legend(title="scale"),
            )
        )
    return chart.properties(width="container", height=300, description=words)


def _thinned(losses: pd.DataFrame) -> pd.DataFrame:
    """Return every n-th point of each run, and its last, so that few enough are drawn."""
    every = -(-len(losses) // MOST_POINTS)
    runs = losses.sort_values("tokens").groupby("run")
    kept = (runs.cumcount() % every == 0) | (runs.cumcount(ascending=False) == 0)
    return losses[kept.reindex(losses.index)]


def _text_class(column: str, names: list[str]) -> alt.Color:
    return alt.Color(
        f"{column}:N",
        scale=alt.Scale(domain=names, range=worn(names, TEXT_CLASS, SPARE_COLOURS)),
        legend=alt.Legend(title=None),
    )
