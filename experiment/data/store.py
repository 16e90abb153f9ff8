"""Trajectories of many simulations as one array on disk, memory-mapped.

A store is a folder with two files: `trajectories.npy`, the array `(simulation, time, x,
y, ..., vector)`, and `store.json` with the fingerprint of each simulation's Scene and a
checksum of its bytes. The folder is named by hashes of the settings that the content
depends on (the identity) and of the fingerprints, so a store's content never changes:
changed Scenes have another folder.
"""

import hashlib
import io
import json
import logging
import mmap
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap, write_array_header_1_0

from experiment.data.channels import frame_shape
from experiment.data.scenes import open_scene, read_trajectory
from experiment.settings import Settings
from experiment.system import (
    Progress,
    SceneError,
    TornFile,
    UserError,
    map_in_processes,
    sync_folder,
    write_whole,
)

log = logging.getLogger(__name__)

#: Reads a simulation as `(time, x, y, ..., vector)`. A function of a module, as it is
#: pickled for the processes of `data.num_workers`.
ReadTrajectory = Callable[[Settings, int], np.ndarray]
_ARRAY, _FACTS = "trajectories.npy", "store.json"


class TrajectoryStore:
    """The trajectories of some simulations, built from their Scenes where necessary.

    The array is mapped read-only, so it may be larger than the memory. The first use of
    a simulation compares its checksum; a damaged one is read again from its Scene. A
    new store takes over the simulations whose Scenes are unchanged from older stores of
    the same identity, and removes these afterwards; a process that still has one mapped
    can go on using it.

    Args:
        settings: The settings of the run; `cache.dir` is a folder.
        simulations: The simulations, in config order.
        read: Reads a simulation from its Scene in `general.precision`.
        progress: Shows how many Scenes have been read.

    Attributes:
        path: The folder.
        trajectories: `(simulation, time, x, y, ..., vector)`, read-only.

    Raises:
        SceneError: A Scene is missing, torn or made with other settings.
        UserError: The store can't be written.
    """

    def __init__(
        self,
        settings: Settings,
        simulations: Sequence[int],
        read: ReadTrajectory = read_trajectory,
        progress: Progress | None = None,
    ) -> None:
        assert settings.cache.dir is not None
        self._settings = settings
        self._simulations = tuple(simulations)
        self._read = read
        self._progress = progress or Progress()
        self._dtype = np.dtype(settings.general.precision)
        frames = settings.data.trajectory_length
        self._shape = (len(simulations), frames, *frame_shape(settings))
        # The state of the Scenes before they are read: if one changes meanwhile, the
        # next run computes another fingerprint and reads it again.
        self._sources = [self._fingerprint(i) for i in range(len(simulations))]
        folder = str(Path(settings.data.data_dir).resolve())
        content = (settings.data.fields, settings.general.precision, simulations)
        self._identity = _digest([folder, *content])
        name = f"{self._identity}-{_digest(self._sources)}"
        self.path = Path(settings.cache.dir) / "trajectories" / name
        self._last_used = np.full(len(simulations), -np.inf)
        self._next_release = 0.0
        stored = self._opened(self.path)
        # A store that was just built needs no check.
        self._unverified = set(range(len(simulations))) if stored else set()
        self._stored = stored or self._build()
        self.trajectories = np.asarray(self._stored.array)

    @property
    def tracks_use(self) -> bool:
        """Whether `use` has anything to do."""
        return bool(self._unverified) or self._settings.cache.ttl is not None

    def use(self, indices: np.ndarray) -> None:
        """Must be called before simulations are accessed.

        Checks those that are used for the first time, repairs damaged ones, and
        releases simulations not accessed for `cache.ttl` seconds.

        Args:
            indices: Positions of the simulations in `trajectories`.

        Raises:
            SceneError: A simulation is damaged and its Scene has changed.
            UserError: A damaged one can't be written again.
        """
        if self._unverified:
            for index in self._unverified.intersection(indices.tolist()):
                if not self._stored.is_whole(index):
                    self._repair(index)
                self._unverified.discard(index)
        if self._settings.cache.ttl is not None:
            self._release_unused(indices, self._settings.cache.ttl)

    def read_ahead(self, index: int, start: int, count: int) -> None:
        """Asks the system to read some frames from the disk, without waiting."""
        self._advise(mmap.MADV_WILLNEED, index, start, count)

    def release(self, index: int) -> None:
        """Removes a simulation's pages from this process's memory."""
        self._advise(mmap.MADV_DONTNEED, index, 0, self._shape[1])

    def _advise(self, advice: int, index: int, start: int, count: int) -> None:
        array = self._stored.array
        frame = array[0, 0].nbytes
        first = array.offset + (index * self._shape[1] + start) * frame
        aligned = first // mmap.PAGESIZE * mmap.PAGESIZE
        assert isinstance(array.base, mmap.mmap)
        array.base.madvise(advice, aligned, first + count * frame - aligned)

    def _release_unused(self, indices: np.ndarray, ttl: float) -> None:
        now = time.monotonic()
        self._last_used[indices] = now
        if now < self._next_release:
            return
        self._next_release = now + ttl / 4
        unused = np.isfinite(self._last_used) & (self._last_used < now - ttl)
        for index in np.flatnonzero(unused):
            self.release(int(index))
            self._last_used[index] = -np.inf

    def _fingerprint(self, index: int) -> str:
        return open_scene(self._settings, self._simulations[index]).fingerprint()

    def _opened(self, path: Path) -> "_Stored | None":
        """A store, or None if there is none; a torn one is removed."""
        try:
            return _Stored(path, self._shape, self._dtype)
        except FileNotFoundError:
            return None
        except TornFile as error:
            log.warning("%s Building it again from the Scenes.", error)
            shutil.rmtree(path, ignore_errors=True)
            return None

    def _build(self) -> "_Stored":
        """Builds in a temporary folder, which takes the name once it is complete."""
        older = {*self.path.parent.glob(f"{self._identity}-*")} - {self.path}
        unique = secrets.token_hex(4)
        folder = self.path.with_name(f".{self.path.name}.{unique}.partial")
        try:
            with self._writing():
                folder.mkdir(parents=True)
                _allocate(folder / _ARRAY, self._shape, self._dtype)
                self._write_facts(folder, self._fill(folder / _ARRAY, sorted(older)))
                # Mapped before another process can replace or remove it.
                stored = _Stored(folder, self._shape, self._dtype)
                try:
                    folder.rename(self.path)
                except OSError:
                    # Another process was first; its store has the same bytes.
                    if not self.path.exists():
                        raise
                sync_folder(self.path.parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        for path in older:
            shutil.rmtree(path, ignore_errors=True)
        return stored

    def _fill(self, file: Path, older: Sequence[Path]) -> list[str]:
        """Writes every simulation; returns their checksums."""
        checksums = [""] * len(self._sources)
        for stored in filter(None, map(self._opened, older)):
            for index, source in enumerate(self._sources):
                if stored.sources[index] == source and stored.is_whole(index):
                    checksums[index] = _write(file, index, stored.array[index])
        missing = {i: s for i, s in enumerate(self._simulations) if not checksums[i]}
        if older:
            changed = ", ".join(map(str, missing.values()))
            made_from = (
                "`%s` was made from other Scenes of simulations %s; reading these"
            )
            log.warning(f"{made_from} again", older[-1], changed)
        work = partial(_read_and_write, self._read, self._settings, file)
        workers = self._settings.data.num_workers
        with self._progress.bar("cache", len(missing), "simulations") as bar:
            items = list(missing.items())
            for (index, number), checksum in map_in_processes(work, items, workers):
                checksums[index] = checksum
                bar.step(simulation=number)
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
        return checksums

    def _repair(self, index: int) -> None:
        """Reads a damaged simulation again; its bytes become what they were."""
        item = index, self._simulations[index]
        damage = f"`{self.path}` is damaged at simulation {item[1]}"
        if self._fingerprint(index) != self._sources[index]:
            raise SceneError(f"{damage}, whose Scene has changed since. Run again.")
        log.warning("%s (its checksum differs). Reading it again.", damage)
        with self._writing():
            file, checksums = self.path / _ARRAY, self._stored.checksums
            checksums[index] = _read_and_write(self._read, self._settings, file, item)
            self._write_facts(self.path, checksums)

    def _write_facts(self, folder: Path, checksums: Sequence[str]) -> None:
        facts = {"sources": self._sources, "checksums": list(checksums)}
        write_whole(folder / _FACTS, json.dumps(facts, indent=1) + "\n")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            size = np.prod(self._shape) * self._dtype.itemsize / 1e6
            raise UserError(
                f"can't write the cache `{self.path}` ({size:.0f} MB):"
                f" {error.strerror or error}. Nothing was left there. Free some space,"
                " choose another `cache.dir`, or train from the Scenes without a cache"
                " (`cache.dir=null`, slower)."
            ) from error


class _Stored:
    """The files of a store, opened.

    Raises:
        FileNotFoundError: There is no such store.
        TornFile: A file is cut short, damaged, or of other sizes.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        facts, array = path / _FACTS, path / _ARRAY
        try:
            content = json.loads(facts.read_bytes())
            self.sources: list[str] = content["sources"]
            self.checksums: list[str] = content["checksums"]
            if not len(self.sources) == len(self.checksums) == shape[0]:
                raise ValueError("it is of other simulations")
        except (ValueError, KeyError, TypeError) as error:
            raise TornFile(f"`{facts}` is torn: {error}.") from error
        # Compared, not parsed: a damaged header could describe anything.
        header = io.BytesIO()
        described = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        write_array_header_1_0(header, described)
        expected = header.tell() + int(np.prod(shape)) * dtype.itemsize
        with array.open("rb") as file:
            if file.read(header.tell()) != header.getvalue():
                raise TornFile(f"`{array}` doesn't begin with the expected header.")
            size = os.fstat(file.fileno()).st_size
        if size != expected:
            raise TornFile(f"`{array}` is torn: {size} bytes, expected {expected}.")
        self.array = open_memmap(array, "r")

    def is_whole(self, index: int) -> bool:
        """Whether a simulation has the bytes that were written; reads all of it."""
        return _checksum(self.array[index]) == self.checksums[index]


def _allocate(file: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Creates an array file and takes its space, so that a full disk is known now."""
    open_memmap(file, "w+", dtype, shape)
    with file.open("r+b") as opened:
        os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)


def _read_and_write(
    read: ReadTrajectory, settings: Settings, file: Path, item: tuple[int, int]
) -> str:
    index, simulation = item
    return _write(file, index, read(settings, simulation))


def _write(file: Path, index: int, trajectory: np.ndarray) -> str:
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


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:12]
