"""Task `evaluate`: roll out on unseen simulations, beside persistence."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from experiment import _metrics as metrics
from experiment._channels import ChannelPlan
from experiment._check import channel_plan
from experiment._files import write_whole
from experiment._run_folder import csv_text
from experiment._scenes import open_scene
from experiment._settings import Settings

log = logging.getLogger(__name__)

#: Rolls a state `(vector, x, y, ...)` out: `(steps + 1, vector, x, y, ...)`.
Forecast = Callable[[np.ndarray, int], np.ndarray]
MODEL, PERSISTENCE = "model", "persistence"


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
    """

    rollouts: Sequence[Rollout]
    summary: Sequence[Mapping[str, str | float]]
    curves: Sequence[Mapping[str, str | float]]
    spectra: Sequence[Mapping[str, str | float]]


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


def evaluate(settings: Settings, forecast: Forecast) -> EvaluationResult:
    """Rolls `forecast` and persistence out on every test simulation and measures."""
    frames = settings.evaluation.num_frames
    rollouts = []
    for simulation in settings.evaluation.test_sim:
        reference = read_trajectory(settings, simulation, frames)
        forecasts = {
            MODEL: forecast(reference[0], frames - 1),
            PERSISTENCE: persistence(reference[0], frames - 1),
        }
        for name, values in forecasts.items():
            if values.shape != reference.shape:
                raise ValueError(
                    f"the forecast `{name}` is {values.shape}; expected the same as"
                    f" the reference, {reference.shape} (time, vector, x, ...)"
                )
        rollouts.append(Rollout(simulation, reference, forecasts))
    plan = channel_plan(settings)
    curves = [row for r in rollouts for row in _curves(r, plan, settings)]
    summary = [
        _summary(name, rollouts, plan, settings) for name in (MODEL, PERSISTENCE)
    ]
    spectra = [row for r in rollouts for row in _spectra(r, plan)]
    return EvaluationResult(rollouts, summary, curves, spectra)


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


def write_evaluation(result: EvaluationResult, folder: Path) -> None:
    """Writes `curves.csv`, `spectra.csv`, `summary.csv` and `summary.json`."""
    write_whole(folder / "curves.csv", csv_text(result.curves))
    write_whole(folder / "spectra.csv", csv_text(result.spectra))
    write_whole(folder / "summary.csv", csv_text(result.summary))
    write_whole(
        folder / "summary.json", json.dumps(list(result.summary), indent=2) + "\n"
    )


def summary_table(result: EvaluationResult, settings: Settings) -> Table:
    """The summary as a table that fits 80 columns."""
    frames = settings.evaluation.num_frames - 1
    sims = ", ".join(str(i) for i in settings.evaluation.test_sim)
    table = Table(title=f"{frames} steps from frame 0 of simulation {sims}")
    table.add_column("forecast")
    for heading in ("nRMSE step 1", "mean", "last"):
        table.add_column(heading, justify="right")
    fields = settings.data.fields_scheme.dynamic
    for field in fields:
        table.add_column(f"RMSE {field}", justify="right")
    table.add_column("corr. > 0.8 for", justify="right")
    for row in result.summary:
        at_least = "" if row["correlation_time_is"] == "=" else ">= "
        table.add_row(
            str(row["forecast"]),
            *(f"{row[k]:.4f}" for k in ("nrmse_first", "nrmse_mean", "nrmse_last")),
            *(f"{row[f'rmse_{field}']:.4g}" for field in fields),
            f"{at_least}{row['correlation_time']:.2f} s",
        )
    return table
