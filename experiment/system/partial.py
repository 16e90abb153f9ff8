"""Names for what is being written, and the removal of what nobody writes any more.

A name says on which machine which process writes: `.<name>.<host>-<machine>-<pid>-
<start>.<random>.partial`. `machine` tells containers and nodes of one host name apart,
`start` a process from an earlier one with the same number.
"""

import hashlib
import logging
import os
import re
import secrets
import shutil
import socket
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

_PARTIAL = re.compile(
    r"\..+\.(?P<host>[\w-]+-[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)\.[0-9a-f]{8}"
    r"\.partial"
)


def partial_path(path: Path) -> Path:
    """A new name beside `path`, for what is to take its name once it is whole."""
    owner = f"{_machine()}-{os.getpid()}-{_start(os.getpid())}"
    # A name may have 255 bytes.
    name = path.name.encode()[:120].decode(errors="ignore")
    return path.with_name(f".{name}.{owner}.{secrets.token_hex(4)}.partial")


def remove_stale(folder: Path) -> None:
    """Removes what processes of this machine left half-written that are no more.

    What another machine or container writes is never touched, as nothing here knows
    whether it still does.
    """
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    removed = 0
    for name in names:
        match = _PARTIAL.fullmatch(name)
        if match is None or match["host"] != _machine():
            continue
        pid = int(match["pid"])
        if _start(pid) == int(match["start"]) and _is_alive(pid):
            continue
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed += 1
    if removed:
        log.info("removed %d half-written files of killed runs, `%s`", removed, folder)


@cache
def _machine() -> str:
    """Host name, and a hash that tells machines and containers of that name apart."""
    host = re.sub(r"[^\w-]", "-", socket.gethostname(), flags=re.ASCII)[:40] or "host"
    facts = [host]
    try:
        facts.append(os.readlink("/proc/self/ns/pid"))
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    except OSError:
        # Not Linux: one machine, one table of processes.
        pass
    return f"{host}-{hashlib.sha256(''.join(facts).encode()).hexdigest()[:8]}"


def _start(pid: int) -> int:
    """When a process began, in ticks since the machine did; 0 where nothing says so."""
    try:
        # The name, in parentheses, may itself hold blanks and parentheses.
        after = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
        return int(after.split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
