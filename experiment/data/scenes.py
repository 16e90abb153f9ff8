"""Simulations on disk: PhiFlow `Scene` folders and their descriptions.

A scene `sim_000003/` holds `velocity_000000.npz`, `velocity_000001.npz`, ... (a frame
each; a field that never changes has frame 0 only) and `description.json`. Reading
takes NumPy alone and never unpickles.
"""

import hashlib
import json
import logging
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from experiment.data.descriptions import (
    check_description,
    scene_description,
    scene_path,
    whole_description,
)
from experiment.data.hashes import HASHES, NAMES_BYTES, REMEDY, check_hash
from experiment.settings import Settings
from experiment.system import SceneError, read_npz

log = logging.getLogger(__name__)

Result = TypeVar("Result")
#: How often a Scene that is replaced while it is read is read again.
_ATTEMPTS = 100


@dataclass(frozen=True)
class Scene:
    """A simulation on disk, checked to be made with `settings`."""

    path: Path
    simulation: int
    settings: Settings
    #: Hashes of the frames by file name; Scenes of earlier versions have none.
    hashes: Mapping[str, Any] | None = None
    #: The folder as the system knows it, when the Scene was opened.
    identity: tuple[int, ...] | None = None

    def frame_file(self, field: str, frame: int) -> Path:
        """The file of one field at one frame; a constant field has frame 0 only."""
        if field in self.settings.model.physical.constant_fields:
            frame = 0
        return self.path / f"{field}_{frame:06d}.npz"

    def files(self) -> list[Path]:
        """Every file that the simulation needs, in the order of fields and frames."""
        frames = range(self.settings.data.trajectory_length)
        every = [
            self.frame_file(field, frame)
            for field in self.settings.data.fields
            for frame in frames
        ]
        return list(dict.fromkeys(every))

    def fingerprint(self) -> str:
        """A hash that changes when the description or any file of the scene changes.

        It covers the name, inode, size, modification time and change time of every
        file; no frame is read. A program can't set the change time back, so a file
        that was replaced by one of the same size and date is noticed too.

        Raises:
            SceneError: A frame is missing.
        """
        digest = hashlib.sha256(
            json.dumps(
                scene_description(self.settings, self.simulation), sort_keys=True
            ).encode()
        )
        for file in self.files():
            try:
                status = file.stat()
            except FileNotFoundError as error:
                raise SceneError(_missing(file, self.settings)) from error
            digest.update(
                f"{file.name} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
                f" {status.st_ctime_ns}".encode()
            )
        return digest.hexdigest()

    def read(self, field: str, frame: int) -> np.ndarray:
        """One frame `(x, y, ..., vector)` of a field; a scalar field has one channel.

        Raises:
            SceneError: The frame is missing, torn, of another shape or not finite.
        """
        file = self.frame_file(field, frame)
        try:
            content = read_npz(
                file, {"data": self._frame_bytes(field), "dim_names": NAMES_BYTES}
            )
            data, names = content["data"], tuple(map(str, content["dim_names"]))
        except FileNotFoundError as error:
            raise SceneError(_missing(file, self.settings)) from error
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            KeyError,
            ValueError,
            OSError,
        ) as error:
            raise SceneError(
                f"`{file}` is torn ({type(error).__name__}: {error}). {REMEDY}"
            ) from error
        values = self._checked(file, field, data, names)
        check_hash(file, self.hashes, data, names)
        return values

    def frames(self, count: int | None = None) -> Iterator[np.ndarray]:
        """The first `count` frames, or all, each `(x, y, ..., vector)`.

        The fields come in config order, in the precision that they are stored in;
        constant ones are read once.

        Raises:
            SceneError: A frame is missing, torn, of another shape or not finite.
        """
        fields = self.settings.data.fields
        constant = {
            field: self.read(field, 0)
            for field in fields
            if field in self.settings.model.physical.constant_fields
        }
        for frame in range(count or self.settings.data.trajectory_length):
            values = [
                constant[field] if field in constant else self.read(field, frame)
                for field in fields
            ]
            yield np.concatenate(values, axis=-1)

    def _frame_bytes(self, field: str) -> int:
        """Bytes of a frame in the largest type, so that its own is judged by name."""
        physical = self.settings.model.physical
        cells = math.prod(physical.resolution.values())
        return cells * (len(physical.fields[field]) or 1) * np.dtype(complex).itemsize

    def is_replaced(self) -> bool:
        """Whether another folder has taken its place since it was opened."""
        return self.identity is not None and _identity(self.path) != self.identity

    def _checked(
        self, file: Path, field: str, data: np.ndarray, names: tuple[str, ...]
    ) -> np.ndarray:
        resolution = self.settings.model.physical.resolution
        components = self.settings.model.physical.fields[field]
        expected = {**resolution, **({"vector": len(components)} if components else {})}
        precision = self.settings.data.precision
        if data.dtype != np.dtype(precision):
            raise SceneError(
                f"`{file}` is of type {data.dtype}; expected {precision}"
                f" (`data.precision`). {REMEDY}"
            )
        actual = dict(zip(names, data.shape, strict=False))
        if actual != expected:
            raise SceneError(
                f"`{file}` has the dims {actual}; expected {expected}. {REMEDY}"
            )
        if not np.isfinite(data).all():
            raise SceneError(f"`{file}` holds NaN or infinity. {REMEDY}")
        data = data.transpose([names.index(dim) for dim in expected])
        return data if components else data[..., None]


def _missing(file: Path, settings: Settings) -> str:
    return (
        f"`{file}` is missing; `data.trajectory_length` ="
        f" {settings.data.trajectory_length} frames are expected. {REMEDY}"
    )


def open_scene(settings: Settings, simulation: int) -> Scene:
    """Opens the scene of a simulation and checks that these settings made it.

    Raises:
        SceneError: There is none, it is another program's, or it was made with other
            settings.
    """
    path = scene_path(settings, simulation)
    identity = _identity(path)
    stored = whole_description(path)
    if stored is None:
        folder = Path(settings.data.data_dir)
        count = len(list(folder.glob("sim_*"))) if folder.is_dir() else 0
        raise SceneError(
            f"`{path}` doesn't exist: `data.data_dir` = `{folder}` holds"
            f" {count or 'no'} simulations. Run the task `generate` first"
            " (`general.tasks=[generate]`)."
        )
    hashes = stored.pop(HASHES, None)
    check_description(path, stored, settings, simulation)
    if not isinstance(hashes, dict):
        hashes = None
        _say_once(path.parent)
    return Scene(path, simulation, settings, hashes, identity)


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    # An inode's number is given again; the time of its last change is not.
    return status.st_dev, status.st_ino, status.st_ctime_ns


@cache
def _say_once(folder: Path) -> None:
    log.info(
        "Scenes in `%s` are of an earlier version and have no hashes of their frames;"
        " a frame that was exchanged for another is not noticed there",
        folder,
    )


def with_scene(
    settings: Settings, simulation: int, work: Callable[[Scene], Result]
) -> Result:
    """What `work` makes of a simulation's Scene, none of it of an older or newer one.

    Where another process replaces the Scene meanwhile, the work is done again.

    Raises:
        SceneError: The simulation is missing, torn, of other settings, or replaced
            again and again.
    """
    for _ in range(_ATTEMPTS):
        scene = open_scene(settings, simulation)
        try:
            result = work(scene)
        except SceneError:
            if scene.is_replaced():
                continue
            raise
        if not scene.is_replaced():
            return result
    raise SceneError(
        f"`{scene_path(settings, simulation)}` was replaced {_ATTEMPTS} times while it"
        " was read. Wait until the program that generates it has ended, and run again."
    )


def read_frames(
    settings: Settings, simulation: int, frames: int | None = None
) -> list[np.ndarray]:
    """The first `frames` frames of a simulation, or all, each `(x, y, ..., vector)`.

    In the precision that they are stored in; all of them of one Scene, even while
    another process replaces it.

    Raises:
        SceneError: The simulation is missing, torn or of other settings.
    """
    return with_scene(settings, simulation, lambda scene: [*scene.frames(frames)])


def read_trajectory(
    settings: Settings, simulation: int, frames: int | None = None
) -> np.ndarray:
    """The first `frames` frames of a simulation, or all, in `general.precision`.

    Returns:
        `(time, x, y, ..., vector)`.

    Raises:
        SceneError: The simulation is missing, torn or of other settings.
    """
    values = np.stack(read_frames(settings, simulation, frames))
    return values.astype(settings.general.precision, copy=False)
