"""Whether the models of a hybrid training teach each other, by weights of the terms.

Each hybrid training is beside both models alone at equal budget: as many rounds of
L-BFGS-B on as many real windows, and at least as many optimiser steps of the surrogate.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import build
from benchmarks.cases.settings import grid_of, settings_of, simulated

SEEDS = (0, 1, 2)
#: Weights of the interaction: of the synthetic and of the physical model.
WEIGHTS = ((1.0, 0.0001), (1.0, 0.001), (1.0, 0.01), (1.0, 0.1), (1.0, 1.0))
_WARM_UP, _CYCLES, _EPOCHS = 5, 2, 4
_SHARED = (
    *("migration=full", *grid_of(32), "trainer.val_sim=[]"),
    *(f"trainer.hybrid.warm_up_epochs={_WARM_UP}", f"trainer.hybrid.cycles={_CYCLES}"),
    *(f"trainer.hybrid.epochs={_EPOCHS}", f"trainer.physical.rounds={_CYCLES}"),
)


def lines() -> Iterator[str]:
    """A row for each number of simulations and seed, and the medians."""
    for simulations in (4, 1):
        rows = []
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(_row(Path(folder), simulations, seed))
            yield f"{simulations} simulations, seed {seed}: {_text(rows[-1])}"
        median = {key: np.median([row[key] for row in rows], 0) for key in rows[0]}
        yield f"{simulations} simulations, median: {_text(median)}"


def _row(folder: Path, simulations: int, seed: int) -> dict[str, Any]:
    """nRMSE of the surrogate and error of the viscosity, by what was trained."""
    from experiment.training import equal_budget

    data = (
        *(f"data.num_simulations={simulations + 2}", f"data.seed={seed}"),
        f"trainer.train_sim=[{','.join(map(str, range(simulations)))}]",
        f"evaluation.test_sim=[{simulations},{simulations + 1}]",
        f"general.seed={seed}",
    )
    shared = *_SHARED, *data
    settings = simulated(settings_of(folder, *shared, "general.mode=hybrid"))
    epochs = equal_budget(settings).epochs
    alone = (f"trainer.synthetic.epochs={epochs}", "general.mode=synthetic")
    row = {
        "synthetic alone": (_trained(folder / "s", folder, *shared, *alone)[0], np.nan),
        "physical alone": (
            np.nan,
            _trained(folder / "p", folder, *shared, "general.mode=physical")[1],
        ),
    }
    for number, (synthetic, physical) in enumerate(WEIGHTS):
        weights = (
            f"trainer.hybrid.weights.synthetic.interaction={synthetic}",
            f"trainer.hybrid.weights.physical.interaction={physical}",
        )
        own = (*shared, *weights, "general.mode=hybrid")
        name = f"hybrid {synthetic:g}, {physical:g}"
        row[name] = _trained(folder / f"h{number}", folder, *own)
    return row


def _trained(written: Path, folder: Path, *overrides: str) -> tuple[float, float]:
    """nRMSE of the surrogate on unseen data; relative L2 error of the viscosity."""
    from bridge.assemble import build_components
    from experiment.evaluation import evaluate

    files = (
        f"general.checkpoint_dir={written}/checkpoints",
        f"general.run_dir={written}",
    )
    settings = settings_of(folder, *overrides, *files)
    build.train(settings)
    evaluated = build_components(settings).evaluation(settings)
    result = evaluate(settings, evaluated.forecasts, evaluated.parameters)
    rows = {row["forecast"]: row["nrmse_mean"] for row in result.summary}
    errors = [p.error_after for p in result.parameters]
    error = errors[0] if errors and errors[0] is not None else np.nan
    return float(rows.get("synthetic", np.nan)), float(error)


def _text(row: dict[str, Any]) -> str:
    return "; ".join(
        f"{name}: {pair[0]:.3f} / {pair[1]:.3f}" for name, pair in row.items()
    )
