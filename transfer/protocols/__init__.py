"""The protocols P1 to P10 and the decision measures, over named dimensions.

Each takes a grid (`transfer.read_measures`) and returns a DataArray whose coordinate `n` says how
many points each number rests on. A dimension that a protocol does not know, such as `resample`,
passes through: an interval is the same code on a grid with one more dimension.
"""

from transfer.protocols.alignments import (
    alignment,
    alignment_persistence,
    alignment_without_one,
)
from transfer.protocols.correlations import METHODS, ConstantVector, correlate, correlation
from transfer.protocols.decisions import carry_over, category_means, decision
from transfer.protocols.factors import (
    alignment_contrast,
    code_share_correlation,
    factor_effects,
    main_effects,
    web_contrast,
)
from transfer.protocols.shared import shared_variance
from transfer.protocols.stages import (
    between_runs,
    by_category,
    category_cross_stage,
    coherence,
    cross_stage,
    mean_cross_stage,
)
from transfer.protocols.steps import stage_pairs
from transfer.protocols.structure import structure_persistence
from transfer.protocols.tidy import tidy

__all__ = [
    "METHODS",
    "ConstantVector",
    "alignment",
    "alignment_contrast",
    "alignment_persistence",
    "alignment_without_one",
    "between_runs",
    "by_category",
    "carry_over",
    "category_cross_stage",
    "category_means",
    "code_share_correlation",
    "coherence",
    "correlate",
    "correlation",
    "cross_stage",
    "decision",
    "factor_effects",
    "main_effects",
    "mean_cross_stage",
    "shared_variance",
    "stage_pairs",
    "structure_persistence",
    "tidy",
    "web_contrast",
]
