"""Trajectories of many simulations as one array on disk, memory-mapped.

A store is a folder with two files: `trajectories.npy`, the array `(simulation, time, x,
y, ..., vector)`, and `store.json` with the fingerprint of each simulation's Scene and a
checksum of its bytes. The folder is named by hashes of the settings that the content
depends on (the identity) and of the fingerprints, so a store's content never changes:
changed Scenes have another folder.
"""

import hashlib
import json
import logging
import mmap
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from experiment.data.channels import frame_shape
from experiment.data.scenes import Scene, read_trajectory, with_scene
from experiment.data.store_files import (
    ARRAY,
    StoreFiles,
    allocate,
    write_facts,
    write_simulation,
)
from experiment.settings import Settings
from experiment.system import (
    Progress,
    SceneError,
    TornFile,
    UserError,
    map_in_processes,
    partial_path,
    remove_stale,
    sync_folder,
)

log = logging.getLogger(__name__)

#: Reads a simulation as `(time, x, y, ..., vector)`. A function of a module, as it is
#: pickled for the processes of `data.num_workers`.
ReadTrajectory = Callable[[Settings, int], np.ndarray]


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
        number = self._simulations[index]
        return with_scene(self._settings, number, Scene.fingerprint)

    def _opened(self, path: Path) -> StoreFiles | None:
        """A store, or None if there is none; a torn one is removed."""
        try:
            return StoreFiles(path, self._shape, self._dtype)
        except FileNotFoundError:
            return None
        except TornFile as error:
            log.warning("%s Building it again from the Scenes.", error)
            shutil.rmtree(path, ignore_errors=True)
            return None

    def _build(self) -> StoreFiles:
        """Builds in a temporary folder, which takes the name once it is complete."""
        older = {*self.path.parent.glob(f"{self._identity}-*")} - {self.path}
        remove_stale(self.path.parent)
        folder = partial_path(self.path)
        try:
            with self._writing():
                folder.mkdir(parents=True)
                allocate(folder / ARRAY, self._shape, self._dtype)
                checksums = self._fill(folder / ARRAY, sorted(older))
                write_facts(folder, self._sources, checksums)
                # Mapped before another process can replace or remove it.
                stored = StoreFiles(folder, self._shape, self._dtype)
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
                    checksums[index] = write_simulation(
                        file, index, stored.array[index]
                    )
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
            file, checksums = self.path / ARRAY, self._stored.checksums
            checksums[index] = _read_and_write(self._read, self._settings, file, item)
            write_facts(self.path, self._sources, checksums)

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


def _read_and_write(
    read: ReadTrajectory, settings: Settings, file: Path, item: tuple[int, int]
) -> str:
    index, simulation = item
    return write_simulation(file, index, read(settings, simulation))


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:12]
