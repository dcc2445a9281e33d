"""Results of other tools, as items and measures.

A results folder is looked through (`find`), every result gets its run and its benchmark (`plan`),
and what has none is listed; then the tables are written (`write`). Files are read as data:
nothing in them is executed, and names out of them never lead to another folder.
"""

from transfer.importers.evaluation import Evaluation
from transfer.importers.finding import Found, find
from transfer.importers.mapping import MappingFile, merged, read_mapping
from transfer.importers.naming import Naming, RunKey
from transfer.importers.planning import Cell, Plan, plan
from transfer.importers.table import SUFFIXES, read_table
from transfer.importers.writing import write, write_table

__all__ = [
    "SUFFIXES",
    "Cell",
    "Evaluation",
    "Found",
    "MappingFile",
    "Naming",
    "Plan",
    "RunKey",
    "find",
    "merged",
    "plan",
    "read_mapping",
    "read_table",
    "write",
    "write_table",
]
