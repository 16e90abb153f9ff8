"""Scenes, read once into one file of trajectories."""

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from phiml import math

from experiment.data import channel_plan, open_scene
from experiment.settings import Settings
from experiment.system import Progress, TornFile, UserError, map_in_processes
from phiml_port.data.gather import backend_named
from phiml_port.data.store import (
    Layout,
    TrajectoryFile,
    write_trajectories,
    write_trajectory,
)

log = logging.getLogger(__name__)
_DTYPES = {"float32": "F32", "float64": "F64"}


class TrajectoryCache:
    """The trajectories of some simulations, in one file that is mapped.

    The file's name holds a hash of the settings that its content depends on, its header
    a hash of every Scene that it was made from. A simulation whose Scene changed is
    read again; the others are taken over from the file that was there.

    Args:
        settings: The settings of the run; `cache.dir` is a folder.
        simulations: The simulations, in config order.
        progress: Shows how far reading Scenes is.

    Raises:
        SceneError: A Scene is missing, torn or of other settings.
        UserError: The cache can't be written.
    """

    def __init__(
        self,
        settings: Settings,
        simulations: Sequence[int],
        progress: Progress | None = None,
    ) -> None:
        self._settings = settings
        self._simulations = tuple(simulations)
        self._progress = progress
        self._path = self._place()
        self._last_used = np.full(len(self._simulations), -np.inf)
        self._next_look = 0.0
        self.file = self._opened()

    @property
    def watches(self) -> bool:
        """Whether `use` has anything to do."""
        return bool(self._unverified) or self._settings.cache.ttl is not None

    def use(self, places: np.ndarray) -> None:
        """Checks simulations that are used for the first time, and notes the use.

        A damaged one is read again from its Scene, which is said. What nobody used for
        `cache.ttl` seconds leaves this process's memory.
        """
        if self._unverified:
            for place in self._unverified.intersection(places.tolist()):
                self._verify(place)
        if self._settings.cache.ttl is not None:
            self._release_idle(places, self._settings.cache.ttl)

    def _verify(self, place: int) -> None:
        if not self.file.is_whole(place):
            log.warning(
                "`%s` is damaged at simulation %d: its checksum differs. Building it"
                " again from the Scenes.",
                self._path,
                self._simulations[place],
            )
            self.file = self._built(self.file)
        self._unverified.discard(place)

    def _release_idle(self, places: np.ndarray, limit: float) -> None:
        now = time.monotonic()
        self._last_used[places] = now
        if now < self._next_look:
            return
        self._next_look = now + limit / 4
        idle = np.isfinite(self._last_used) & (self._last_used < now - limit)
        for place in np.flatnonzero(idle):
            self.file.release(int(place))
            self._last_used[place] = -np.inf

    def _place(self) -> Path:
        settings = self._settings
        identity = {
            "data_dir": str(Path(settings.data.data_dir).resolve()),
            "fields": settings.data.fields,
            "precision": settings.general.precision,
            "simulations": self._simulations,
        }
        words = json.dumps(identity, sort_keys=True).encode()
        name = f"trajectories-{hashlib.sha256(words).hexdigest()[:12]}.safetensors"
        assert settings.cache.dir is not None
        return Path(settings.cache.dir) / "phiml" / name

    def _sources(self) -> list[str]:
        scenes = (open_scene(self._settings, s) for s in self._simulations)
        return [scene.fingerprint() for scene in scenes]

    def _opened(self) -> TrajectoryFile:
        try:
            held = TrajectoryFile(self._path)
        except FileNotFoundError:
            return self._built(None)
        except TornFile as error:
            log.warning("%s Building it again from the Scenes.", error)
            return self._built(None)
        sources = self._sources()
        if held.facts["sources"] == sources and held.layout == self._layout():
            self._unverified = set(range(len(self._simulations)))
            return held
        changed = [
            s
            for s, old, new in zip(
                self._simulations, held.facts["sources"], sources, strict=True
            )
            if old != new
        ]
        log.warning(
            "`%s` was made from other Scenes of simulations %s; reading these again",
            self._path,
            ", ".join(map(str, changed)),
        )
        return self._built(held)

    def _layout(self) -> Layout:
        settings = self._settings
        return Layout(
            len(self._simulations),
            settings.data.trajectory_length,
            (
                *settings.model.physical.resolution.values(),
                len(channel_plan(settings).names),
            ),
            _DTYPES[settings.general.precision],
        )

    def _built(self, old: TrajectoryFile | None) -> TrajectoryFile:
        """Makes the file; from `old` comes what is whole and of the same Scene."""
        # The Scenes' state before they are read: one that changes meanwhile has
        # another afterwards, so the next run reads it again.
        sources, layout = self._sources(), self._layout()
        if old is not None and old.layout != layout:
            old = None

        def write_all(path: Path, start: int) -> list[str]:
            return self._write_all(path, start, layout, sources, old)

        try:
            write_trajectories(self._path, layout, {"sources": sources}, write_all)
        except OSError as error:
            raise UserError(
                f"can't write the cache `{self._path}` ({layout.bytes / 1e6:.0f} MB):"
                f" {error.strerror or error}. Nothing was left there. Free some space,"
                " choose another `cache.dir`, or train from the Scenes without a cache"
                " (`cache.dir=null`, slower)."
            ) from error
        # What was just written was summed up on the way.
        self._unverified: set[int] = set()
        return TrajectoryFile(self._path)

    def _write_all(
        self,
        path: Path,
        start: int,
        layout: Layout,
        sources: Sequence[str],
        old: TrajectoryFile | None,
    ) -> list[str]:
        checksums = [""] * layout.simulations
        to_read = []
        for place, source in enumerate(sources):
            same = old is not None and old.facts["sources"][place] == source
            if same and old is not None and old.is_whole(place):
                checksums[place] = write_trajectory(
                    path, start, layout, place, old.trajectories[place]
                )
            else:
                to_read.append(place)
        work = partial(
            _read_and_write, self._settings, self._simulations, path, start, layout
        )
        workers = self._settings.data.num_workers
        with (self._progress or Progress()).bar(
            "cache", len(to_read), "simulations"
        ) as bar:
            for place, found in map_in_processes(work, to_read, workers):
                checksums[place] = found
                bar.step(simulation=self._simulations[place])
        return checksums


def _read_and_write(
    settings: Settings,
    simulations: Sequence[int],
    path: Path,
    start: int,
    layout: Layout,
    place: int,
) -> str:
    trajectory = read_scene(settings, simulations[place])
    return write_trajectory(path, start, layout, place, trajectory)


def read_scene(settings: Settings, simulation: int) -> np.ndarray:
    """A whole trajectory `(time, x, y, ..., vector)` in `general.precision`.

    Put together on `cache.worker_backend`.

    Raises:
        SceneError: The Scene is missing, torn or of other settings.
    """
    scene = open_scene(settings, simulation)
    backend = backend_named(settings.cache.worker_backend)
    constant = {
        field: np.moveaxis(scene.read(field, 0), 0, -1)
        for field in settings.model.physical.constant_fields
        if field in settings.data.fields
    }
    frames = []
    for frame in range(settings.data.trajectory_length):
        fields = [
            constant[field]
            if field in constant
            else np.moveaxis(scene.read(field, frame), 0, -1)
            for field in settings.data.fields
        ]
        frames.append(np.concatenate(fields, axis=-1))
    # In 64 bits PhiML casts nothing that would lose something.
    with math.precision(64):
        stacked = backend.stack([backend.as_tensor(frame) for frame in frames], 0)
    return backend.numpy(stacked).astype(settings.general.precision, copy=False)
