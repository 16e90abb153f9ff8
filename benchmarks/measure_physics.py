"""Measures physics and hybrid: `python -m benchmarks.measure_physics rollout|...`."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from phiml import math

import bridge._physics_factories as physics
from benchmarks._door import measure_one
from benchmarks._interleaved import interleaved
from benchmarks.settings import experiment_settings, simulated
from experiment import (
    PhysicalTrainer,
    Progress,
    RunFolder,
    Settings,
    initial_state,
    open_scene,
    parameter_ranges,
    training_settings,
    true_parameter,
)
from legacy.physics import BurgersModel, centred_grid, compiled_step
from phiml_port.physics import PhysicalModel, physics_backend

STEPS = 8
Work = Callable[[], object]


def _states(physical: Any, count: int) -> np.ndarray:
    states = [initial_state(physical, 0, i)["velocity"] for i in range(count)]
    return np.stack(states).astype(np.float32)


def _legacy_rollout(physical: Any, states: np.ndarray, eager: bool = False) -> Work:
    """PhiFlow fields on torch, a compiled step (or an eager one) in a loop."""
    math.use("torch")
    model = BurgersModel(
        dt=physical.dt, diffusion_substeps=physical.pde_params.diffusion_substeps
    )
    viscosity = centred_grid(true_parameter(physical, "viscosity"), physical)
    step = compiled_step(physical)
    grids = [centred_grid(s, physical) for s in states]
    start: Any = math.stack(grids, math.batch("batch")) if len(grids) > 1 else grids[0]

    def run() -> object:
        velocity = start
        for _ in range(STEPS):
            if eager:
                velocity = model.step(velocity, viscosity)
            else:
                velocity = step({"velocity": velocity, "viscosity": viscosity})[
                    "velocity"
                ]
        return velocity

    return run


def _port_rollout(physical: Any, states: np.ndarray, backend: str) -> Work:
    """The whole roll-out on PhiML tensors as one compiled function."""
    on = physics_backend(backend)
    model = PhysicalModel(physical)

    def several(velocity: Any, viscosity: Any) -> Any:
        state = {"velocity": velocity}
        for _ in range(STEPS):
            state = model.step(state, {"viscosity": viscosity})
        return state["velocity"]

    compiled = math.jit_compile(several)
    with on:
        dims = math.concat_shapes(
            math.batch("batch"), math.spatial("x,y"), math.channel(vector="x,y")
        )
        start: Any = math.tensor(states, dims)
        viscosity = model.tensor(
            true_parameter(physical, "viscosity").astype(np.float32)
        )

    def run() -> object:
        with on:
            return _done(compiled(start, viscosity))

    return run


def _done(tensor: Any) -> object:
    native = tensor.native(tensor.shape)
    return (
        native.block_until_ready() if hasattr(native, "block_until_ready") else native
    )


def _bare(physical: Any, states: np.ndarray) -> Work:
    """The same scheme by hand in torch, fused by torch.compile."""
    cells = physical.domain["x"] / physical.resolution["x"]
    dt, substeps = physical.dt, physical.pde_params.diffusion_substeps
    size = physical.resolution["x"]
    nu = torch.from_numpy(true_parameter(physical, "viscosity").astype(np.float32))
    start = torch.from_numpy(states).permute(0, 3, 1, 2).contiguous()
    i = torch.arange(size, dtype=torch.float32)[:, None]
    j = torch.arange(size, dtype=torch.float32)[None]
    batch = torch.arange(len(states))[:, None, None]

    def step(u: torch.Tensor) -> torch.Tensor:
        x, y = i - u[:, 0] * (dt / cells), j - u[:, 1] * (dt / cells)
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
            u = u + nu * (dt / substeps / cells**2) * (around - 4 * u)
        return u

    fused = torch.compile(step)

    def run() -> object:
        u = start
        with torch.no_grad():
            for _ in range(STEPS):
                u = fused(u)
        return u

    return run


def rollout(folder: Path) -> None:
    """Milliseconds a step of a roll-out: eager, per-step jit, whole jit, by hand."""
    physical: Any = experiment_settings(folder, "burgers").model.physical
    for count in (1, 8, 32):
        states = _states(physical, count)
        legacy = _legacy_rollout(physical, states)
        sides = {"port, torch": _port_rollout(physical, states, "torch")}
        sides["port, jax"] = _port_rollout(physical, states, "jax")
        sides["torch.compile by hand"] = _bare(physical, states)
        sides["PhiFlow eager"] = _legacy_rollout(physical, states, eager=True)
        print(f"batch {count}; first call of legacy {_seconds(legacy):.2f} s")
        for name, side in sides.items():
            first = _seconds(side)
            rounds = 7 if "eager" in name else 15
            ratio = interleaved(side, legacy, rounds=rounds)
            each = [1e3 * s / STEPS for s in ratio.seconds]
            print(
                f"  {name}: {each[0]:.3f} ms a step, legacy {each[1]:.3f}; legacy takes"
                f" {1 / ratio.median:.2f}x [{1 / ratio.high:.2f}, {1 / ratio.low:.2f}];"
                f" first call {first:.2f} s"
            )


def _seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gradient(folder: Path) -> None:
    """Loss with its gradient by the viscosity field, 4 steps."""
    for windows in (1, 8, 32):
        own = (f"trainer.physical.windows={windows}", "general.mode=physical")
        settings = simulated(experiment_settings(folder, "burgers", *own))
        legacy: Any = physics.build_learner(settings)
        start = {n: r.start for n, r in parameter_ranges(settings).items()}
        control = _legacy_gradient(legacy, start)
        print(f"batch {windows}; first call of legacy {_seconds(control):.2f} s")
        for backend in ("torch", "jax"):
            migration = replace(
                settings.migration, physics="phiml", phiml_backend=backend
            )
            port: Any = physics.build_learner(replace(settings, migration=migration))
            run = _port_gradient(port, start)
            first = _seconds(run)
            ratio = interleaved(run, control, rounds=11)
            mine, theirs = (1e3 * s for s in ratio.seconds)
            print(
                f"  port, {backend}: {mine:.1f} ms, legacy {theirs:.1f} ms; legacy"
                f" takes {1 / ratio.median:.2f}x [{1 / ratio.high:.2f},"
                f" {1 / ratio.low:.2f}]; first call {first:.2f} s"
            )


def _legacy_gradient(learner: Any, start: Any) -> Work:
    values = np.array(start["viscosity"], np.float32)

    def run() -> object:
        native = torch.from_numpy(values).requires_grad_()
        named = {"viscosity": math.wrap(native, math.spatial("x,y"))}
        loss = learner._loss(named, learner._windows)
        return torch.autograd.grad(loss.native(), native)[0]

    return run


def _port_gradient(learner: Any, start: Any) -> Work:
    def run() -> object:
        _, found = learner.loss_and_gradient(start)
        return _done(found["viscosity"])

    return run


def hybrid(folder: Path) -> None:
    """The hybrid training of Burgers, 2 cycles, same work, end to end."""
    jax = "migration.phiml_backend=jax"
    sides = {
        "legacy": ("migration=legacy",),
        "full": ("migration=full",),
        "full, physics on JAX": ("migration=full", jax),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    common = (
        *("general.mode=hybrid", "trainer.hybrid.warm_up_epochs=1"),
        *("trainer.hybrid.epochs=1", "trainer.train_sim=[0,1,2,3]"),
    )
    simulated(experiment_settings(folder, "burgers", *common))
    for number in range(3):
        for name in sides if number % 2 else reversed(sides):
            own = sides[name]
            settings = experiment_settings(folder, "burgers", *own, *common)
            start = time.perf_counter()
            trainer = physics.build_hybrid_trainer(training_settings(settings))
            trainer.train(RunFolder(settings), Progress())
            times[name].append(time.perf_counter() - start)
            rows = trainer.physical.state.history
            print(
                f"  {name}: {times[name][-1]:.1f} s, of it physical"
                f" {sum(r['seconds'] for r in rows):.1f} s",
                flush=True,
            )
    for name in ("full", "full, physics on JAX"):
        pairs = zip(times[name], times["legacy"], strict=True)
        ratios = np.round([b / a for a, b in pairs], 2)
        print(f"hybrid, legacy / {name}: median {np.median(ratios):.2f}, {ratios}")


def recover(folder: Path) -> None:
    """The viscosity field from clean data, and from data with 1 % noise."""
    for name, noise in (("clean", 0.0), ("1 % noise", 0.01)):
        own = folder / name.replace(" ", "")
        settings = simulated(
            experiment_settings(
                own,
                "burgers",
                *("general.mode=physical", "migration=full"),
                *("trainer.physical.windows=64", "trainer.physical.rounds=5"),
                "trainer.physical.iterations=40",
            )
        )
        if noise:
            _add_noise(settings, noise)
        trainer = physics.build_physical_trainer(settings)
        spent = _seconds(
            lambda t=trainer, s=settings: t.train(RunFolder(s), Progress())
        )
        print(f"{name}: {_errors(settings, trainer)}, {spent:.0f} s")


def _errors(settings: Settings, trainer: PhysicalTrainer) -> str:
    truth = true_parameter(settings.model.physical, "viscosity")
    size = np.linalg.norm(truth)
    before = np.linalg.norm(trainer.ranges["viscosity"].guess - truth) / size
    after = np.linalg.norm(trainer.parameters["viscosity"] - truth) / size
    return f"relative L2 error of the viscosity {before:.3f} before, {after:.4f} after"


def _add_noise(settings: Settings, share: float) -> None:
    """Adds Gaussian noise of a share of the root mean square to every frame."""
    generator = np.random.default_rng(0)
    for simulation in range(settings.data.num_simulations):
        scene = open_scene(settings, simulation)
        for file in scene.files():
            with np.load(file, allow_pickle=False) as content:
                arrays = {n: content[n] for n in ("data", "dim_names")}
            size = np.sqrt(np.mean(arrays["data"] ** 2))
            noise = generator.standard_normal(arrays["data"].shape) * size * share
            arrays["data"] = (arrays["data"] + noise).astype(arrays["data"].dtype)
            np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    measure_one(
        {
            "rollout": rollout,
            "gradient": gradient,
            "hybrid": hybrid,
            "recover": recover,
        },
        __doc__,
    )
