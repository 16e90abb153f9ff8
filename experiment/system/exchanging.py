"""Two files or folders that change places in one step."""

import ctypes
import errno
import os
import secrets
from pathlib import Path

#: Of renameat2(2): paths are relative to the working folder; both change places.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
#: What a kernel, or a file system that has no such step, answers.
_NOT_THERE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY)


def exchange(new: Path, old: Path) -> None:
    """`new` and `old` change places; a reader finds one of them at any time.

    Where the system has no such step, `old` is away between two renames, and lies at
    `.<name>.old-<random>` beside it meanwhile.

    Raises:
        OSError: One can't be renamed; both are where they were.
    """
    if _exchanged_at_once(new, old):
        return
    aside = old.with_name(f".{old.name}.old-{secrets.token_hex(4)}")
    old.rename(aside)
    try:
        new.rename(old)
    except BaseException:
        aside.rename(old)
        raise
    aside.rename(new)


def _exchanged_at_once(new: Path, old: Path) -> bool:
    # Linux with glibc 2.28 or musl 1.2.5.
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    paths = (os.fsencode(new), os.fsencode(old))
    if not renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in _NOT_THERE:
        return False
    raise OSError(number, os.strerror(number), str(new), None, str(old))
