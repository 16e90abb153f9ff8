"""The port's physics against the control's, by equation, as learners run it."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cases import build
from benchmarks.cases.settings import FEW, settings_of, simulated
from bridge.harness.bench_timing import interleaved

EXPERIMENTS = ("burgers_1d", "burgers", "burgers_3d", "heat", "advection")
STATES, FRAMES, WINDOWS = 8, 9, 8


def lines() -> Iterator[str]:
    """Legacy over port for a roll-out and for the gradient of a loss, with interval."""
    yield f"roll-out: {STATES} states, {FRAMES - 1} steps; gradient: {WINDOWS} windows"
    for experiment in EXPERIMENTS:
        with tempfile.TemporaryDirectory() as folder:
            settings = simulated(_settings(Path(folder), experiment))
            legacy, port = (_calls(settings, side) for side in ("legacy", "phiml"))
            for name, control in legacy.items():
                ratio = interleaved(control, port[name], warm_up=4)
                yield f"{experiment}, {name}: {ratio}"


def _settings(folder: Path, experiment: str) -> Any:
    own = ("general.mode=physical", f"trainer.physical.windows={WINDOWS}")
    return settings_of(folder, *FEW, *own, experiment=experiment)


def _calls(settings: Any, side: str) -> dict[str, Callable[[], Any]]:
    """What is timed of a side, by name."""
    from experiment.settings import parameter_ranges
    from experiment.training import new_states

    hybrid = replace(settings.trainer.hybrid, trajectories=STATES)
    trainer = replace(settings.trainer, hybrid=hybrid)
    states = new_states(replace(settings, trainer=trainer), 0)
    migration = replace(settings.migration, physics=side, data=side)
    learner = build.physical_learner(replace(settings, migration=migration))
    ranges = parameter_ranges(settings)
    known = {n: r.guess for n, r in ranges.items()}
    start = {n: r.start for n, r in ranges.items()}
    return {
        "roll-out": lambda: learner.rollout(known, states, FRAMES),
        "gradient": lambda: learner.gradient(start),
    }
