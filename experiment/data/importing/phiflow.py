"""Scenes of other PhiFlow code: a folder a simulation, an npz a field and frame."""

import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiment.data.importing.source import Source
from experiment.system import SceneError, read_json, read_npz

_FILE = re.compile(r"(.+)_(\d{6,})\.npz")


#: What is read of a frame besides its values, and bytes that each may take.
_SMALL = dict.fromkeys(
    (
        *("field_type", "dim_names", "dim_types"),
        *("lower", "upper", "bounds_item_names"),
    ),
    4096,
)


class PhiFlowSource(Source):
    """Scenes below a folder, in the order of their names, or one Scene.

    Only plain arrays are read, nothing is unpickled; so the extrapolation, which
    PhiFlow pickles, stays unknown.

    Args:
        path: The folder.
        largest: Bytes that a frame may take.
    """

    layout = "PhiFlow Scenes"

    def __init__(self, path: Path, largest: int) -> None:
        super().__init__(path)
        self._largest = largest
        below = sorted(p for p in path.glob("sim_*") if p.is_dir())
        self._scenes = below or [path]
        self._frames = [_frames(scene) for scene in self._scenes]
        self._domain: dict[str, float] | None = None

    @property
    def fields(self) -> Sequence[str]:
        """See `Source.fields`."""
        return tuple(dict.fromkeys(f for frames in self._frames for f in frames))

    def simulations(self, field: str) -> int:
        """See `Source.simulations`."""
        for scene, frames in zip(self._scenes, self._frames, strict=True):
            if field not in frames:
                raise SceneError(f"`{scene}` holds no `{field}`.")
        return len(self._scenes)

    def read(self, field: str, simulation: int) -> np.ndarray:
        """See `Source.read`."""
        numbers = self._frames[simulation][field]
        steps = np.diff(numbers)
        if len(set(steps)) > 1:
            # The usual distance is right, so the first other one is a gap.
            usual = int(np.median(steps))
            place = int(np.flatnonzero(steps != usual)[0])
            raise SceneError(
                f"`{self._scenes[simulation]}` holds the frames {numbers[place]} and"
                f" {numbers[place + 1]} of `{field}` with others {usual} apart;"
                " expected the same distance between all frames."
            )
        scene = self._scenes[simulation]
        files = [scene / f"{field}_{number:06d}.npz" for number in numbers]
        return np.stack([self._frame(file) for file in files])

    def files(self, fields: Sequence[str], simulations: int) -> Sequence[Path]:
        """See `Source.files`."""
        return [
            scene / f"{field}_{number:06d}.npz"
            for scene, frames in zip(
                self._scenes[:simulations], self._frames, strict=False
            )
            for field in fields
            for number in frames[field]
        ]

    @property
    def domain(self) -> Mapping[str, float] | None:
        """See `Source.domain`; that of the first frame."""
        if self._domain is None:
            field, numbers = next(iter(self._frames[0].items()))
            self._frame(self._scenes[0] / f"{field}_{numbers[0]:06d}.npz")
        return self._domain

    @property
    def dt(self) -> float | None:
        """See `Source.dt`; where a Scene has a property of that name."""
        try:
            properties = read_json(self._scenes[0] / "description.json")
        except (OSError, ValueError):
            return None
        dt = properties.get("dt") if isinstance(properties, dict) else None
        return float(dt) if isinstance(dt, (int, float)) else None

    def _frame(self, file: Path) -> np.ndarray:
        """A frame `(x, y, ..., vector)`."""
        try:
            content = read_npz(file, {"data": self._largest, **_SMALL})
            data, kind = content["data"], str(content["field_type"])
            names = [str(name) for name in content["dim_names"]]
            types = [str(name) for name in content["dim_types"]]
            lower, upper = content["lower"], content["upper"]
            axes = [str(name) for name in content["bounds_item_names"]]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise SceneError(f"`{file}` is no frame of PhiFlow: {error}.") from error
        except (zipfile.BadZipFile, zlib.error) as error:
            raise SceneError(f"`{file}` is torn: {error}.") from error
        if kind != "CenteredGrid":
            raise SceneError(
                f"`{file}` is a {kind}; expected a CenteredGrid. Write it at the cells'"
                " centres (`field.at_centers()`) and import that."
            )
        others = {*types} - {"spatial", "channel"}
        if others or types.count("channel") > 1 or len(names) != data.ndim:
            raise SceneError(
                f"`{file}` has the dims {', '.join(names)} ({', '.join(types)});"
                " expected spatial ones and at most one of channels."
            )
        spatial = sorted(n for n, t in zip(names, types, strict=True) if t == "spatial")
        sizes = np.broadcast_to(upper - lower, len(spatial))
        box = dict(zip(axes, map(float, sizes), strict=False))
        self._domain = {axis: box.get(axis, float("nan")) for axis in spatial}
        order = [*spatial, *(n for n in names if n not in spatial)]
        return data.transpose([names.index(name) for name in order])


def _frames(scene: Path) -> dict[str, list[int]]:
    """Numbers of the frames of every field of a Scene, in order."""
    found: dict[str, list[int]] = {}
    for file in sorted(scene.iterdir()):
        match = _FILE.fullmatch(file.name)
        if match:
            found.setdefault(match[1], []).append(int(match[2]))
    return {field: sorted(numbers) for field, numbers in found.items()}
