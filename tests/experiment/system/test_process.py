"""What a program asks of its process."""

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
from experiment.system import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
b"x" * 40_000_000
before = faults()
for _ in range(20):
    b"x" * 40_000_000
print(faults() - before)
"""


def _faults(mode: str) -> int:
    """Page faults of taking, filling and freeing 40 MB twenty times."""
    command = [sys.executable, "-c", _FAULTS, mode]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_freed_memory_is_taken_again_without_page_faults() -> None:
    """40 MB are 9766 pages; glibc by itself gives back every block above 32 MB."""
    assert _faults("keep") < 1000 < 100_000 < _faults("leave")
