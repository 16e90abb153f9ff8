"""An evaluation as one NetCDF file: forecasts, truth and recovered parameters."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiment.data import (
    VECTOR,
    channel_plan,
    check_ours,
    describe,
    field_dims,
    reference_text,
    write_coordinates,
    write_facts,
    write_labels,
    write_netcdf,
)
from experiment.evaluation.recovered import RecoveredParameter
from experiment.evaluation.rollouts import (
    PERSISTENCE,
    EvaluationResult,
    Rollout,
    take_channels,
)
from experiment.settings import COMPONENTS, Settings
from experiment.training import PHYSICAL

if TYPE_CHECKING:
    import h5netcdf

log = logging.getLogger(__name__)

#: The dim of the models that forecast.
_FORECAST = "forecast"
_KEY = "evaluation.export"
#: Variables of a parameter, by what `RecoveredParameter.arrays` calls them.
_SIDES = {
    "truth": ("true", "{} that the data were simulated with"),
    "guess": ("guess", "{} before learning"),
    "found": ("found", "{} that the physical model learned"),
    "deviation": ("deviation", "standard deviation of the learned {}"),
    "informed": ("informed", "share of the prior's variance of {} that data take away"),
}


def check_export(settings: Settings) -> None:
    """Refuses, before any work, what `export_evaluation` would refuse after it.

    Raises:
        UserError: At `evaluation.export` is another program's file, or a folder.
    """
    if settings.evaluation.export is not None:
        check_ours(Path(settings.evaluation.export), _KEY)


def export_evaluation(
    result: EvaluationResult,
    settings: Settings,
    *,
    run: str,
    steps: Mapping[str, int],
) -> Path:
    """Writes an evaluation to `evaluation.export`, whole or not at all.

    Every number is bitwise the one that was evaluated. Variables: each dynamic field as
    it was forecast, `forecast, simulation, time, x, y, ..., vector` as far as it has
    these dims; `reference_<field>` for all fields of the data, without `forecast`;
    `found_`, `guess_` and, where they are known, `true_`, `deviation_` and
    `informed_<parameter>` over the axes that the parameter varies along.

    Args:
        result: What was evaluated.
        settings: The settings that it was evaluated by.
        run: Name of the run folder.
        steps: Optimiser steps, or iterations of L-BFGS-B, by the forecasts' names.

    Raises:
        UserError: Another program's file is there, or it can't be written.
    """
    assert settings.evaluation.export is not None
    path = Path(settings.evaluation.export)
    # Persistence is frame 0 of the reference, again and again.
    names = [name for name in result.rollouts[0].forecasts if name != PERSISTENCE]

    def fill(file: "h5netcdf.File") -> None:
        write_facts(file, settings, "forecasts and recovered parameters")
        _write_run(file, settings, run, steps)
        simulations = [rollout.simulation for rollout in result.rollouts]
        frames = len(result.rollouts[0].reference)
        write_coordinates(file, settings, simulations, frames)
        write_labels(file, _FORECAST, names)
        file[_FORECAST].attrs["long_name"] = "model that made the forecast"
        _write_fields(file, settings, result.rollouts, names)
        for parameter in result.parameters:
            _write_parameter(file, settings, parameter)

    write_netcdf(path, _KEY, fill)
    log.info("exported forecasts by %s to `%s`", " and ".join(names), path)
    return path


def _write_run(
    file: "h5netcdf.File", settings: Settings, run: str, steps: Mapping[str, int]
) -> None:
    general = settings.general
    sides = {s.name: getattr(settings.migration, s.name) for s in COMPONENTS}
    file.attrs["run"] = run
    file.attrs["mode"] = general.mode
    file.attrs["seed"] = general.seed
    file.attrs["migration"] = ", ".join(f"{name}={s}" for name, s in sides.items())
    file.attrs["checkpoint"] = settings.evaluation.checkpoint
    file.attrs["steps"] = json.dumps(dict(steps))
    file.attrs["data_by"] = reference_text(settings)


def _write_fields(
    file: "h5netcdf.File",
    settings: Settings,
    rollouts: Sequence[Rollout],
    names: Sequence[str],
) -> None:
    plan = channel_plan(settings)
    # The widest, so that no forecast loses a bit.
    kept = [rollout.forecasts[name] for rollout in rollouts for name in names]
    dtype, reference_dtype = np.result_type(*kept), rollouts[0].reference.dtype
    for field in settings.data.fields:
        dims = field_dims(settings, field)
        channels = [plan.names.index(name) for name in plan.of_field(field)]

        def of_field(
            values: np.ndarray,
            channels: Sequence[int] = channels,
            dims: Sequence[str] = dims,
        ) -> np.ndarray:
            values = take_channels(values, channels)
            values = values if VECTOR in dims else values[..., 0]
            return values if "time" in dims else values[0]

        truth = file.create_variable(f"reference_{field}", dims, dtype=reference_dtype)
        describe(truth, settings, field, f"{field} of the data")
        for number, rollout in enumerate(rollouts):
            truth[number] = of_field(rollout.reference)
        if field not in plan.dynamic_fields:
            continue
        forecast = file.create_variable(field, (_FORECAST, *dims), dtype=dtype)
        describe(forecast, settings, field, f"{field} that the models forecast")
        for model, name in enumerate(names):
            for number, rollout in enumerate(rollouts):
                forecast[model, number] = of_field(rollout.forecasts[name])


def _write_parameter(
    file: "h5netcdf.File", settings: Settings, parameter: RecoveredParameter
) -> None:
    sizes = settings.model.physical.resolution
    for side, values in parameter.arrays.items():
        prefix, words = _SIDES[side]
        # It has size 1 along an axis that it doesn't vary along.
        pairs = zip(sizes.items(), values.shape, strict=False)
        kept = {axis: cells for (axis, cells), size in pairs if size == cells}
        own = np.ascontiguousarray(values).reshape(tuple(kept.values()))
        dims = tuple(kept)
        written = file.create_variable(f"{prefix}_{parameter.name}", dims, data=own)
        describe(written, settings, parameter.name, words.format(parameter.name))
        if side == "informed":
            written.attrs["units"] = "1"
        if side not in ("truth", "guess"):
            written.attrs["model"] = PHYSICAL
