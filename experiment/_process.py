"""What a program asks of its process, before torch is loaded, for both sides alike."""

import ctypes
import os
import sys

#: Of glibc's mallopt(3): freed memory above the first goes back to the system at once,
#: and blocks above the second never come from the heap.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1
_LARGEST = 2**30


def prepare_process() -> None:
    """Makes threads wait asleep, and keeps freed memory for the next step.

    Threads of OpenMP wait by spinning. When another program takes a core, they spin
    for a thread that isn't running, and a step takes several times as long; asleep they
    cost a quiet machine little. `OMP_WAIT_POLICY` in the environment overrules it.

    A training step frees and takes the same hundreds of megabytes; given back to the
    system in between, each page has to be fetched and cleared again.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if sys.platform == "linux":
        # Another libc has no such function, and nothing to repair.
        choose = getattr(ctypes.CDLL(None), "mallopt", None)
        if choose is not None:
            choose(_TRIM_THRESHOLD, _NEVER)
            choose(_MMAP_THRESHOLD, _LARGEST)
