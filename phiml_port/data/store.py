"""Trajectories of many simulations in one file that is mapped, not read.

The file is of the format safetensors, so any program can open it: one array
`trajectories (simulation, time, x, y, ..., vector)`, and in the header what it was made
from and a checksum of each simulation. One array for all simulations lets a batch be
gathered by one call.
"""

import json
import mmap
import os
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiment.system import TornFile, sync_folder

FORMAT = "hyco-trajectories-1"
_DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
#: Data begin at a multiple of a memory page.
_PAGE = mmap.ALLOCATIONGRANULARITY


@dataclass(frozen=True)
class Layout:
    """Sizes of a file's one array.

    Attributes:
        simulations: How many simulations.
        frames: Frames of each.
        frame: Shape of a frame, `(x, y, ..., vector)`.
        dtype: `F32` or `F64`.
    """

    simulations: int
    frames: int
    frame: tuple[int, ...]
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (self.simulations, self.frames, *self.frame)

    @property
    def trajectory_bytes(self) -> int:
        """Bytes of one simulation."""
        return self.frames * int(np.prod(self.frame)) * _DTYPES[self.dtype].itemsize

    @property
    def bytes(self) -> int:
        """Bytes of all simulations."""
        return self.simulations * self.trajectory_bytes


class TrajectoryFile:
    """A file of trajectories, memory-mapped and read-only.

    Its pages belong to the file, so they can leave memory at any time.

    Raises:
        FileNotFoundError: There is no such file.
        TornFile: It is cut short, its header is damaged, or it is of another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.layout, self.facts, self._start = _read_header(path, file.read, size)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        #: Every trajectory, `(simulation, time, x, y, ..., vector)`; can't be written.
        self.trajectories: np.ndarray = np.ndarray(
            self.layout.shape, _DTYPES[self.layout.dtype], self._map, self._start
        )

    def is_whole(self, place: int) -> bool:
        """Whether the simulation at a place has the bytes that were written.

        Reads all of it.
        """
        return checksum(self.trajectories[place]) == self.facts["checksums"][place]

    def read_ahead(self, place: int, start: int, count: int) -> None:
        """Asks the system to read some frames from the disk, and does not wait."""
        self._advise(mmap.MADV_WILLNEED, place, start, count)

    def release(self, place: int) -> None:
        """Takes a simulation out of this process's memory; the file keeps it."""
        self._advise(mmap.MADV_DONTNEED, place, 0, self.layout.frames)

    def _advise(self, advice: int, place: int, start: int, count: int) -> None:
        frame = self.layout.trajectory_bytes // self.layout.frames
        first = self._start + (place * self.layout.frames + start) * frame
        aligned = first // _PAGE * _PAGE
        length = min(first + count * frame, len(self._map)) - aligned
        self._map.madvise(advice, aligned, length)


def write_trajectories(
    path: Path,
    layout: Layout,
    facts: dict[str, Any],
    write_all: Callable[[Path, int], Sequence[str]],
) -> None:
    """Writes a file, or leaves what was there untouched.

    Args:
        path: Where it goes.
        layout: The sizes.
        facts: What the trajectories were made from, for the header.
        write_all: Gets a temporary file and where in it the trajectories begin, writes
            all of them (`write_trajectory`), and returns their checksums in order.

    Raises:
        OSError: The folder can't be written or the disk is full. The space is taken
            before anything is read, so that a full disk is known at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Checksums of the right length, so that the header's size is known before them.
    waiting = _header(layout, facts | {"checksums": ["0" * 8] * layout.simulations})
    descriptor, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=".partial", dir=path.parent
    )
    try:
        with os.fdopen(descriptor, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, len(waiting) + layout.bytes)
            checksums = write_all(Path(temporary), len(waiting))
            header = _header(layout, facts | {"checksums": list(checksums)})
            assert len(header) == len(waiting)
            file.write(header)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only the owner can read; give the folder's rights.
        os.chmod(temporary, 0o666 & path.parent.stat().st_mode)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def write_trajectory(
    path: Path, start: int, layout: Layout, place: int, trajectory: np.ndarray
) -> str:
    """Writes one simulation into a file that is being made; returns its checksum.

    Raises:
        OSError: The disk is full.
    """
    values = np.ascontiguousarray(trajectory, _DTYPES[layout.dtype])
    expected = layout.shape[1:]
    if values.shape != expected:
        raise ValueError(f"`trajectory` is {values.shape}; expected {expected}")
    with path.open("r+b") as file:
        file.seek(start + place * layout.trajectory_bytes)
        file.write(values.data)
    return checksum(values)


def checksum(trajectory: np.ndarray) -> str:
    """CRC-32 of the bytes of a contiguous array."""
    return f"{zlib.crc32(trajectory.reshape(-1).view(np.uint8).data):08x}"


def _header(layout: Layout, facts: dict[str, Any]) -> bytes:
    words = json.dumps(facts, sort_keys=True)
    content = {
        "__metadata__": {
            "format": FORMAT,
            "facts": words,
            "checksum": f"{zlib.crc32(words.encode()):08x}",
        },
        "trajectories": {
            "dtype": layout.dtype,
            "shape": layout.shape,
            "data_offsets": [0, layout.bytes],
        },
    }
    text = json.dumps(content).encode()
    # safetensors allows blanks behind the header.
    text += b" " * (-(8 + len(text)) % _PAGE)
    return len(text).to_bytes(8, "little") + text


def _read_header(
    path: Path, read: Callable[[int], bytes], size: int
) -> tuple[Layout, dict[str, Any], int]:
    try:
        length = int.from_bytes(read(8), "little")
        if length + 8 > size:
            raise ValueError("it is shorter than its header")
        content = json.loads(read(length))
        held = content["__metadata__"]
        if held["format"] != FORMAT:
            raise ValueError(f"its format is {held['format']}, expected {FORMAT}")
        if f"{zlib.crc32(held['facts'].encode()):08x}" != held["checksum"]:
            raise ValueError("its header is damaged")
        array = content["trajectories"]
        simulations, frames, *frame = (int(n) for n in array["shape"])
        layout = Layout(simulations, frames, tuple(frame), array["dtype"])
        facts = json.loads(held["facts"])
        if 8 + length + layout.bytes != size:
            raise ValueError(
                f"it has {size} bytes, expected {8 + length + layout.bytes}"
            )
        if len(facts["checksums"]) != simulations:
            raise ValueError("it lacks checksums")
    except (ValueError, KeyError, TypeError) as error:
        raise TornFile(f"`{path}` is torn: {error}.") from error
    return layout, facts, 8 + length
