"""Task `evaluate`: forecasts of unseen simulations, compared with the truth."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiment.data import ChannelPlan, as_slice, channel_plan, read_trajectory
from experiment.evaluation import metrics
from experiment.evaluation.recovered import RecoveredParameter
from experiment.settings import Settings
from experiment.system import UserError
from experiment.training import PHYSICAL, SYNTHETIC

log = logging.getLogger(__name__)

#: Rolls states `(simulation, x, y, ..., vector)` out to a number of frames, the initial
#: one included: `(simulation, time, x, y, ..., vector)`.
Forecast = Callable[[np.ndarray, int], np.ndarray]
PERSISTENCE = "persistence"
#: Errors of all dynamic channels in three conventions, by their names in tables.
_ERRORS = {
    "nrmse": metrics.nrmse,
    "nrmse_channels": metrics.nrmse_channels,
    "vrmse": metrics.vrmse,
}


@dataclass(frozen=True)
class Rollout:
    """Forecasts of one simulation and the truth, `(time, x, y, ..., vector)`."""

    simulation: int
    reference: np.ndarray
    forecasts: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class EvaluationResult:
    """The results of an evaluation.

    Attributes:
        rollouts: One per test simulation.
        summary: One row per forecast: name, errors (`nrmse`, `nrmse_channels` as in
            APEBench, `vrmse` as in The Well; see `metrics`), correlation time.
        curves: One row per simulation, forecast and frame.
        spectra: One row per simulation, forecast and wave number, of the last frame.
        parameters: The learned parameters of the PDE.
    """

    rollouts: Sequence[Rollout]
    summary: Sequence[Mapping[str, str | float]]
    curves: Sequence[Mapping[str, str | float]]
    spectra: Sequence[Mapping[str, str | float]]
    parameters: Sequence[RecoveredParameter]


def persistence(states: np.ndarray, frames: int) -> np.ndarray:
    """The forecast that nothing changes."""
    shape = (len(states), frames, *states.shape[1:])
    return np.broadcast_to(states[:, None], shape)


def evaluate(
    settings: Settings,
    forecasts: Mapping[str, Forecast],
    parameters: Sequence[RecoveredParameter] = (),
) -> EvaluationResult:
    """Rolls all forecasts and persistence out on every test simulation and measures.

    A forecast that fails or diverges is kept: its errors are nan or inf from the first
    bad frame on, and a warning says which forecast, simulation and frame.

    Args:
        settings: The settings of the run.
        forecasts: By `SYNTHETIC` or `PHYSICAL`; persistence is added last.
        parameters: The learned parameters of the PDE, which are part of the result.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
        ValueError: A name is unknown or given twice, or a forecast has another shape.
    """
    _check_names(forecasts, parameters)
    frames = settings.evaluation.num_frames
    rollouts = []
    for simulation in settings.evaluation.test_sim:
        reference = read_trajectory(settings, simulation, frames)
        shown = {
            name: _roll_out(name, forecast, simulation, reference)
            for name, forecast in {**forecasts, PERSISTENCE: persistence}.items()
        }
        rollouts.append(Rollout(simulation, reference, shown))
    plan = channel_plan(settings)
    # A forecast that diverged was warned about; NumPy need not repeat it per frame.
    with np.errstate(over="ignore", invalid="ignore"):
        curves = [row for r in rollouts for row in _curves(r, plan, settings)]
        summary = [
            _summary(name, rollouts, plan, settings) for name in rollouts[0].forecasts
        ]
        spectra = [row for r in rollouts for row in _spectra(r, plan)]
    return EvaluationResult(rollouts, summary, curves, spectra, tuple(parameters))


def _check_names(
    forecasts: Mapping[str, Forecast], parameters: Sequence[RecoveredParameter]
) -> None:
    if not forecasts or not set(forecasts) <= {SYNTHETIC, PHYSICAL}:
        raise ValueError(
            f"`forecasts` has the names {list(forecasts)}; expected {SYNTHETIC},"
            f" {PHYSICAL} or both"
        )
    names = [parameter.name for parameter in parameters]
    if len(set(names)) < len(names):
        raise ValueError(f"`parameters` has the names {names}; expected each once")


def _roll_out(
    name: str, forecast: Forecast, simulation: int, reference: np.ndarray
) -> np.ndarray:
    """One forecast `(time, x, y, ..., vector)`, nan where it failed."""
    try:
        # A copy: a forecast that works in place would change the truth.
        values = forecast(reference[:1].copy(), len(reference))
    except UserError as error:
        # The other forecasts are still measured; the errors of this one are nan.
        log.warning(
            "the forecast `%s` of simulation %d failed, its errors are nan from frame"
            " 1 on: %s",
            name,
            simulation,
            error,
        )
        values = np.full_like(reference, np.nan)
        values[0] = reference[0]
        return values
    if values.shape != (1, *reference.shape):
        raise ValueError(
            f"the forecast `{name}` is {values.shape}; expected the same as the"
            f" reference, {(1, *reference.shape)} (simulation, time, x, ..., vector)"
        )
    values = values[0]
    bad = first_bad_frame(values)
    if bad is not None:
        log.warning(
            "the forecast `%s` of simulation %d is not finite at frame %d of %d; its"
            " errors there and their means are nan or inf",
            name,
            simulation,
            bad,
            len(values) - 1,
        )
    return values


def first_bad_frame(values: np.ndarray) -> int | None:
    """The first frame of `(time, ...)` with a value that isn't finite; None if none."""
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
    return int(bad[0]) if bad.size else None


def _curves(
    rollout: Rollout, plan: ChannelPlan, settings: Settings
) -> list[dict[str, str | float]]:
    reference = take_channels(rollout.reference, plan.dynamic)
    rows = []
    for name, values in rollout.forecasts.items():
        predicted = take_channels(values, plan.dynamic)
        columns: dict[str, np.ndarray] = {
            **{name: error(predicted, reference) for name, error in _ERRORS.items()},
            "correlation": metrics.correlation(predicted, reference),
            "energy": metrics.energy(predicted),
            "energy_reference": metrics.energy(reference),
        }
        for field in plan.dynamic_fields:
            columns[f"rmse_{field}"] = metrics.rmse(
                *_of_field(field, plan, values, rollout.reference)
            )
        for t in range(len(reference)):
            rows.append(
                {
                    "simulation": rollout.simulation,
                    "forecast": name,
                    "frame": t,
                    "time": t * settings.model.physical.dt,
                    **{key: float(column[t]) for key, column in columns.items()},
                }
            )
    return rows


def take_channels(values: np.ndarray, channels: Sequence[int]) -> np.ndarray:
    """Channels of `(..., vector)` by their positions; a view where that is possible."""
    positions = as_slice(tuple(channels))
    # NumPy would put an axis that is indexed by a list first in memory.
    if positions is not None:
        return values[..., positions]
    return np.take(values, channels, -1)


def _of_field(
    field: str, plan: ChannelPlan, *trajectories: np.ndarray
) -> list[np.ndarray]:
    channels = [plan.names.index(name) for name in plan.of_field(field)]
    return [take_channels(values, channels) for values in trajectories]


def _spectra(rollout: Rollout, plan: ChannelPlan) -> list[dict[str, str | float]]:
    sides = {"reference": rollout.reference, **rollout.forecasts}
    return [
        {
            "simulation": rollout.simulation,
            "forecast": name,
            "frame": len(values) - 1,
            "waves": waves,
            "energy": float(energy),
        }
        for name, values in sides.items()
        for waves, energy in enumerate(
            metrics.spectrum(take_channels(values[-1], plan.dynamic))
        )
    ]


def _summary(
    name: str, rollouts: Sequence[Rollout], plan: ChannelPlan, settings: Settings
) -> dict[str, str | float]:
    dt = settings.model.physical.dt
    row: dict[str, str | float] = {"forecast": name}
    pairs = [
        (
            take_channels(rollout.forecasts[name], plan.dynamic),
            take_channels(rollout.reference, plan.dynamic),
        )
        for rollout in rollouts
    ]
    for error, measure in _ERRORS.items():
        errors = [measure(*pair) for pair in pairs]
        row[f"{error}_mean"] = float(np.mean([e[1:].mean() for e in errors]))
        row[f"{error}_first"] = float(np.mean([e[1] for e in errors]))
        row[f"{error}_last"] = float(np.mean([e[-1] for e in errors]))
    for field in plan.dynamic_fields:
        errors = [
            metrics.rmse(*_of_field(field, plan, r.forecasts[name], r.reference))[1:]
            for r in rollouts
        ]
        row[f"rmse_{field}"] = float(np.mean(errors))
    times = [metrics.correlation_time(*pair, dt) for pair in pairs]
    row["correlation_time"] = float(np.mean([time for time, _ in times]))
    # The time is a lower bound as soon as one roll-out never lost its correlation.
    row["correlation_time_is"] = "=" if all(met for _, met in times) else ">="
    return row
