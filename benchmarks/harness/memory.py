"""Peak of the memory that a process has for itself."""

import threading
from collections.abc import Callable
from pathlib import Path


def peak_anonymous(work: Callable[[], object]) -> float:
    """Runs `work`; the peak of anonymous resident memory on the way, in MB.

    Pages of mapped files are left out: the system can take them back at any time.
    """
    # Work that is done at once has the memory that was there.
    peak, done = [_anonymous_kilobytes()], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], _anonymous_kilobytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return peak[0] / 1024


def _anonymous_kilobytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise RuntimeError("this kernel doesn't tell RssAnon")
