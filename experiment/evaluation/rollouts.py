"""Task `evaluate`: roll out on unseen simulations, beside persistence."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiment.data import ChannelPlan, channel_plan, open_scene
from experiment.evaluation import metrics
from experiment.evaluation.recovered import RecoveredParameter
from experiment.settings import Settings
from experiment.system import UserError
from experiment.training import PHYSICAL, SYNTHETIC

log = logging.getLogger(__name__)

#: Rolls a state `(vector, x, y, ...)` out: `(steps + 1, vector, x, y, ...)`.
Forecast = Callable[[np.ndarray, int], np.ndarray]
PERSISTENCE = "persistence"


@dataclass(frozen=True)
class Rollout:
    """Forecasts of one simulation beside the truth, `(time, vector, x, y, ...)`."""

    simulation: int
    reference: np.ndarray
    forecasts: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        rollouts: One per test simulation.
        summary: One row per forecast: name, errors, correlation time.
        curves: One row per simulation, forecast and frame.
        spectra: One row per simulation, forecast and wave number, of the last frame.
        parameters: What a physical model learned of its PDE.
    """

    rollouts: Sequence[Rollout]
    summary: Sequence[Mapping[str, str | float]]
    curves: Sequence[Mapping[str, str | float]]
    spectra: Sequence[Mapping[str, str | float]]
    parameters: Sequence[RecoveredParameter]


def persistence(state: np.ndarray, steps: int) -> np.ndarray:
    """The forecast that nothing moves, `(steps + 1, vector, x, y, ...)`."""
    return np.broadcast_to(state, (steps + 1, *state.shape))


def read_trajectory(settings: Settings, simulation: int, frames: int) -> np.ndarray:
    """A simulation's first frames `(time, vector, x, y, ...)` in `general.precision`.

    Raises:
        SceneError: The simulation is missing, torn or of other settings.
    """
    scene = open_scene(settings, simulation)
    return np.stack(
        [
            np.concatenate([scene.read(field, t) for field in settings.data.fields])
            for t in range(frames)
        ]
    ).astype(settings.general.precision)


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
        parameters: What was learned of the PDE, for the record.

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
    """One forecast `(time, vector, x, y, ...)`, nan where it failed."""
    try:
        # A copy: a forecast that works in place would change the truth.
        values = forecast(reference[0].copy(), len(reference) - 1)
    except UserError as error:
        # The other forecasts are still worth measuring; this one counts as lost.
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
    if values.shape != reference.shape:
        raise ValueError(
            f"the forecast `{name}` is {values.shape}; expected the same as"
            f" the reference, {reference.shape} (time, vector, x, ...)"
        )
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
    moving = list(plan.dynamic)
    reference = rollout.reference[:, moving]
    rows = []
    for name, values in rollout.forecasts.items():
        moved = values[:, moving]
        columns: dict[str, np.ndarray] = {
            "nrmse": metrics.nrmse(moved, reference),
            "correlation": metrics.correlation(moved, reference),
            "energy": metrics.energy(moved),
            "energy_reference": metrics.energy(reference),
        }
        for field in plan.dynamic_fields:
            place = [plan.names.index(n) for n in plan.of_field(field)]
            columns[f"rmse_{field}"] = metrics.rmse(
                values[:, place], rollout.reference[:, place]
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


def _spectra(rollout: Rollout, plan: ChannelPlan) -> list[dict[str, str | float]]:
    moving = list(plan.dynamic)
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
        for waves, energy in enumerate(metrics.spectrum(values[-1, moving]))
    ]


def _summary(
    name: str, rollouts: Sequence[Rollout], plan: ChannelPlan, settings: Settings
) -> dict[str, str | float]:
    moving = list(plan.dynamic)
    dt = settings.model.physical.dt
    row: dict[str, str | float] = {"forecast": name}
    errors = [
        metrics.nrmse(r.forecasts[name][:, moving], r.reference[:, moving])
        for r in rollouts
    ]
    row["nrmse_mean"] = float(np.mean([e[1:].mean() for e in errors]))
    row["nrmse_first"] = float(np.mean([e[1] for e in errors]))
    row["nrmse_last"] = float(np.mean([e[-1] for e in errors]))
    for field in plan.dynamic_fields:
        place = [plan.names.index(n) for n in plan.of_field(field)]
        row[f"rmse_{field}"] = float(
            np.mean(
                [
                    metrics.rmse(r.forecasts[name][1:, place], r.reference[1:, place])
                    for r in rollouts
                ]
            )
        )
    times = [
        metrics.correlation_time(
            r.forecasts[name][:, moving], r.reference[:, moving], dt
        )
        for r in rollouts
    ]
    row["correlation_time"] = float(np.mean([time for time, _ in times]))
    # The time is a lower bound as soon as one roll-out never lost its correlation.
    row["correlation_time_is"] = "=" if all(met for _, met in times) else ">="
    return row
