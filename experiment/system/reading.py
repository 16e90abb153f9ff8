"""Reads files that another program may have made, without trusting what they say.

A file can be a FIFO that never ends, declare an array of terabytes, or unpack to a
thousand times its size. What is read here is bounded before it is read.
"""

import errno
import io
import json
import math
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

#: The largest JSON file, its brackets and its commas.
_JSON_BYTES, _BRACKETS, _COMMAS = 32 * 2**20, 10_000, 1_000_000
#: Entries of a zip archive, and bytes of their table.
_ENTRIES, _TABLE_BYTES = 64, 2**16
#: What the header of an array may take before its values.
_HEADER_BYTES = 2**14
#: The end of a zip archive without a comment: entries and size of the table.
_END = struct.Struct("<4s4H2LH")


def open_regular(path: Path) -> io.BufferedReader:
    """Opens a regular file to be read.

    Raises:
        OSError: There is none, it can't be read, or it is a FIFO, a device or a folder
            (nothing is waited for).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_json(path: Path) -> Any:
    """The content of a JSON file of modest size.

    Raises:
        OSError: It can't be read, or is no regular file.
        ValueError: It is no JSON, too large, or nested too deeply.
    """
    with open_regular(path) as file:
        raw = file.read(_JSON_BYTES + 1)
    if len(raw) > _JSON_BYTES:
        raise ValueError(f"it is larger than {_JSON_BYTES >> 20} MiB")
    for what, count, most in (
        ("brackets", raw.count(b"[") + raw.count(b"{"), _BRACKETS),
        ("commas", raw.count(b","), _COMMAS),
    ):
        if count > most:
            raise ValueError(f"it has {count} {what}; expected at most {most}")
    try:
        return json.loads(raw)
    except RecursionError as error:
        raise ValueError("its brackets are nested too deeply") from error


def read_npz(path: Path, largest: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Some arrays of an `.npz` file; nothing is unpickled.

    Args:
        path: The file.
        largest: The arrays to read, and how many bytes each may take.

    Returns:
        The arrays by name, read-only.

    Raises:
        OSError: It can't be read, or is no regular file.
        KeyError: An array is missing.
        ValueError: An array is larger, or something else than its header says.
        zipfile.BadZipFile, zlib.error, EOFError: It is torn.
    """
    with open_regular(path) as raw:
        _check_table(raw)
        with zipfile.ZipFile(raw) as archive:
            return {
                name: _read_entry(archive, name, most) for name, most in largest.items()
            }


def _check_table(raw: BinaryIO) -> None:
    """Refuses a table of entries that would take long to read."""
    size = raw.seek(0, os.SEEK_END)
    raw.seek(max(size - _END.size, 0))
    end = raw.read(_END.size)
    if len(end) < _END.size or not end.startswith(b"PK\x05\x06"):
        raise zipfile.BadZipFile("it doesn't end as an archive of NumPy does")
    _, _, _, _, entries, table, _, _ = _END.unpack(end)
    if entries > _ENTRIES or table > _TABLE_BYTES:
        raise ValueError(f"it has {entries} entries; expected at most {_ENTRIES}")
    raw.seek(0)


def _read_entry(archive: zipfile.ZipFile, name: str, most: int) -> np.ndarray:
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError as error:
        raise KeyError(name) from error
    if entry.file_size > most + _HEADER_BYTES:
        raise ValueError(
            f"`{name}` takes {entry.file_size} bytes unpacked; expected at most {most}"
        )
    try:
        with archive.open(entry) as file:
            version = npy.read_magic(file)
            header = {
                (1, 0): npy.read_array_header_1_0,
                (2, 0): npy.read_array_header_2_0,
            }.get(version)
            if header is None:
                raise ValueError(f"`{name}` is of an unknown version {version}")
            shape, in_columns, dtype = header(file, max_header_size=_HEADER_BYTES)
            if dtype.hasobject:
                raise ValueError(f"`{name}` holds Python objects, which are not read")
            size = math.prod(shape) * dtype.itemsize
            left = entry.file_size - file.tell()
            if size != left:
                raise ValueError(
                    f"`{name}` declares the shape {shape}, {size} bytes; it has {left}"
                )
            values = np.frombuffer(file.read(), dtype)
    except (NotImplementedError, RuntimeError) as error:
        # An unknown compression, or a password.
        raise ValueError(f"`{name}` can't be unpacked: {error}") from error
    return values.reshape(shape, order="F" if in_columns else "C")
