"""The PDE: simulating, rolling out, and the gradient of the loss by its parameters."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import build
from benchmarks.cases.common import fresh_folder, initial_velocities
from benchmarks.cases.rollouts import BACKENDS, make_rollout
from benchmarks.cases.settings import settings_of, simulated_settings
from bridge.harness.bench_case import Builder, Case, Profile, Subject

#: Steps of a roll-out.
STEPS = 8
#: torch specialises what it traced in its first calls, which take as long as compiling
#: does; every builder makes them, so that no front end can time one.
_FIRST_CALLS = 3
BATCHES = (1, 8, 32)
Gradient = Callable[[], np.ndarray]
Loss = Callable[[], float]


def rollout(folder: Path, side: str, batch: int, steps: int, *more: str) -> Subject:
    """A roll-out of `steps` steps from `batch` initial states, compiled as a side does.

    Args:
        folder: Unused, as nothing is on disk.
        side: `legacy`, `eager`, `phiml`, `jax` or `bare`.
        batch: Initial states.
        steps: Steps of the roll-out.
        more: Overrides of the settings.
    """
    physical = settings_of(folder, *more).model.physical
    states = initial_velocities(physical, batch)
    call, array = make_rollout(physical, states, side, steps)
    cells = int(np.prod(states.shape[1:-1]))
    _call_first(call)
    return Subject(
        call,
        lambda: {"last velocity": array(call())},
        {"samples": len(states), "steps": steps, "cells": cells},
    )


def _call_first(call: Callable[[], Any]) -> None:
    for _ in range(_FIRST_CALLS):
        call()


def gradient_overrides(windows: int) -> tuple[str, ...]:
    """A loss over so many of the windows of two simulations."""
    return (
        *("general.mode=physical", f"trainer.physical.windows={windows}"),
        *("data.num_simulations=3", "data.trajectory_length=21"),
        *("trainer.train_sim=[0,1]", "trainer.val_sim=[]", "evaluation.test_sim=[2]"),
        "evaluation.num_frames=21",
    )


def gradient_work(settings: Any) -> dict[str, int]:
    """Samples, steps and parameters of the gradient."""
    return {
        "samples": settings.trainer.physical.windows,
        "steps": settings.trainer.rollout_steps,
        "parameters": sum(start.size for start in starts_of(settings).values()),
    }


def starts_of(settings: Any) -> dict[str, Any]:
    """What each learned parameter starts from."""
    from experiment.settings import parameter_ranges

    return {n: r.start for n, r in parameter_ranges(settings).items()}


def make_gradient(settings: Any, side: str) -> tuple[Gradient, Loss]:
    """The gradient by the unbounded viscosity and its loss, with nothing compiled."""
    start, learner = starts_of(settings), _learner_on(settings, side)
    return lambda: learner.gradient(start)["viscosity"], lambda: learner.loss(start)


def _learner_on(settings: Any, side: str) -> Any:
    from dataclasses import replace

    migration = replace(
        settings.migration,
        physics="legacy" if side == "legacy" else "phiml",
        phiml_backend=BACKENDS.get(side, "torch"),
    )
    return build.physical_learner(replace(settings, migration=migration))


def gradient_of(learner: Any, work: Mapping[str, int], start: Any) -> Subject:
    """The gradient of a physical learner by all its parameters."""

    def call() -> Any:
        return learner.gradient(start)

    _call_first(call)

    def outcome() -> dict[str, np.ndarray]:
        gradients = {f"gradient of {n}": g for n, g in call().items()}
        return {"loss": np.array([learner.loss(start)])} | gradients

    return Subject(call, outcome, work)


def _gradient(side: str, windows: int, folder: Path) -> Subject:
    settings = simulated_settings(folder, *gradient_overrides(windows))
    learner = _learner_on(settings, side)
    return gradient_of(learner, gradient_work(settings), starts_of(settings))


def _generation(side: str, folder: Path) -> Subject:
    settings = settings_of(
        folder,
        f"migration.physics={side}",
        *("data.num_simulations=2", "data.trajectory_length=17"),
        *("trainer.train_sim=[0]", "trainer.val_sim=[]", "evaluation.test_sim=[1]"),
        "evaluation.num_frames=17",
    )
    return generation_of(settings, folder / side)


def generation_of(settings: Any, target_folder: Path) -> Subject:
    """The task `generate` into an empty folder, with one simulator all the time."""
    from dataclasses import replace

    from experiment.data import generate, open_scene
    from experiment.system import Progress

    simulator = build.simulator(settings)
    frames = range(settings.data.trajectory_length)

    def call() -> Any:
        target = str(fresh_folder(target_folder))
        written = replace(settings, data=replace(settings.data, data_dir=target))
        return written, generate(written, simulator, Progress())

    def outcome() -> dict[str, np.ndarray]:
        written, count = call()
        scenes = {f"simulation {i}": open_scene(written, i) for i in range(count)}
        return {
            f"{name}, {quantity}": np.stack([scene.read(quantity, f) for f in frames])
            for name, scene in scenes.items()
            for quantity in settings.data.fields
        }

    _, count = call()
    return Subject(call, outcome, {"simulations": count, "frames": count * len(frames)})


def _rollout(side: str, batch: int, folder: Path) -> Subject:
    return rollout(folder, side, batch, STEPS)


def _with_jax(make: Callable[[str], Builder]) -> dict[str, Builder]:
    return {"jax": make("jax")} if find_spec("jax") is not None else {}


def _rollout_case(batch: int, profile: Profile, *extra: str) -> Case:
    """Both compiled sides; `extra` are references that are slow to run or compile."""
    sides: dict[str, Builder] = {
        side: partial(_rollout, side, batch) for side in ("legacy", "phiml")
    }
    references: dict[str, Builder] = {
        side: partial(_rollout, side, batch) for side in extra
    }
    if not extra:
        references = _with_jax(lambda side: partial(_rollout, side, batch))
    return Case(
        "-".join(["rollout", f"batch-{batch}", *extra]),
        "physics-rollout",
        sides,
        ("physics",),
        tolerance=1e-4,
        profile=profile,
        references=references,
    )


def _gradient_case(windows: int, profile: Profile) -> Case:
    return Case(
        f"physics-gradient-{windows}",
        "physics-gradient",
        {side: partial(_gradient, side, windows) for side in ("legacy", "phiml")},
        ("physics",),
        tolerance=1e-4,
        profile=profile,
        references=_with_jax(lambda side: partial(_gradient, side, windows)),
    )


CASES = (
    Case(
        "generate",
        "generation",
        {side: partial(_generation, side) for side in ("legacy", "phiml")},
        ("physics",),
        tolerance=1e-4,
    ),
    *(_rollout_case(batch, "fast") for batch in BATCHES),
    *(_rollout_case(batch, "regular", "eager") for batch in BATCHES),
    # torch.compile needs a C++ compiler, and 10 to 20 s.
    *(_rollout_case(batch, "large", "bare") for batch in BATCHES),
    _gradient_case(1, "fast"),
    *(_gradient_case(windows, "regular") for windows in (8, 32)),
)
