"""How sure a number is: intervals, tests and ceilings of any protocol.

Three intervals are never mixed up. One over `item` says what fresh test items would give, one over
`seed` what fresh training runs would give, one over `mixture` what fresh mixtures would give;
several together are drawn one inside the other. The resamples are one more dimension of the grid,
`resample`, that a protocol passes through.
"""

from transfer.uncertainty.dependent import compared, steiger, zou_interval
from transfer.uncertainty.differences import difference, sides
from transfer.uncertainty.factorial import factor_interval
from transfer.uncertainty.intervals import bootstrap, fisher_interval, interval
from transfer.uncertainty.multiplicity import adjusted
from transfer.uncertainty.permutations import permutation
from transfer.uncertainty.resampling import OVER, resampled

__all__ = [
    "OVER",
    "adjusted",
    "bootstrap",
    "compared",
    "difference",
    "factor_interval",
    "fisher_interval",
    "interval",
    "permutation",
    "resampled",
    "sides",
    "steiger",
    "zou_interval",
]
