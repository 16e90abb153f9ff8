"""The PDE: simulating, rolling out, and the loss with its gradient."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._case import Builder, Case, Profile, Subject
from benchmarks._machine import finish
from benchmarks.cases._common import (
    fresh_folder,
    initial_velocities,
    settings_of,
    simulated_settings,
    window_work,
)

#: Steps of a roll-out.
STEPS = 8
#: torch specialises what it traced in its first calls, which take as long as compiling
#: does; every builder makes them, so that no front end can time one.
_FIRST_CALLS = 3
BATCHES = (1, 8, 32)
#: The port's backends; JAX is an extra that need not be installed.
_BACKENDS = {"phiml": "torch", "jax": "jax"}
#: A roll-out, ready to run, and its last velocity as `(batch, x, y, vector)`.
Made = tuple[Callable[[], Any], Callable[[Any], np.ndarray]]


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


def make_rollout(physical: Any, states: np.ndarray, side: str, steps: int) -> Made:
    """A roll-out of a side with nothing compiled yet."""
    if side in ("legacy", "eager"):
        return _on_fields(physical, states, steps, eager=side == "eager")
    if side == "bare":
        return _by_hand(physical, states, steps)
    return _on_tensors(physical, states, steps, _BACKENDS[side])


def _on_fields(physical: Any, states: np.ndarray, steps: int, *, eager: bool) -> Made:
    """PhiFlow fields on torch, a compiled step (or an eager one) in a loop."""
    from phiml import math

    from legacy.physics import BurgersModel, centred_grid, compiled_step

    math.use("torch")
    substeps = physical.pde_params.diffusion_substeps
    model = BurgersModel(dt=physical.dt, diffusion_substeps=substeps)
    viscosity = centred_grid(physical.true_parameter("viscosity"), physical)
    step = compiled_step(physical)
    grids = [centred_grid(s, physical) for s in states]
    start: Any = math.stack(grids, math.batch("batch")) if len(grids) > 1 else grids[0]

    def call() -> Any:
        velocity = start
        for _ in range(steps):
            if eager:
                velocity = model.step(velocity, viscosity)
            else:
                state = {"velocity": velocity, "viscosity": viscosity}
                velocity = step(state)["velocity"]
        finish()
        return velocity

    def array(velocity: Any) -> np.ndarray:
        values: Any = velocity.values
        values = math.expand(values, math.batch(batch=len(states)))
        return values.numpy(["batch", "x", "y", "vector"])

    return call, array


def _on_tensors(physical: Any, states: np.ndarray, steps: int, backend: str) -> Made:
    """The whole roll-out on PhiML tensors as one compiled function."""
    from phiml import math

    from phiml_port.physics import PhysicalModel, physics_backend

    on = physics_backend(backend)
    model = PhysicalModel(physical)

    def several(velocity: Any, viscosity: Any) -> Any:
        state = {"velocity": velocity}
        for _ in range(steps):
            state = model.step(state, {"viscosity": viscosity})
        return state["velocity"]

    compiled = math.jit_compile(several)
    with on:
        dims = math.concat_shapes(
            math.batch("batch"), math.spatial("x,y"), math.channel(vector="x,y")
        )
        start: Any = math.tensor(states, dims)
        truth = physical.true_parameter("viscosity").astype(np.float32)
        viscosity = model.tensor(truth)

    def call() -> Any:
        with on:
            moved: Any = compiled(start, viscosity)
        _wait(moved, backend)
        return moved

    return call, lambda moved: moved.numpy(["batch", "x", "y", "vector"])


def _call_first(call: Callable[[], Any]) -> None:
    for _ in range(_FIRST_CALLS):
        call()


def _wait(tensor: Any, backend: str) -> None:
    """JAX returns before it is done, on the CPU too."""
    if backend == "jax":
        tensor.native(tensor.shape).block_until_ready()
    finish()


def _by_hand(physical: Any, states: np.ndarray, steps: int) -> Made:
    """The same scheme by hand in torch, fused by torch.compile."""
    import torch

    edge = physical.cell_sizes["x"]
    dt, substeps = physical.dt, physical.pde_params.diffusion_substeps
    size = physical.resolution["x"]
    nu = torch.from_numpy(physical.true_parameter("viscosity").astype(np.float32))
    start = torch.from_numpy(states).permute(0, 3, 1, 2).contiguous()
    i = torch.arange(size, dtype=torch.float32)[:, None]
    j = torch.arange(size, dtype=torch.float32)[None]
    batch = torch.arange(len(states))[:, None, None]

    def step(u: torch.Tensor) -> torch.Tensor:
        x, y = i - u[:, 0] * (dt / edge), j - u[:, 1] * (dt / edge)
        x0, y0 = torch.floor(x), torch.floor(y)
        a, b = (x - x0)[:, None], (y - y0)[:, None]
        x0, y0 = x0.long() % size, y0.long() % size
        x1, y1 = (x0 + 1) % size, (y0 + 1) % size
        v = u.permute(0, 2, 3, 1)

        def at(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
            return v[batch, p, q].permute(0, 3, 1, 2)

        low = at(x0, y0) * (1 - a) + at(x1, y0) * a
        high = at(x0, y1) * (1 - a) + at(x1, y1) * a
        u = low * (1 - b) + high * b
        for _ in range(substeps):
            around = sum(u.roll(s, d) for d in (2, 3) for s in (1, -1))
            u = u + nu * (dt / substeps / edge**2) * (around - 4 * u)
        return u

    fused = torch.compile(step)

    def call() -> Any:
        u = start
        with torch.no_grad():
            for _ in range(steps):
                u = fused(u)
        return u

    return call, lambda u: u.permute(0, 2, 3, 1).contiguous().numpy()


def make_gradient(settings: Any, side: str) -> tuple[Callable[[], Any], dict[str, int]]:
    """The loss and its gradient by the unbounded viscosity, and the work that is."""
    from dataclasses import replace

    import bridge._physics_factories as physics
    from experiment.settings import parameter_ranges

    start = {n: r.start for n, r in parameter_ranges(settings).items()}
    physics_side = "legacy" if side == "legacy" else "phiml"
    migration = replace(
        settings.migration,
        physics=physics_side,
        phiml_backend=_BACKENDS.get(side, "torch"),
    )
    learner: Any = physics.build_learner(replace(settings, migration=migration))
    if side == "legacy":
        call = _legacy_gradient(learner, start["viscosity"])
    else:
        call = _port_gradient(learner, start, _BACKENDS[side])
    work = window_work(learner._windows)
    return call, work | {"parameters": sum(z.size for z in start.values())}


def _legacy_gradient(learner: Any, start: np.ndarray) -> Callable[[], Any]:
    import torch
    from phiml import math

    values = np.array(start, np.float32)

    def call() -> Any:
        native = torch.from_numpy(values).requires_grad_()
        named = {"viscosity": math.wrap(native, math.spatial("x,y"))}
        loss = learner._loss(named, learner._windows)
        (found,) = torch.autograd.grad(loss.native(), native)
        finish()
        return float(loss.native().detach()), found.numpy

    return call


def _port_gradient(learner: Any, start: Any, backend: str) -> Callable[[], Any]:
    from phiml import math

    def call() -> Any:
        loss, found = learner.loss_and_gradient(start)
        _wait(found["viscosity"], backend)
        value: Any = math.stop_gradient(loss)
        return float(value), lambda: found["viscosity"].numpy(["x", "y"])

    return call


def gradient_overrides(windows: int) -> tuple[str, ...]:
    """A loss over so many of the windows of two simulations."""
    return (
        *("general.mode=physical", f"trainer.physical.windows={windows}"),
        *("data.num_simulations=3", "data.trajectory_length=21"),
        *("trainer.train_sim=[0,1]", "trainer.val_sim=[]", "evaluation.test_sim=[2]"),
        "evaluation.num_frames=21",
    )


def _gradient(side: str, windows: int, folder: Path) -> Subject:
    settings = simulated_settings(folder, *gradient_overrides(windows))
    call, work = make_gradient(settings, side)
    _call_first(call)

    def outcome() -> dict[str, np.ndarray]:
        loss, gradient = call()
        return {"loss": np.array([loss]), "gradient": np.array(gradient())}

    return Subject(call, outcome, work)


def _generation(side: str, folder: Path) -> Subject:
    """The task `generate` into an empty folder, with one simulator all the time."""
    from dataclasses import replace

    import bridge._physics_factories as physics
    from experiment.data import generate, open_scene
    from experiment.system import Progress

    settings = settings_of(
        folder,
        f"migration.physics={side}",
        *("data.num_simulations=2", "data.trajectory_length=17"),
        *("trainer.train_sim=[0]", "trainer.val_sim=[]", "evaluation.test_sim=[1]"),
        "evaluation.num_frames=17",
    )
    simulator = physics.build_simulator(settings)
    frames = range(settings.data.trajectory_length)

    def call() -> Any:
        place = str(fresh_folder(folder / side))
        own = replace(settings, data=replace(settings.data, data_dir=place))
        return own, generate(own, simulator, Progress())

    def outcome() -> dict[str, np.ndarray]:
        own, count = call()
        scenes = {f"simulation {i}": open_scene(own, i) for i in range(count)}
        return {
            name: np.stack([scene.read("velocity", f) for f in frames])
            for name, scene in scenes.items()
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
