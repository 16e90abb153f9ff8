"""The files of a store of trajectories: opened, checked, allocated, written.

`trajectories.npy` is the array `(simulation, time, x, y, ..., vector)`, `store.json`
has the fingerprint of each simulation's Scene and a checksum of its bytes.
"""

import io
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap, write_array_header_1_0

from experiment.system import TornFile, open_regular, read_json, write_whole

ARRAY, FACTS = "trajectories.npy", "store.json"


class StoreFiles:
    """The files of a store, opened.

    Raises:
        FileNotFoundError: There is no such store.
        TornFile: A file is cut short, damaged, or of other sizes.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        facts, array = path / FACTS, path / ARRAY
        try:
            content = read_json(facts)
            self.sources: list[str] = content["sources"]
            self.checksums: list[str] = content["checksums"]
            if not len(self.sources) == len(self.checksums) == shape[0]:
                raise ValueError("it is of other simulations")
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TornFile(f"`{facts}` is torn: {error}.") from error
        # Compared, not parsed: a damaged header could describe anything.
        header = io.BytesIO()
        described = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        write_array_header_1_0(header, described)
        expected = header.tell() + int(np.prod(shape)) * dtype.itemsize
        with _opened(array) as file:
            if file.read(header.tell()) != header.getvalue():
                raise TornFile(f"`{array}` doesn't begin with the expected header.")
            size = os.fstat(file.fileno()).st_size
        if size != expected:
            raise TornFile(f"`{array}` is torn: {size} bytes, expected {expected}.")
        self.array = open_memmap(array, "r")

    def is_whole(self, index: int) -> bool:
        """Whether a simulation has the bytes that were written; reads all of it."""
        return _checksum(self.array[index]) == self.checksums[index]


def _opened(path: Path) -> io.BufferedReader:
    try:
        return open_regular(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TornFile(f"`{path}` can't be read: {error.strerror}.") from error


def allocate(file: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Creates an array file and takes its space, so that a full disk is known now."""
    open_memmap(file, "w+", dtype, shape)
    with file.open("r+b") as opened:
        os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)


def write_simulation(file: Path, index: int, trajectory: np.ndarray) -> str:
    """Writes one simulation into an array file; returns its checksum."""
    array = open_memmap(file, "r")
    if trajectory.shape != array.shape[1:]:
        raise ValueError(f"got a trajectory {trajectory.shape} for {array.shape[1:]}")
    values = np.ascontiguousarray(trajectory, array.dtype)
    # Not through the map, where a full disk would end the process.
    with file.open("r+b") as opened:
        opened.seek(array.offset + index * values.nbytes)
        opened.write(values.data)
    return _checksum(values)


def _checksum(trajectory: np.ndarray) -> str:
    """CRC-32 of the bytes of a contiguous array."""
    return f"{zlib.crc32(trajectory.data):08x}"


def write_facts(folder: Path, sources: Sequence[str], checksums: Sequence[str]) -> None:
    """Writes fingerprints and checksums of all simulations, whole or not at all."""
    facts = {"sources": list(sources), "checksums": list(checksums)}
    write_whole(folder / FACTS, json.dumps(facts, indent=1) + "\n")
