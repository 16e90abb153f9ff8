"""Task `export`: the simulations as one NetCDF file, as xarray and others read it."""

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiment.data.descriptions import PROGRAM, data_are_imported
from experiment.data.scenes import Scene, open_scene
from experiment.settings import Settings, to_dict
from experiment.system import (
    Progress,
    UserError,
    partial_path,
    remove_stale,
    sync_folder,
    versions,
)

if TYPE_CHECKING:
    import h5netcdf

log = logging.getLogger(__name__)

#: The dim of the components of a vector field.
_VECTOR = "vector"


def export_data(settings: Settings, progress: Progress) -> Path:
    """Writes all simulations to `data.export`, whole or not at all.

    A variable a field with the dims `simulation, time, x, y, ..., vector`, as far as it
    has them, in the precision that it is stored in; the true parameters of the PDE with
    `true_` before their names, if they are known; coordinates and units; as attributes
    the settings and versions. One frame at a time is in memory.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
        UserError: Another program's file is there, or it can't be written.
    """
    assert settings.data.export is not None
    path = Path(settings.data.export)
    check_ours(path)
    scenes = [open_scene(settings, i) for i in range(settings.data.num_simulations)]
    # h5netcdf takes a while to import; other tasks don't wait for it.
    import h5netcdf

    remove_stale(path.parent)
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5netcdf.File(partial, "w") as file:
            _write_attributes(file, settings)
            _write_coordinates(file, settings)
            _write_parameters(file, settings)
            _write_fields(file, settings, scenes, progress)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        # Again, as somebody may have put it there since the task began.
        check_ours(path)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"can't write `data.export` = `{path}`: {error.strerror or error}. Nothing"
            " was changed there; free some space or choose another folder, then run"
            " again."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    log.info("exported %d simulations to `%s`", len(scenes), path)
    return path


def check_ours(path: Path) -> None:
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
            f"`data.export` = `{path}` exists, and nothing says that this program made"
            " it; it is kept as it is. Choose another path, or move it away."
        )


def _write_attributes(file: "h5netcdf.File", settings: Settings) -> None:
    file.attrs["Conventions"] = "CF-1.11"
    file.attrs["title"] = f"{settings.general.experiment_name}: simulations"
    file.attrs["program"] = PROGRAM
    # As JSON, since an attribute holds no tables.
    file.attrs["settings"] = json.dumps(to_dict(settings))
    file.attrs["versions"] = json.dumps(versions())
    imported = data_are_imported(settings)
    file.attrs["source"] = "imported" if imported else "simulated"


def _write_coordinates(file: "h5netcdf.File", settings: Settings) -> None:
    import h5py

    equation, data = settings.model.physical, settings.data
    frames = np.arange(data.trajectory_length)
    coordinates: dict[str, tuple[np.ndarray, str]] = {
        "simulation": (np.arange(data.num_simulations), ""),
        "time": (frames * equation.dt, "s"),
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
    file.dimensions[_VECTOR] = len(equation.axes)
    labels = np.array(equation.axes, dtype=object)
    text = h5py.string_dtype()
    file.create_variable(_VECTOR, (_VECTOR,), dtype=text, data=labels)


def _write_parameters(file: "h5netcdf.File", settings: Settings) -> None:
    if data_are_imported(settings):
        return
    equation = settings.model.physical
    for name in equation.parameters:
        values = equation.true_parameter(name)
        dims = equation.axes[: values.ndim]
        written = file.create_variable(f"true_{name}", dims, data=values)
        _describe(written, settings, name, f"{name} that the data are simulated with")


def _write_fields(
    file: "h5netcdf.File",
    settings: Settings,
    scenes: list[Scene],
    progress: Progress,
) -> None:
    equation, data = settings.model.physical, settings.data
    dtype = np.dtype(data.precision)
    written: dict[str, Any] = {}
    for name in data.fields:
        time = () if name in equation.constant_fields else ("time",)
        last = (_VECTOR,) if equation.fields[name] else ()
        dims = ("simulation", *time, *equation.axes, *last)
        written[name] = file.create_variable(name, dims, dtype=dtype)
        _describe(written[name], settings, name, name)
    frames = data.trajectory_length
    with progress.bar("export", len(scenes) * frames, "frames") as bar:
        for scene in scenes:
            for frame in range(frames):
                for name in data.fields:
                    constant = name in equation.constant_fields
                    if constant and frame:
                        continue
                    values = scene.read(name, frame)
                    if not equation.fields[name]:
                        values = values[..., 0]
                    place = (
                        (scene.simulation,) if constant else (scene.simulation, frame)
                    )
                    written[name][place] = values
                bar.step(simulation=scene.simulation, frame=frame)


def _describe(variable: Any, settings: Settings, name: str, words: str) -> None:
    equation = settings.model.physical
    unit = equation.units[name].replace("rank", str(len(equation.axes)))
    # As UDUNITS writes powers.
    variable.attrs["units"] = unit.replace("^1", "").replace("^", "")
    variable.attrs["long_name"] = words
