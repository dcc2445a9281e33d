"""The two tables that everything passes through: items and measures.

A table is checked when it is written and when it is read. A bad one is refused with its file, its
row (counted from 1, without the header) and its column.
"""

from transfer.tables.dataset import MissingCells, missing, parameters, read_measures
from transfer.tables.items import (
    ITEMS,
    compact,
    items_files,
    lookup,
    read_items,
    read_metadata,
    write_items,
)
from transfer.tables.measures import (
    KEYS,
    MEASURES,
    METRICS,
    check_measures,
    read_measures_table,
    read_notes,
    write_measures,
)
from transfer.tables.seeds import match_seeds, seeds_per_scale

__all__ = [
    "ITEMS",
    "KEYS",
    "MEASURES",
    "METRICS",
    "MissingCells",
    "check_measures",
    "compact",
    "items_files",
    "lookup",
    "match_seeds",
    "missing",
    "parameters",
    "read_items",
    "read_measures",
    "read_measures_table",
    "read_metadata",
    "read_notes",
    "seeds_per_scale",
    "write_items",
    "write_measures",
]
