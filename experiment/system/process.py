"""What a program asks of its process, for both sides alike."""

import ctypes
import sys

#: Of glibc's mallopt(3): freed memory above the first goes back to the system at once,
#: and blocks above the second never come from the heap.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1
_LARGEST = 2**30


def keep_freed_memory() -> None:
    """Keeps freed memory for the next step, where the C library is glibc.

    A training step frees and takes the same hundreds of megabytes; given back to the
    system in between, each page has to be fetched and cleared again: 10,000 page faults
    a step. The peak stays what it is.
    """
    if sys.platform == "linux":
        # Another libc has no such function, and nothing to repair.
        choose = getattr(ctypes.CDLL(None), "mallopt", None)
        if choose is not None:
            choose(_TRIM_THRESHOLD, _NEVER)
            choose(_MMAP_THRESHOLD, _LARGEST)
