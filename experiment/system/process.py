"""What a program asks of its process, for both sides alike."""

import ctypes
import os
import signal
import sys

#: Of glibc's mallopt(3): freed memory above the first goes back to the system at once,
#: and blocks above the second never come from the heap.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1
_LARGEST = 2**30
#: Of prctl(2): the signal that a process gets when its parent ends.
_PDEATHSIG = 1


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


def die_with_parent(parent: int) -> None:
    """Ends this worker process when its parent ends, also when that is killed.

    A worker that waits for work would wait for ever. On Linux; elsewhere nothing
    happens.

    Args:
        parent: The parent's process id, as the parent knows it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
        # It may have ended before; another process is the parent then.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
