"""The results of an evaluation as files and as a table."""

import json
import math
from pathlib import Path

from rich.table import Table

from experiment.data import reference_text
from experiment.evaluation.recovered import parameter_arrays, parameter_rows
from experiment.evaluation.rollouts import EvaluationResult
from experiment.settings import Settings
from experiment.system import csv_text, save_arrays, write_whole


def write_evaluation(result: EvaluationResult, folder: Path) -> None:
    """Writes the results of an evaluation.

    `curves.csv`, `spectra.csv`, `summary.csv` and `summary.json`; where parameters
    were recovered also `parameters.csv` and, with the arrays as
    `<parameter>/<truth, guess or found>`, `parameters.safetensors`.
    """
    write_whole(folder / "curves.csv", csv_text(result.curves))
    write_whole(folder / "spectra.csv", csv_text(result.spectra))
    write_whole(folder / "summary.csv", csv_text(result.summary))
    # JSON knows neither nan nor inf; as strings they stay readable everywhere.
    rows = [{k: _json_value(v) for k, v in row.items()} for row in result.summary]
    text = json.dumps(rows, indent=2, allow_nan=False) + "\n"
    write_whole(folder / "summary.json", text)
    if result.parameters:
        rows = parameter_rows(result.parameters)
        write_whole(folder / "parameters.csv", csv_text(rows))
        save_arrays(
            folder / "parameters.safetensors",
            parameter_arrays(result.parameters),
            {"units": {p.name: p.unit for p in result.parameters}},
        )


def _json_value(value: str | float) -> str | float:
    return value if isinstance(value, str) or math.isfinite(value) else str(value)


def summary_table(result: EvaluationResult, settings: Settings) -> Table:
    """All forecasts and persistence in a table that fits 80 columns."""
    frames = settings.evaluation.num_frames - 1
    sims = ", ".join(str(i) for i in settings.evaluation.test_sim)
    table = Table(title=f"{frames} steps from frame 0 of simulation {sims}")
    table.caption = f"data by {reference_text(settings)}"
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
            *(_short(row[k]) for k in ("nrmse_first", "nrmse_mean", "nrmse_last")),
            *(f"{row[f'rmse_{field}']:.4g}" for field in fields),
            f"{at_least}{row['correlation_time']:.2f} s",
        )
    return table


def _short(value: str | float) -> str:
    # A forecast that diverges would need more digits than a line has.
    return f"{value:.4f}" if abs(float(value)) < 1000 else f"{value:.3g}"
