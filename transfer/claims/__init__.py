"""The paper's claims C1 to C14, held against a grid.

Each claim is one row or a few: a quantity, the side of a threshold on which the claim puts it, what
the paper reports, and the same quantity here with its interval over fresh mixtures. Where a claim
names a benchmark that other suites lack, the nearest general quantity stands in, and the note says
so. The paper's 240M is held against the smallest scale here, its 1B against the largest.
"""

from transfer.claims.catalogue import CLAIMS
from transfer.claims.claim import Claim, Row, verdict
from transfer.claims.specifications import agreement, specification_curve
from transfer.claims.verdicts import VERDICTS, read_published, scorecard

__all__ = [
    "CLAIMS",
    "VERDICTS",
    "Claim",
    "Row",
    "agreement",
    "read_published",
    "scorecard",
    "specification_curve",
    "verdict",
]
