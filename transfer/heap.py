"""What a process does with its memory while it works.

On a CPU every operation of PyTorch takes a new block for its result. The C library of Linux, glibc,
gives large blocks back to the system as soon as they are free, and the system hands out each of
their pages anew, filled with zeros.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Iterator

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's `mallopt`, by their numbers in malloc.h."""

_KEPT = ((_TRIM_THRESHOLD, 2**31 - 1), (_MMAP_THRESHOLD, 2**30), (_TOP_PAD, 2**26))
"""Bytes: free memory that is kept, blocks that are always given back, and what is fetched ahead."""


def keep_freed_memory() -> bool:
    """Have this process keep the memory that it frees; return whether its C library can.

    For a process whose one purpose is to train or to score, as it holds for all of it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    taken = [mallopt(parameter, value) == 1 for parameter, value in _KEPT]
    return all(taken)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage while much is made of which nothing is thrown away.

    It looks through all that a process holds, again and again as more is made, and with PyTorch and
    transformers loaded that is much.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
