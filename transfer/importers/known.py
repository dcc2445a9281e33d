"""What is known of the paper's benchmarks under the names that evaluation tools give them.

The category is the paper's; where it names none, as for OpenBookQA, CB and MRPC, it is our
reading. The normalization is what the field reports: by length where options are phrases, the sum
where they are labels or words of equal form. A mapping file overrides both.
"""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """Category and default normalization of a benchmark."""

    category: str
    normalization: str


BENCHMARKS = {
    "hellaswag": Known("Commonsense", "byte"),
    "piqa": Known("Commonsense", "byte"),
    "social_iqa": Known("Commonsense", "sum"),
    "winogrande": Known("Commonsense", "sum"),
    "commonsense_qa": Known("Commonsense", "sum"),
    "copa": Known("Commonsense", "sum"),
    "boolq": Known("Commonsense", "sum"),
    "arc_easy": Known("Science", "byte"),
    "arc_challenge": Known("Science", "byte"),
    "sciq": Known("Science", "byte"),
    "openbookqa": Known("Science", "byte"),
    "mnli": Known("NLI", "sum"),
    "qnli": Known("NLI", "sum"),
    "rte": Known("NLI", "sum"),
    "cb": Known("NLI", "sum"),
    "qqp": Known("Semantic", "sum"),
    "wic": Known("Semantic", "sum"),
    "wsc": Known("Semantic", "sum"),
    "multirc": Known("Semantic", "sum"),
    "mrpc": Known("Semantic", "sum"),
}

UNNAMED = "other"
"""Category of a benchmark that nobody has put into one."""
