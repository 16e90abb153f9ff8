"""Models that were trained alone and together, compared over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from experiment.data import reference_text
from experiment.evaluation.recovered import RecoveredParameter
from experiment.evaluation.rollouts import PERSISTENCE, EvaluationResult
from experiment.settings import Settings
from experiment.system import csv_text, save_arrays, write_whole
from experiment.training import PHYSICAL, SYNTHETIC

#: Names of what is compared, in order, by what was trained and by the model.
NAMES = {
    (SYNTHETIC, SYNTHETIC): "synthetic alone",
    ("hybrid", SYNTHETIC): "synthetic hybrid",
    (PHYSICAL, PHYSICAL): "physical alone",
    ("hybrid", PHYSICAL): "physical hybrid",
    ("", PERSISTENCE): PERSISTENCE,
}
_ERRORS = ("nrmse_first", "nrmse_mean", "nrmse_last")
_WORK = ("optimiser_steps", "lbfgs_iterations", "pde_steps")
Row = dict[str, str | int | float]


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """One model of one training, evaluated on unseen simulations.

    Attributes:
        name: What was trained and how, one of `NAMES`.
        seed: The seed of its training.
        nrmse: nRMSE(t), the mean over the simulations, `(time,)`.
        parameters: What the physical model learned.
        work: What its training took: optimiser steps, iterations of L-BFGS-B, steps of
            the PDE (see `experiment.training.budget`).
    """

    name: str
    seed: int
    nrmse: np.ndarray
    parameters: Sequence[RecoveredParameter]
    work: Mapping[str, int]


def compared_models(
    kind: str,
    seed: int,
    result: EvaluationResult,
    work: Mapping[str, Mapping[str, int]],
) -> list[ComparedModel]:
    """The models of one training, and persistence.

    Args:
        kind: What was trained: `synthetic`, `physical` or `hybrid`.
        seed: The seed of the training.
        result: Its evaluation.
        work: What the training of each model took, by the model.
    """
    models = []
    for forecast in result.rollouts[0].forecasts:
        curves: dict[str | float, list[float]] = {}
        for row in result.curves:
            if row["forecast"] == forecast:
                curves.setdefault(row["frame"], []).append(float(row["nrmse"]))
        models.append(
            ComparedModel(
                NAMES[("" if forecast == PERSISTENCE else kind, forecast)],
                seed,
                np.array([np.mean(values) for values in curves.values()]),
                result.parameters if forecast == PHYSICAL else (),
                work.get(forecast, {}),
            )
        )
    return models


@dataclass(frozen=True, eq=False)
class Comparison:
    """All models of all seeds.

    Attributes:
        models: Each model of each training; persistence once for each set of data.
        settings: The settings of the comparison.
    """

    models: Sequence[ComparedModel]
    settings: Settings

    def by_name(self) -> dict[str, list[ComparedModel]]:
        """The models of all seeds by name, in the order of the tables."""
        found: dict[str, list[ComparedModel]] = {}
        for name in NAMES.values():
            own = [model for model in self.models if model.name == name]
            if own:
                found[name] = own
        return found

    def rows(self) -> list[Row]:
        """One row for each model and seed: errors, work, errors of the parameters."""
        return [_row(m) for models in self.by_name().values() for m in models]

    def summary(self) -> list[Row]:
        """One row for each model: median, lowest and highest of each column."""
        return [_spread(name, models) for name, models in self.by_name().items()]

    def curves(self) -> list[Row]:
        """nRMSE(t): one row for each model, seed and frame, time in s."""
        dt = self.settings.model.physical.dt
        return [
            {
                "model": m.name,
                "seed": m.seed,
                "frame": t,
                "time": t * dt,
                "nrmse": float(value),
            }
            for models in self.by_name().values()
            for m in models
            for t, value in enumerate(m.nrmse)
        ]

    def write(self, folder: Path) -> None:
        """Writes `comparison.csv` (median, lowest, highest), `comparison_runs.csv` (one
        row for each model and seed), `comparison_curves.csv`, and
        `comparison_parameters.safetensors` (what each physical model found, by
        `<parameter>/<model>/seed_<seed>`)."""
        write_whole(folder / "comparison.csv", csv_text(self.summary()))
        write_whole(folder / "comparison_runs.csv", csv_text(self.rows()))
        write_whole(folder / "comparison_curves.csv", csv_text(self.curves()))
        found = {
            f"{p.name}/{m.name}/seed_{m.seed}": p.found
            for m in self.models
            for p in m.parameters
        }
        if found:
            file = folder / "comparison_parameters.safetensors"
            units = {p.name: p.unit for m in self.models for p in m.parameters}
            save_arrays(file, found, {"units": units})


def _row(model: ComparedModel) -> Row:
    errors = model.nrmse[1], model.nrmse[1:].mean(), model.nrmse[-1]
    row: Row = {"model": model.name, "seed": model.seed}
    row |= {key: float(e) for key, e in zip(_ERRORS, errors, strict=True)}
    row |= {key: model.work[key] for key in _WORK if key in model.work}
    for parameter in model.parameters:
        if parameter.after is not None:
            row[f"{parameter.name}_l2"] = parameter.after.l2
            row[f"{parameter.name}_median"] = parameter.after.median
            row[f"{parameter.name}_quantile90"] = parameter.after.quantile
    return row


def _spread(name: str, models: Sequence[ComparedModel]) -> Row:
    rows = [_row(model) for model in models]
    total: Row = {"model": name, "trainings": len(rows)}
    for key in rows[0]:
        if key not in ("model", "seed"):
            values = np.array([float(row[key]) for row in rows])
            total[key] = float(np.median(values))
            total[f"{key}_lowest"] = float(values.min())
            total[f"{key}_highest"] = float(values.max())
    return total


def spread_text(row: Mapping[str, str | int | float], key: str) -> str:
    """`median (lowest–highest)` of a column; empty where the row lacks it."""
    if key not in row:
        return ""
    median = f"{float(row[key]):.3g}"
    if row["trainings"] == 1:
        return median
    low, high = (f"{float(row[f'{key}_{end}']):.3g}" for end in ("lowest", "highest"))
    return median if low == high else f"{median} ({low}–{high})"


def comparison_tables(comparison: Comparison) -> list[Table]:
    """Errors of the roll-outs with the work done, and errors of the parameters.

    Each fits 80 columns.
    """
    summary = comparison.summary()
    seeds = ", ".join(map(str, comparison.settings.compare.seeds))
    table = Table(title=f"median (lowest–highest) over the seeds {seeds}")
    table.caption = f"data by {reference_text(comparison.settings)}"
    table.add_column("model")
    for heading in ("nRMSE, mean", "nRMSE, last"):
        table.add_column(heading, justify="right")
    for heading in ("optim.\nsteps", "PDE\nsteps"):
        table.add_column(heading, justify="right")
    for row in summary:
        work = (f"{row[k]:.0f}" if k in row else "" for k in (_WORK[0], _WORK[2]))
        errors = (spread_text(row, key) for key in _ERRORS[1:])
        table.add_row(str(row["model"]), *errors, *work)
    tables = [table]
    for name, before in guesses(comparison).items():
        tables.append(Table(title=f"{name}: relative errors"))
        tables[-1].add_column("model")
        for heading in ("L2", "median of cells", "90 % of cells"):
            tables[-1].add_column(heading, justify="right")
        tables[-1].add_row("initial guess", *(f"{e:.3g}" for e in before))
        for row in summary:
            if f"{name}_l2" in row:
                keys = (f"{name}_{end}" for end in ("l2", "median", "quantile90"))
                errors = (spread_text(row, key) for key in keys)
                tables[-1].add_row(str(row["model"]), *errors)
    return tables


def guesses(comparison: Comparison) -> dict[str, tuple[float, float, float]]:
    """Errors of the initial guess (L2, median, 90 %) of each parameter with a truth."""
    return {
        p.name: (p.before.l2, p.before.median, p.before.quantile)
        for model in comparison.models
        for p in model.parameters
        if p.before is not None
    }
