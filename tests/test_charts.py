"""The figures: their words, their palette, what they refuse, and that they can be drawn."""

import base64
import json
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer import charts
from transfer.charts import palette, renderer
from transfer.entries import CATEGORIES, STAGES
from transfer.suite import load_suite

BENCHMARKS = [(f"{category[:2]}-{k}", category) for category in CATEGORIES for k in range(3)]


def estimates(rows, seed=0):
    draws = np.random.default_rng(seed)
    table = pd.DataFrame(rows)
    table["value"] = draws.uniform(-0.8, 0.8, len(table))
    return table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1, n=9)


def per_benchmark(scales=("S",)):
    return estimates(
        [{"scale": s, "benchmark": b, "category": c} for s in scales for b, c in BENCHMARKS]
    )


def per_category(column, names, scales=("S",)):
    return estimates(
        [{"scale": s, "category": c, column: n} for s in scales for c in CATEGORIES for n in names]
    )


def pairs(stages=("pretrain",)):
    return estimates(
        [
            {
                "stage": stage,
                "benchmark_i": i,
                "benchmark_j": j,
                "category_i": ci,
                "category_j": cj,
            }
            for stage in stages
            for i, ci in BENCHMARKS
            for j, cj in BENCHMARKS
        ]
    )


def mixtures():
    names = [(f"V{v}P{p}", f"V{v}") for v in (1, 2, 3) for p in (0, 1, 2)]
    return estimates([{"mixture": m, "web": w, "stage": s} for m, w in names for s in STAGES])


def scored(scales=("S",)):
    return pd.concat(
        [mixtures().assign(benchmark=b, scale=s) for s in scales for b, _ in BENCHMARKS],
        ignore_index=True,
    )


def bins():
    edges = np.linspace(0.1, 0.9, 9)
    return pd.DataFrame(
        [{"stage": s, "confidence": x, "accuracy": x**2, "n": 20} for s in STAGES for x in edges]
    )


def contrasts():
    return per_category("contrast", ("V2-V1", "V3-V1")).assign(stage="sft")


def levels():
    table = per_benchmark().assign(chance=0.25, stage="sft")
    return table.assign(value=table["value"].abs())


def losses():
    return pd.DataFrame(
        [
            {"mixture": f"V{v}P0", "web": f"V{v}", "tokens": t * 1000, "loss": 8 / t + v}
            for v in (1, 2)
            for t in range(1, 20)
        ]
    )


def claims():
    table = estimates([{"id": f"C{i}", "quantity": "r"} for i in range(1, 4)])
    return table.assign(verdict=["agrees", "disagrees", "undecided"], paper=[0.5, np.nan, -0.2])


def streams():
    kinds = ["web", "code", "curated"]
    return pd.DataFrame(
        [{"stream": f"s{i}", "kind": kinds[i % 3], "mb": 1.0 + i} for i in range(12)]
    )


def lost():
    return estimates(
        [{"benchmark": b, "category": c, "stage": s} for b, c in BENCHMARKS for s in STAGES]
    )


def on_the_way():
    return estimates(
        [
            {"category": c, "stage": s, "point": f"{s} {p}"}
            for s in STAGES
            for p in (0.25, 0.5, 1)
            for c in CATEGORIES
        ]
    )


def foretold():
    return estimates(
        [
            {"scale": scale, "metric": metric, "point": f"pretrain {share} %"}
            for share in (6, 50, 100)
            for scale in ("S", "M")
            for metric in ("accuracy", "confidence")
        ]
    )


def covered():
    return pd.DataFrame(
        {
            "scores": "normal",
            "mixtures": 9,
            "rho": [0.0, 0.0, 0.0, 0.5, 0.5, 0.5],
            "kind": ["percentile", "bca", "fisher"] * 2,
            "coverage": [0.9, 0.94, 0.95, 0.89, 0.93, 0.95],
            "error": 0.01,
        }
    )


def powers():
    return pd.DataFrame(
        {
            "study": ["a", "a", "a", "b", "b", "b"],
            "mixtures": [9, 25, 49] * 2,
            "power": [0.2, 0.6, 0.9, 0.1, 0.3, 0.4],
        }
    )


def specified():
    return pd.DataFrame(
        {
            "row": ["C1"] * 4 + ["C2"] * 4,
            "value": [0.1, -0.2, 0.4, 0.2, 0.3, 0.5, 0.1, -0.4],
            "side": ["agrees", "disagrees", "agrees", "agrees"] * 2,
            "own": [True, False, False, False] * 2,
        }
    )


def rates():
    cells = [(kind, model) for kind in ("short", "long") for model in ("1M", "60M")]
    rows = [
        {
            "workload": kind,
            "model": model,
            "ratio": 2.0 + at,
            "lowest": 1.5 + at,
            "highest": 2.5 + at,
            "bar": 4,
        }
        for at, (kind, model) in enumerate(cells)
    ]
    return pd.DataFrame(rows)


def test_the_speed_figure_counts_the_bars_that_are_reached():
    spec = charts.speed_chart(rates()).to_dict()
    assert "2 of 4 reach it" in renderer.describe(spec)


FIGURES = {
    "coverage_chart": lambda: charts.coverage_chart(covered()),
    "power_curves": lambda: charts.power_curves(powers()),
    "specification_chart": lambda: charts.specification_chart(specified()),
    "context_use": lambda: charts.context_use(lost()),
    "learning_curves": lambda: charts.learning_curves(on_the_way(), "accuracy above chance"),
    "foresight": lambda: charts.foresight(foretold(), "mean r with the end"),
    "transfer_by_category": lambda: charts.transfer_by_category(
        per_category("metric", ("accuracy", "confidence"), ("S", "M"))
    ),
    "reliability_ranking": lambda: charts.reliability_ranking(per_benchmark()),
    "reliability_ranking at two scales": lambda: charts.reliability_ranking(
        per_benchmark(("S", "L"))
    ),
    "alignment_chart": lambda: charts.alignment_chart(per_category("stage", STAGES)),
    "main_effects_chart": lambda: charts.main_effects_chart(per_category("level", ("V1", "V2"))),
    "factor_effects_chart": lambda: charts.factor_effects_chart(contrasts()),
    "linked_mixtures": lambda: charts.linked_mixtures(per_benchmark(), scored()),
    "linked_mixtures at two scales": lambda: charts.linked_mixtures(
        per_benchmark(("S", "L")), scored(("S", "L"))
    ),
    "coherence_heatmap": lambda: charts.coherence_heatmap(pairs()),
    "coherence_heatmap of one category": lambda: charts.coherence_heatmap(
        pairs().query("category_i == 'NLI' and category_j == 'NLI'")
    ),
    "structure_heatmap": lambda: charts.structure_heatmap(pairs(STAGES)),
    "accuracy_against_chance": lambda: charts.accuracy_against_chance(levels()),
    "reliability_diagram": lambda: charts.reliability_diagram(bins()),
    "mixture_shares": lambda: charts.mixture_shares(load_suite("mini")),
    "corpus_sources": lambda: charts.corpus_sources(streams(), most=5),
    "loss_curves": lambda: charts.loss_curves(losses()),
    "scorecard_chart": lambda: charts.scorecard_chart(claims()),
    "speed_chart": lambda: charts.speed_chart(rates()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_drawn_and_says_what_it_shows(name):
    spec = FIGURES[name]().to_dict()
    # The script of the book sets the widths of parts on top of each other.
    assert "vconcat" in spec or spec["width"] == "container"
    assert len(renderer.describe(spec)) > 40
    assert "nan" not in spec["description"]
    picture = renderer.svg(spec)
    # A picture without marks is an axis only.
    assert picture.count("<path") + picture.count("<rect") > 5


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_names_its_own_ink_or_ground(name):
    """Ink and ground come from the theme; text in cells is on the cell's own colour."""
    spec = FIGURES[name]().to_dict()
    assert not {"background", "title"} & spec.get("config", {}).keys()
    if "heatmap" not in name:
        assert not {"#000000", "#FFFFFF", "black", "white"} & set(json.dumps(spec).split('"'))


def test_every_public_figure_is_tried_here():
    drawn = {name.split(" ")[0] for name in FIGURES}
    assert drawn == set(charts.__all__) - {"enable", "unmeasured"}


def test_losses_of_many_runs_are_thinned_and_keep_their_ends():
    every = pd.concat([losses().assign(seed=seed) for seed in range(300)], ignore_index=True)
    (points,) = charts.loss_curves(every).to_dict()["datasets"].values()
    drawn = pd.DataFrame(points)
    assert len(drawn) < 5_000 < len(every)
    ends = drawn.groupby("run")["tokens"].agg(["min", "max"])
    assert len(ends) == 600
    assert set(ends["min"]) == {1_000}
    assert set(ends["max"]) == {19_000}
    (points,) = charts.loss_curves(losses()).to_dict()["datasets"].values()
    assert len(points) == len(losses())


def test_long_labels_of_the_scorecard_are_shown_whole():
    quantity = "lowest mean coherence of a Commonsense benchmark with the rest of it < 0"
    table = claims().assign(quantity=quantity + " ")
    table.loc[0, "quantity"] = quantity
    picture = renderer.svg(charts.scorecard_chart(table).to_dict())
    words = re.sub(r"<[^>]*>", " ", picture).replace("\xa0", " ").replace("&lt;", "<")
    assert "…" not in words
    assert quantity in " ".join(words.split())


def test_the_bundle_of_a_notebook_output():
    bundle = renderer.render(charts.reliability_ranking(per_benchmark()).to_dict())
    assert set(bundle) == {renderer.MIME_TYPE, "image/png", "text/plain"}
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == bundle[renderer.MIME_TYPE]["description"]
    json.dumps(bundle[renderer.MIME_TYPE], allow_nan=False)


def test_a_chart_without_a_description_is_refused():
    spec = charts.reliability_ranking(per_benchmark()).properties(description=" ").to_dict()
    with pytest.raises(ValueError, match="no description"):
        renderer.render(spec)


def test_the_words_count_the_intervals():
    table = pd.DataFrame(
        {
            "benchmark": ["a", "b", "c", "d"],
            "category": "NLI",
            "value": [0.5, -0.4, 0.1, np.nan],
            "low": [0.2, -0.6, -0.3, np.nan],
            "high": [0.8, -0.1, 0.4, np.nan],
        }
    )
    words = charts.reliability_ranking(table).to_dict()["description"]
    assert "lowest −0.40 (b), highest 0.50 (a)" in words
    assert "above zero: 1; below: 1; holding zero: 1" in words
    assert "Not measured: 1" in words


def test_what_cannot_be_measured_keeps_its_row():
    table = per_benchmark()
    table.loc[0, ["value", "low", "high"]] = np.nan
    text = json.dumps(charts.reliability_ranking(table).to_dict())
    assert f'"{table.loc[0, "benchmark"]}"' in text


def test_a_table_of_nothing_is_drawn_and_said():
    table = per_benchmark().assign(value=np.nan, low=np.nan, high=np.nan)
    spec = charts.reliability_ranking(table).to_dict()
    assert "nothing could be measured" in spec["description"]
    renderer.svg(spec)


def test_a_matrix_of_nothing_is_drawn_and_said():
    pair = {"benchmark_i": ["a"], "benchmark_j": ["b"], "value": [np.nan]}
    chart = charts.coherence_heatmap(pd.DataFrame(pair))
    assert "no pair could be measured" in chart.to_dict()["description"]
    assert renderer.svg(chart.to_dict()).startswith("<svg")


def test_missing_columns_and_several_scales_are_named():
    with pytest.raises(ValueError, match="no column category"):
        charts.reliability_ranking(per_benchmark().drop(columns="category"))
    two = pd.concat([pairs().assign(scale="S"), pairs().assign(scale="M")])
    with pytest.raises(ValueError, match="one scale, the table holds S, M"):
        charts.coherence_heatmap(two)


def test_the_structure_square_holds_each_stage_on_its_side():
    spec = charts.structure_heatmap(pairs(STAGES)).to_dict()
    order = [name for name, _ in BENCHMARKS]
    (rows,) = spec["datasets"].values()
    assert len(rows) == len(order) * (len(order) - 1)
    for row in rows:
        above = order.index(row["benchmark_i"]) < order.index(row["benchmark_j"])
        assert row["stage"] == ("pretrain" if above else "sft")


COLOURS = {
    **palette.CATEGORY,
    **palette.WEB,
    **palette.TEXT_CLASS,
    **palette.STAGE,
    **palette.VERDICT,
    "mark": palette.MARK,
    "reference": palette.REFERENCE,
    **dict(enumerate(palette.SPARE_COLOURS)),
}


@pytest.mark.parametrize("name", COLOURS)
def test_colours_stand_out_on_both_grounds(name):
    """WCAG 2.2, 1.4.11: graphics need a contrast of 3 to 1."""
    for ground in (palette.LIGHT, palette.DARK):
        assert contrast(COLOURS[name], ground) >= 3


@pytest.mark.parametrize("theme", palette.THEMES)
def test_words_stand_out_on_their_ground(theme):
    """WCAG 2.2, 1.4.3: text needs a contrast of 4.5 to 1."""
    ground = {"light": palette.LIGHT, "dark": palette.DARK}[theme]
    assert contrast(palette.THEMES[theme]["axis"]["labelColor"], ground) >= 4.5


def test_shapes_mean_one_thing():
    sets = [
        palette.STAGE_SHAPE,
        palette.METRIC_SHAPE,
        palette.SCALE_SHAPE,
        palette.WEB_SHAPE,
        palette.VERDICT_SHAPE,
    ]
    for first, second in combinations(sets, 2):
        assert not set(first.values()) & set(second.values())


@given(st.lists(st.sampled_from([*CATEGORIES, "Mine", "Other"]), min_size=1))
def test_order_and_colours_of_any_categories(names):
    order = palette.ordered(names, palette.CATEGORY)
    assert sorted(order) == sorted(set(names))
    known = [name for name in order if name in palette.CATEGORY]
    assert known == [name for name in CATEGORIES if name in names]
    worn = palette.worn(order, palette.CATEGORY, palette.SPARE_COLOURS)
    assert len(worn) == len(order) == len(set(worn))


def contrast(first, second):
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_figures_of_doubt_say_their_numbers():
    assert "Lowest 89.0%: percentile" in charts.coverage_chart(covered()).to_dict()["description"]
    assert "a 20%; b 10%" in charts.power_curves(powers()).to_dict()["description"]
    assert "C1 75%; C2 75%" in charts.specification_chart(specified()).to_dict()["description"]


def test_the_words_count_on_the_sides_of_the_rule():
    table = pd.DataFrame(
        {"benchmark": list("abc"), "category": "NLI", "value": [0.8, 0.6, 0.2]}
    ).assign(low=[0.6, 0.4, 0.1], high=[0.9, 0.7, 0.3])
    words = charts.reliability_ranking(table, rules=(0.5,)).to_dict()["description"]
    assert "above 0.5: 1; below: 1; holding 0.5: 1" in words


def test_the_linked_figure_first_shows_the_highest_of_the_last_scale():
    table = per_benchmark(("S", "L"))
    spec = charts.linked_mixtures(table, scored(("S", "L"))).to_dict()
    large = table[table["scale"] == "L"]
    top = large.loc[large["value"].idxmax(), "benchmark"]
    (parameter,) = spec["params"]
    assert parameter["value"] == [{"benchmark": top, "scale": "L"}]
    assert f"on {top}, L" in spec["description"]
    filters = [layer["transform"] for layer in spec["vconcat"][1]["layer"] if "transform" in layer]
    assert len(filters) == 3
    assert all(step == [{"filter": {"param": "chosen", "empty": False}}] for step in filters)


def test_the_linked_figure_of_marked_titles_finds_its_mixtures():
    table = per_benchmark()
    table["title"] = table["benchmark"] + " †"
    spec = charts.linked_mixtures(table, scored()).to_dict()
    names = {row["title"] for rows in spec["datasets"].values() for row in rows if "title" in row}
    assert names == set(table["title"])
    assert "9 mixtures" in spec["description"]


def test_the_linked_figure_of_nothing_is_said():
    table = per_benchmark().assign(value=np.nan, low=np.nan, high=np.nan)
    assert "could be measured" in charts.linked_mixtures(table, scored()).to_dict()["description"]
