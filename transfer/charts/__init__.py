"""One Altair figure a function, on one palette, each with its alternative text.

The functions take tidy tables (`transfer.protocols.tidy`): one row an estimate, with `value`, and
`low` and `high` where it has an interval. A figure fills the width of its page. Call `enable` at
the top of a notebook, so that the figures are shown as the book needs them.
"""

from transfer.charts.conditions import context_use, foresight, learning_curves
from transfer.charts.doubt import coverage_chart, power_curves, specification_chart
from transfer.charts.estimates import unmeasured
from transfer.charts.linked import linked_mixtures
from transfer.charts.making import corpus_sources, loss_curves, mixture_shares
from transfer.charts.performance import accuracy_against_chance, reliability_diagram
from transfer.charts.persistence import (
    alignment_chart,
    factor_effects_chart,
    main_effects_chart,
    reliability_ranking,
    transfer_by_category,
)
from transfer.charts.rates import speed_chart
from transfer.charts.renderer import enable
from transfer.charts.scorecard import scorecard_chart
from transfer.charts.structure import coherence_heatmap, structure_heatmap

__all__ = [
    "accuracy_against_chance",
    "alignment_chart",
    "coherence_heatmap",
    "context_use",
    "corpus_sources",
    "coverage_chart",
    "enable",
    "factor_effects_chart",
    "foresight",
    "learning_curves",
    "linked_mixtures",
    "loss_curves",
    "main_effects_chart",
    "mixture_shares",
    "power_curves",
    "reliability_diagram",
    "reliability_ranking",
    "scorecard_chart",
    "specification_chart",
    "speed_chart",
    "structure_heatmap",
    "transfer_by_category",
    "unmeasured",
]
