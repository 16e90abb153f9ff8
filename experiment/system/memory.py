"""How much memory this process may use."""

import os
from pathlib import Path

#: Where control groups state their limits, by version.
_FILES = {"0": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}


def memory_limit(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int:
    """Bytes that this process may use: the machine's, or fewer by its control group.

    What other programs use of it is not known to it.

    Args:
        root: Where the control groups are.
        own: Names this process's groups, a line `number:controllers:path` each.
    """
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    try:
        groups = own.read_text().splitlines()
    except OSError:
        # No Linux, or no control groups.
        return limits[0]
    for number, controllers, path in (line.split(":", 2) for line in groups):
        folder, file = _FILES.get(controllers or number, ("", ""))
        group = root / folder / path.lstrip("/")
        # A group also has the limits of all groups above it. A container may see its
        # own group as the root.
        for above in (group, *group.parents) if file else ():
            if not above.is_relative_to(root):
                break
            limits += _limit(above / file)
    return min(limits)


def _limit(file: Path) -> list[int]:
    try:
        text = file.read_text().strip()
    except OSError:
        return []
    return [int(text)] if text.isdecimal() else []
