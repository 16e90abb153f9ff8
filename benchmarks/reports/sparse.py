"""Whether hybrid training helps with sparse data: `conf/burgers_sparse.yaml`, by case.

Each case is a whole comparison of the program (`general.mode=compare`): both models
alone and the hybrid at equal budget, over the seeds of the configuration.
"""

import csv
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_ROOT = Path(__file__).parents[2]
#: Settings of each case, on top of the experiment's.
CASES = {
    "1 simulation": (1, ()),
    "2 simulations": (2, ()),
    "4 simulations": (4, ()),
    "first and last 10 % of the frames": (
        2,
        (
            "data.observations.time.kind=endpoints",
            "data.observations.time.fraction=0.1",
        ),
    ),
    "left half of space": (
        2,
        (
            "data.observations.space.kind=box",
            "data.observations.space.box={x: [0.0, 8.0]}",
        ),
    ),
    "100 random sensors": (
        2,
        (
            "data.observations.space.kind=random",
            *("data.observations.space.number=100", "data.observations.space.seed=0"),
        ),
    ),
    "1 % noise": (2, ("data.observations.noise=0.01",)),
}
#: What the hybrid's error may be over the alone one's, and what counts as a gain.
_SYNTHETIC_GAIN, _PHYSICAL_LIMIT = 0.8, 1.1
_ERRORS = (("synthetic", "nrmse_mean"), ("physical", "viscosity_l2"))


def lines() -> Iterator[str]:
    """A row for each case, and how many reach what was asked for."""
    medians: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (simulations, settings)) in enumerate(CASES.items()):
            rows = _compared(Path(folder) / str(number), simulations, settings)
            yield f"{name}: " + "; ".join(_text(*pair, rows) for pair in _ERRORS)
            medians[name] = {
                model: _ratio(rows, model, column) for model, column in _ERRORS
            }
    synthetic = np.array([case["synthetic"] for case in medians.values()])
    physical = np.array([case["physical"] for case in medians.values()])
    yield (
        f"synthetic model: at most alone's in {int((synthetic <= 1).sum())} of"
        f" {len(synthetic)} cases, at least 20 % lower in"
        f" {int((synthetic <= _SYNTHETIC_GAIN).sum())}"
    )
    yield (
        f"viscosity: at most 1.1 times alone's in"
        f" {int((physical <= _PHYSICAL_LIMIT).sum())} of {len(physical)} cases, lower"
        f" in {int((physical < 1).sum())}"
    )


def _compared(
    folder: Path, simulations: int, settings: tuple[str, ...]
) -> list[dict[str, str]]:
    """The rows of a comparison, one for each model and seed."""
    numbers = range(simulations)
    folders = {
        "general.run_dir": "runs",
        "general.checkpoint_dir": "checkpoints",
        "data.data_dir": "data",
        "cache.dir": "cache",
    }
    command = [
        *(sys.executable, "run.py", "--config-name=burgers_sparse", "migration=full"),
        *(f"{key}={folder / name}" for key, name in folders.items()),
        f"data.num_simulations={simulations + 3}",
        f"trainer.train_sim=[{','.join(map(str, numbers))}]",
        f"evaluation.test_sim=[{','.join(str(simulations + i) for i in range(3))}]",
        *settings,
    ]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    (table,) = (folder / "runs").glob("2*/evaluation/comparison_runs.csv")
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def _values(rows: list[dict[str, str]], model: str, column: str) -> np.ndarray:
    return np.array([float(row[column]) for row in rows if row["model"] == model])


def _ratio(rows: list[dict[str, str]], model: str, column: str) -> float:
    """The median over seeds of the hybrid's error over the same seed's alone."""
    hybrid = _values(rows, f"{model} hybrid", column)
    return float(np.median(hybrid / _values(rows, f"{model} alone", column)))


def _text(model: str, column: str, rows: list[dict[str, str]]) -> str:
    parts = []
    for how in ("alone", "hybrid"):
        values = _values(rows, f"{model} {how}", column)
        low, middle, high = values.min(), np.median(values), values.max()
        parts.append(f"{how} {middle:.3f} ({low:.3f} to {high:.3f})")
    return f"{column} {', '.join(parts)}, ratio {_ratio(rows, model, column):.2f}"
