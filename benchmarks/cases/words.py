"""What a run of one's own words costs on each side, at its own sizes."""

from collections.abc import Callable, Mapping
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.cases.physics import (
    generation_of,
    gradient_of,
    gradient_work,
    starts_of,
)
from benchmarks.cases.settings import simulated
from benchmarks.cases.training import step_of
from benchmarks.harness.machine import device
from bridge.harness.bench_case import Case, Subject, by_name
from bridge.harness.words import Words

#: What is on PhiML in each step of the migration.
_STEPS = {
    "legacy": (),
    "step1": ("model",),
    "step2": ("model", "trainer"),
    "step3": ("model", "trainer", "data"),
}
_PHYSICS = {"legacy": (), "phiml": ("physics",)}
_COMPONENTS = ("model", "trainer", "data", "physics", "hybrid")


def cases_of_words(words: Words) -> Mapping[str, Case]:
    """A training step, the simulations and the gradient by the PDE's parameters.

    What the run's mode doesn't do is left out.

    Args:
        words: What `run.py` would be started with.

    Raises:
        SettingsError: As `run.py` would end with them.
    """
    from bridge.configuration import composed

    settings = composed(words.config, words.overrides, words.folder)
    mode = settings.general.mode
    cases = [_case("run-generate", "generation", _PHYSICS, _generation, words)]
    if mode != "physical":
        # bfloat16 has 8 bits, and each side rounds in its own order.
        near = 1e-3 if settings.trainer.amp != "off" else 1e-4
        cases.append(_case("run-step", "training-step", _STEPS, _step, words, near))
    if mode != "synthetic":
        name = "physics-gradient"
        cases.append(_case("run-gradient", name, _PHYSICS, _gradient, words))
    return by_name(cases)


def _case(
    name: str,
    group: str,
    sides: Mapping[str, tuple[str, ...]],
    make: Callable[..., Subject],
    words: Words,
    tolerance: float = 1e-4,
) -> Case:
    proved_by = tuple(_STEPS)[1:] if sides is _STEPS else ("physics",)
    builders = {side: partial(make, words, on) for side, on in sides.items()}
    return Case(name, group, builders, proved_by, tolerance)


def _settings(words: Words, on: tuple[str, ...], folder: Path, **more: Any) -> Any:
    """The run's own settings with as many simulations as a batch needs, and one more.

    All is simulated below the folder, whatever the run would read.
    """
    from bridge.configuration import composed
    from bridge.ladders.nested import put, settle
    from experiment.settings import check_settings, to_dict

    base = composed(words.config, words.overrides, words.folder)
    windows = base.data.trajectory_length - base.trainer.rollout_steps
    training = ceil(max(base.trainer.batch_size, 1) / max(windows, 1))
    values = to_dict(base)
    settle(values, folder, {c: "phiml" if c in on else "legacy" for c in _COMPONENTS})
    for key, value in {
        "general.mode": "hybrid",
        "general.tasks": ["generate", "train", "evaluate"],
        "general.device": device(),
        "data.source": None,
        "data.export": None,
        "data.num_simulations": training + 1,
        "trainer.train_sim": list(range(training)),
        "trainer.val_sim": [training],
        "trainer.resume": False,
        "evaluation.test_sim": [training],
        "evaluation.laplace_rank": 0,
        "evaluation.export": None,
        **{key.replace("__", "."): value for key, value in more.items()},
    }.items():
        put(values, key, value)
    return check_settings(values)


def _step(words: Words, on: tuple[str, ...], folder: Path) -> Subject:
    def in_float64() -> Any:
        more = {"general__precision": "float64"}
        return simulated(_settings(words, on, folder / "float64", **more))

    return step_of(simulated(_settings(words, on, folder)), in_float64)


def _gradient(words: Words, on: tuple[str, ...], folder: Path) -> Subject:
    from benchmarks.cases.build import physical_learner

    settings = simulated(_settings(words, on, folder))
    start = starts_of(settings)
    return gradient_of(physical_learner(settings), gradient_work(settings), start)


def _generation(words: Words, on: tuple[str, ...], folder: Path) -> Subject:
    side = "port" if on else "control"
    return generation_of(_settings(words, on, folder), folder / side)
