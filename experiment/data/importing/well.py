"""HDF5 files in the layout of The Well.

See https://github.com/PolymathicAI/the_well, `docs/data_format.md` (Ohana et al. 2024,
arXiv:2412.00568): `t0_fields` holds scalars `(trajectory, time, x, y, ...)`,
`t1_fields` vectors with a last axis of components; an axis that a field doesn't vary
along is left out, as its attributes `sample_varying`, `time_varying` and `dim_varying`
say. `dimensions` holds `time` and the cells' positions, `boundary_conditions` kinds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from experiment.data.importing.source import Source
from experiment.system import SceneError

ENDINGS = (".hdf5", ".h5")
_GROUPS = ("t0_fields", "t1_fields")


class WellSource(Source):
    """One file, or all files of a folder in the order of their names."""

    layout = "HDF5 in the layout of The Well"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        files = [path] if path.is_file() else sorted(path.iterdir())
        self._paths = [f for f in files if f.suffix in ENDINGS]
        self._files = [_opened(file) for file in self._paths]
        self._counts = [int(f.attrs["n_trajectories"]) for f in self._files]
        first = self._files[0]
        self._axes = [str(a) for a in first["dimensions"].attrs["spatial_dims"]]

    @property
    def fields(self) -> Sequence[str]:
        """See `Source.fields`."""
        groups = [self._files[0].get(group, {}) for group in _GROUPS]
        return tuple(name for group in groups for name in group)

    def simulations(self, field: str) -> int:
        """See `Source.simulations`."""
        return sum(self._counts)

    def read(self, field: str, simulation: int) -> np.ndarray:
        """See `Source.read`."""
        number = 0
        while simulation >= self._counts[number]:
            simulation -= self._counts[number]
            number += 1
        file = self._files[number]
        rank = next((i for i, g in enumerate(_GROUPS) if field in file.get(g, {})), 0)
        data: Any = file.get(f"{_GROUPS[rank]}/{field}")
        if data is None:
            raise SceneError(f"`{self._paths[number]}` holds no `{field}`.")
        sample, time = (
            bool(data.attrs.get(key, True))
            for key in ("sample_varying", "time_varying")
        )
        varying = np.atleast_1d(data.attrs.get("dim_varying", [True] * len(self._axes)))
        expected = sample + time + int(np.sum(varying)) + rank
        if data.ndim != expected:
            raise SceneError(
                f"`{_GROUPS[rank]}/{field}` in `{self._paths[number]}` has the shape"
                f" {data.shape}; expected {expected} axes by its attributes"
                " sample_varying, time_varying and dim_varying."
            )
        values = data[simulation] if sample else data[()]
        values = values if time else values[None]
        for axis in np.flatnonzero(~varying.astype(bool)):
            values = np.expand_dims(values, int(axis) + 1)
        sizes = [len(file[f"dimensions/{axis}"]) for axis in self._axes]
        return np.broadcast_to(
            values, (len(values), *sizes, *values.shape[len(sizes) + 1 :])
        )

    def files(self, fields: Sequence[str], simulations: int) -> Sequence[Path]:
        """See `Source.files`."""
        return self._paths

    @property
    def domain(self) -> Mapping[str, float] | None:
        """See `Source.domain`: cells of equal size around the stored positions."""
        sizes = {}
        for axis in self._axes:
            places = self._positions(axis)
            sizes[axis] = len(places) * _step(places, self._paths[0], axis)
        return sizes

    @property
    def dt(self) -> float | None:
        """See `Source.dt`."""
        return _step(self._positions("time"), self._paths[0], "time")

    @property
    def boundaries(self) -> Sequence[str]:
        """See `Source.boundaries`."""
        group = self._files[0].get("boundary_conditions", {})
        kinds = (group[name].attrs.get("bc_type", "unknown") for name in group)
        return tuple(str(kind).lower() for kind in kinds)

    def _positions(self, axis: str) -> np.ndarray:
        data: Any = self._files[0][f"dimensions/{axis}"]
        # Those of the first trajectory, where each has its own.
        return np.asarray(data[0] if data.ndim > 1 else data[()], np.float64)


def _opened(path: Path) -> Any:
    try:
        file: Any = h5py.File(path, "r")
    except OSError as error:
        raise SceneError(f"`{path}` can't be read as HDF5: {error}.") from error
    missing = [g for g in ("dimensions",) if g not in file]
    missing += [a for a in ("n_trajectories",) if a not in file.attrs]
    if missing or not any(group in file for group in _GROUPS):
        raise SceneError(
            f"`{path}` isn't in the layout of The Well: expected the attribute"
            " n_trajectories and the groups dimensions, t0_fields and t1_fields; it"
            f" holds {', '.join([*file, *file.attrs]) or 'nothing'}."
        )
    grid = str(file.attrs.get("grid_type", "cartesian"))
    if grid != "cartesian":
        raise SceneError(f"`{path}` has a {grid} grid; expected a cartesian one.")
    return file


def _step(places: np.ndarray, path: Path, name: str) -> float:
    """The distance of places, which must be the same everywhere."""
    steps = np.diff(places)
    step = float(steps.mean()) if steps.size else 0.0
    if step <= 0 or not np.allclose(steps, step, rtol=1e-3, atol=0):
        raise SceneError(
            f"`dimensions/{name}` in `{path}` has steps between"
            f" {steps.min(initial=0):.4g} and {steps.max(initial=0):.4g}; expected"
            " equal ones."
        )
    return step
