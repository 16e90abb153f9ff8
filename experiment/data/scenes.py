"""Simulations on disk: PhiFlow `Scene` folders and their descriptions.

A scene `sim_000003/` holds `velocity_000000.npz`, `velocity_000001.npz`, ... (a frame
each; a field that never changes has frame 0 only) and `description.json`. Reading
takes NumPy alone and never unpickles.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiment.data.descriptions import (
    check_description,
    scene_description,
    scene_path,
    stored_description,
)
from experiment.settings import Settings
from experiment.system import SceneError


@dataclass(frozen=True)
class Scene:
    """A simulation on disk, checked to be made with `settings`."""

    path: Path
    simulation: int
    settings: Settings

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
            # np.load leaves a torn file open if it opens it itself.
            with file.open("rb") as raw, np.load(raw, allow_pickle=False) as content:
                data = content["data"]
                names = tuple(str(n) for n in content["dim_names"])
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
                f"`{file}` is torn ({type(error).__name__}: {error}). {_REMEDY}"
            ) from error
        return self._checked(file, field, data, names)

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

    def _checked(
        self, file: Path, field: str, data: np.ndarray, names: tuple[str, ...]
    ) -> np.ndarray:
        resolution = self.settings.model.physical.resolution
        components = self.settings.model.physical.fields[field]
        expected = {**resolution, **({"vector": len(components)} if components else {})}
        actual = dict(zip(names, data.shape, strict=False))
        if actual != expected:
            raise SceneError(
                f"`{file}` has the dims {actual}; expected {expected}. {_REMEDY}"
            )
        if not np.isfinite(data).all():
            raise SceneError(f"`{file}` holds NaN or infinity. {_REMEDY}")
        data = data.transpose([names.index(dim) for dim in expected])
        return data if components else data[..., None]


_REMEDY = (
    "Restore the file, or remove the simulation's folder and run the task `generate`."
)


def _missing(file: Path, settings: Settings) -> str:
    return (
        f"`{file}` is missing; `data.trajectory_length` ="
        f" {settings.data.trajectory_length} frames are expected. {_REMEDY}"
    )


def open_scene(settings: Settings, simulation: int) -> Scene:
    """Opens the scene of a simulation and checks that these settings made it.

    Raises:
        SceneError: There is none, it is another program's, or it was made with other
            settings.
    """
    path = scene_path(settings, simulation)
    stored = stored_description(path)
    if stored is None:
        folder = Path(settings.data.data_dir)
        count = len(list(folder.glob("sim_*"))) if folder.is_dir() else 0
        raise SceneError(
            f"`{path}` doesn't exist: `data.data_dir` = `{folder}` holds"
            f" {count or 'no'} simulations. Run the task `generate` first"
            " (`general.tasks=[generate]`)."
        )
    check_description(path, stored, settings, simulation)
    return Scene(path, simulation, settings)


def read_trajectory(
    settings: Settings, simulation: int, frames: int | None = None
) -> np.ndarray:
    """The first `frames` frames of a simulation, or all, in `general.precision`.

    Returns:
        `(time, x, y, ..., vector)`.

    Raises:
        SceneError: The simulation is missing, torn or of other settings.
    """
    scene = open_scene(settings, simulation)
    values = np.stack(list(scene.frames(frames)))
    return values.astype(settings.general.precision, copy=False)
