"""The port's physics against the control's, equation by equation, as learners run it."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import build
from benchmarks.cases.settings import FEW, settings_of, simulated
from bridge.harness.bench_timing import interleaved

EXPERIMENTS = ("burgers_1d", "burgers", "burgers_3d", "heat", "advection")
STATES, FRAMES, WINDOWS = 8, 9, 8


def lines() -> Iterator[str]:
    """Legacy over port for a roll-out and for the gradient of a loss, with intervals."""
    yield f"roll-out: {STATES} states, {FRAMES - 1} steps; gradient: {WINDOWS} windows"
    for experiment in EXPERIMENTS:
        with tempfile.TemporaryDirectory() as folder:
            settings = simulated(_settings(Path(folder), experiment))
            legacy, port = (_learner(settings, side) for side in ("legacy", "phiml"))
            states = _states(settings)
            known = {n: r.guess for n, r in _ranges(settings).items()}
            start = {n: r.start for n, r in _ranges(settings).items()}
            ratios = (
                interleaved(
                    lambda s=legacy: s.rollout(known, states, FRAMES),
                    lambda s=port: s.rollout(known, states, FRAMES),
                    warm_up=4,
                ),
                interleaved(
                    lambda s=legacy: s.gradient(start),
                    lambda s=port: s.gradient(start),
                    warm_up=4,
                ),
            )
        yield f"{experiment}, roll-out: {ratios[0]}"
        yield f"{experiment}, gradient: {ratios[1]}"


def _settings(folder: Path, experiment: str) -> Any:
    own = ("general.mode=physical", f"trainer.physical.windows={WINDOWS}")
    return settings_of(folder, *FEW, *own, experiment=experiment)


def _learner(settings: Any, side: str) -> Any:
    migration = replace(settings.migration, physics=side, data=side)
    return build.physical_learner(replace(settings, migration=migration))


def _ranges(settings: Any) -> Any:
    from experiment.settings import parameter_ranges

    return parameter_ranges(settings)


def _states(settings: Any) -> np.ndarray:
    """Initial states `(simulation, x, ..., vector)`, as a hybrid training draws them."""
    from experiment.training import new_states

    hybrid = replace(settings.trainer.hybrid, trajectories=STATES)
    trainer = replace(settings.trainer, hybrid=hybrid)
    return new_states(replace(settings, trainer=trainer), 0)
