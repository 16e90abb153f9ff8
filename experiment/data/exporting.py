"""Task `export`: the simulations as one NetCDF file, as xarray and others read it."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiment.data.descriptions import data_are_imported
from experiment.data.netcdf import (
    check_ours,
    describe,
    field_dims,
    write_coordinates,
    write_facts,
    write_netcdf,
)
from experiment.data.scenes import Scene, open_scene
from experiment.settings import Settings
from experiment.system import Progress

if TYPE_CHECKING:
    import h5netcdf

log = logging.getLogger(__name__)


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
    check_ours(path, "data.export")
    data = settings.data
    scenes = [open_scene(settings, i) for i in range(data.num_simulations)]

    def fill(file: "h5netcdf.File") -> None:
        write_facts(file, settings, "simulations")
        simulations = range(data.num_simulations)
        write_coordinates(file, settings, simulations, data.trajectory_length)
        _write_parameters(file, settings)
        _write_fields(file, settings, scenes, progress)

    write_netcdf(path, "data.export", fill)
    log.info("exported %d simulations to `%s`", len(scenes), path)
    return path


def _write_parameters(file: "h5netcdf.File", settings: Settings) -> None:
    if data_are_imported(settings):
        return
    equation = settings.model.physical
    for name in equation.parameters:
        values = equation.true_parameter(name)
        dims = equation.axes[: values.ndim]
        written = file.create_variable(f"true_{name}", dims, data=values)
        describe(written, settings, name, f"{name} that the data are simulated with")


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
        dims = field_dims(settings, name)
        written[name] = file.create_variable(name, dims, dtype=dtype)
        describe(written[name], settings, name, name)
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
