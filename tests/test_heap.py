"""Freed memory is kept where the C library can: the same work faults fewer pages."""

import gc
import platform
import subprocess
import sys

import pytest

from transfer.heap import uncollected

WORK = """
import resource
from transfer.heap import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
blocks = [bytearray(2**20) for _ in range(64)]
del blocks
before = faults()
for _ in range(20):
    blocks = [bytearray(2**20) for _ in range(64)]
    del blocks
print(faults() - before)
"""


def faults(keep: bool) -> int:
    command = [sys.executable, "-c", WORK.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_memory_that_was_freed_is_not_fetched_again():
    # 20 times 64 MiB: every page once more, or hardly one of them.
    assert faults(keep=True) < faults(keep=False) / 10


def test_garbage_is_looked_for_again_after_much_was_made():
    looked = []
    gc.callbacks.append(lambda phase, info: looked.append(phase))
    try:
        with uncollected():
            kept = [[number] for number in range(10_000)]
            assert not looked
        assert gc.isenabled()
        more = [[number] for number in range(10_000)]
        assert looked
    finally:
        gc.callbacks.pop()
    assert len(kept) == len(more)
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
