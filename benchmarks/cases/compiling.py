"""The first call of what a side compiles, each time with a function of its own."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases.common import initial_velocities
from benchmarks.cases.physics import (
    STEPS,
    gradient_overrides,
    gradient_work,
    make_gradient,
)
from benchmarks.cases.rollouts import make_rollout
from benchmarks.cases.settings import settings_of, simulated_settings
from bridge.harness.bench_case import Builder, Case, Subject


def _rollout(side: str, folder: Path) -> Subject:
    """Compiles the roll-out of one initial state, and makes it."""
    physical = settings_of(folder).model.physical
    states = initial_velocities(physical, 1)

    def run() -> np.ndarray:
        with _as_if_first(side):
            call, array = make_rollout(physical, states, side, STEPS)
            return array(call())

    cells = int(np.prod(states.shape[1:-1]))
    work = {"samples": len(states), "steps": STEPS, "cells": cells}
    return Subject(run, lambda: {"last velocity": run()}, work)


def _as_if_first(side: str) -> AbstractContextManager[object]:
    """Without what torch.compile keeps in memory and on disk.

    Importing torch's compiler and preparing the C++ headers, 13 s more, happen once in
    a process and are not timed.
    """
    if side != "bare":
        return nullcontext()
    import torch._dynamo
    import torch._inductor.config as inductor

    torch._dynamo.reset()
    settings: Any = inductor
    return settings.patch(force_disable_caches=True)


def _gradient(side: str, folder: Path) -> Subject:
    """Builds a learner on 8 windows, opening its data (some ms), and calls it once."""
    settings = simulated_settings(folder, *gradient_overrides(8))

    def run() -> Any:
        call, _ = make_gradient(settings, side)
        return call()

    def outcome() -> dict[str, np.ndarray]:
        call, loss = make_gradient(settings, side)
        return {"loss": np.array([loss()]), "gradient": call()}

    return Subject(run, outcome, gradient_work(settings))


def _case(name: str, build: Any, *extra: str) -> Case:
    sides: dict[str, Builder] = {s: partial(build, s) for s in ("legacy", "phiml")}
    return Case(
        name,
        "compiling",
        sides,
        ("physics",),
        tolerance=1e-4,
        profile="large" if "bare" in extra else "regular",
        gated=False,
        references={side: partial(build, side) for side in extra},
    )


_JAX = ("jax",) if find_spec("jax") is not None else ()
CASES = (
    _case("compile-rollout", _rollout, *_JAX),
    _case("compile-rollout-bare", _rollout, "bare"),
    _case("compile-gradient", _gradient, *_JAX),
)
