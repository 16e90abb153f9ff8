"""NetCDF 4 files, as xarray and others read them, written whole or not at all."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiment.data.descriptions import PROGRAM, data_are_imported
from experiment.settings import Settings, to_dict
from experiment.system import (
    UserError,
    partial_path,
    remove_stale,
    sync_folder,
    versions,
)

if TYPE_CHECKING:
    import h5netcdf

#: The dim of the components of a vector field.
VECTOR = "vector"


def write_netcdf(path: Path, key: str, fill: Callable[["h5netcdf.File"], None]) -> None:
    """Writes a file by `fill`, in place of an earlier one of this program.

    Args:
        path: The file; folders above it are made.
        key: The setting that names it, for messages.
        fill: Puts dims, variables and attributes into the new file.

    Raises:
        UserError: Another program's file is there, or it can't be written.
    """
    # h5netcdf takes a while to import; other tasks don't wait for it.
    import h5netcdf

    check_ours(path, key)
    partial = partial_path(path)
    try:
        remove_stale(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5netcdf.File(partial, "w") as file:
            fill(file)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        # Again, as somebody may have put it there since the task began.
        check_ours(path, key)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"can't write `{key}` = `{path}`: {error.strerror or error}. Nothing"
            " was changed there; free some space or choose another folder, then run"
            " again."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def check_ours(path: Path, key: str) -> None:
    """Refuses a path where something is that this program didn't export.

    Raises:
        UserError: There is another program's file, or a folder.
    """
    if not path.exists():
        return
    import h5netcdf

    try:
        with h5netcdf.File(path, "r") as file:
            program = file.attrs.get("program")
    except (OSError, KeyError, ValueError):
        program = None
    if program != PROGRAM:
        raise UserError(
            f"`{key}` = `{path}` exists, and nothing says that this program made"
            " it; it is kept as it is. Choose another path, or move it away."
        )


def write_facts(file: "h5netcdf.File", settings: Settings, content: str) -> None:
    """The attributes that every file has: who made it, from what, and what is in it."""
    file.attrs["Conventions"] = "CF-1.11"
    file.attrs["title"] = f"{settings.general.experiment_name}: {content}"
    file.attrs["program"] = PROGRAM
    # As JSON, since an attribute holds no tables.
    file.attrs["settings"] = json.dumps(to_dict(settings))
    file.attrs["versions"] = json.dumps(versions())
    imported = data_are_imported(settings)
    file.attrs["source"] = "imported" if imported else "simulated"


def write_coordinates(
    file: "h5netcdf.File", settings: Settings, simulations: Sequence[int], frames: int
) -> None:
    """Dims and coordinates: numbers of simulations, times in s, cell centres in m."""
    equation = settings.model.physical
    coordinates: dict[str, tuple[np.ndarray, str]] = {
        "simulation": (np.array(simulations), ""),
        "time": (np.arange(frames) * equation.dt, "s"),
    }
    for axis in equation.axes:
        cells = np.arange(equation.resolution[axis])
        centres = (cells + 0.5) * equation.cell_sizes[axis]
        coordinates[axis] = (centres, "m")
    for name, (values, unit) in coordinates.items():
        file.dimensions[name] = len(values)
        written = file.create_variable(name, (name,), data=values)
        if unit:
            written.attrs["units"] = unit
    file["time"].attrs["long_name"] = "time since the initial state"
    write_labels(file, VECTOR, equation.axes)


def write_labels(file: "h5netcdf.File", dim: str, labels: Sequence[str]) -> None:
    """A dim whose coordinate is text."""
    import h5py

    file.dimensions[dim] = len(labels)
    values = np.array(labels, dtype=object)
    file.create_variable(dim, (dim,), dtype=h5py.string_dtype(), data=values)


def field_dims(settings: Settings, field: str) -> tuple[str, ...]:
    """Dims of a field of several simulations, as far as it has them.

    `simulation, time, x, y, ..., vector`.
    """
    equation = settings.model.physical
    time = () if field in equation.constant_fields else ("time",)
    last = (VECTOR,) if equation.fields[field] else ()
    return ("simulation", *time, *equation.axes, *last)


def describe(variable: Any, settings: Settings, name: str, words: str) -> None:
    """The unit of a field or parameter, as UDUNITS writes it, and what it is."""
    equation = settings.model.physical
    unit = equation.units[name].replace("rank", str(len(equation.axes)))
    variable.attrs["units"] = unit.replace("^1", "").replace("^", "")
    variable.attrs["long_name"] = words
