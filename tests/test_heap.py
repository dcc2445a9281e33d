"""Freed memory is kept where the C library can: the same work faults fewer pages."""

import platform
import subprocess
import sys

import pytest

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
