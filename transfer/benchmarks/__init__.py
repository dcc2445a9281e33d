"""The benchmarks: candidates, their items, what can be had without reading, and the frozen set.

Items are built on the user's machine from pinned packages, held-out documents and our own
templates; only ids and hashes are committed.
"""

from transfer.benchmarks.candidates import CANDIDATES, CandidateSpec
from transfer.benchmarks.items import build, generate, items, items_hash, swapped

__all__ = ["CANDIDATES", "CandidateSpec", "build", "generate", "items", "items_hash", "swapped"]
