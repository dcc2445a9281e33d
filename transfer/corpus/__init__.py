"""From pinned archives to clean documents, web variants, a tokenizer and token shards.

Each step is one function of a suite and its workspace. A step first makes sure of the steps it
rests on, and is skipped when its inputs did not change.
"""

from transfer.corpus.decontamination import decontaminate
from transfer.corpus.report import write_report
from transfer.corpus.shards import write_shards
from transfer.corpus.streams import build_documents, documents
from transfer.corpus.tokenizer import train_tokenizer
from transfer.corpus.web_filter import filter_web

__all__ = [
    "build_documents",
    "decontaminate",
    "documents",
    "filter_web",
    "train_tokenizer",
    "write_report",
    "write_shards",
]
