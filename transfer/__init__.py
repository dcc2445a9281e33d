"""Does what a language model shows after pretraining tell what it will do after fine-tuning?

Importing this package never imports torch: everything from the committed tables to the book
works without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transfer.claims import scorecard
    from transfer.protocols import (
        alignment,
        alignment_persistence,
        by_category,
        coherence,
        cross_stage,
        decision,
        factor_effects,
        stage_pairs,
        structure_persistence,
        tidy,
    )
    from transfer.tables import missing, read_measures

# Found on first use, so that the command line starts without loading xarray.
_HOME = {
    "read_measures": "tables",
    "missing": "tables",
    "scorecard": "claims",
    **dict.fromkeys(
        (
            "alignment",
            "alignment_persistence",
            "by_category",
            "coherence",
            "cross_stage",
            "decision",
            "factor_effects",
            "stage_pairs",
            "structure_persistence",
            "tidy",
        ),
        "protocols",
    ),
}

__all__ = [
    "alignment",
    "alignment_persistence",
    "by_category",
    "coherence",
    "cross_stage",
    "decision",
    "factor_effects",
    "missing",
    "read_measures",
    "scorecard",
    "stage_pairs",
    "structure_persistence",
    "tidy",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"transfer.{_HOME[name]}"), name)
    if name == "uncertainty":
        return import_module("transfer.uncertainty")
    raise AttributeError(f"module 'transfer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
