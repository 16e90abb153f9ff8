"""Roll-outs of the PDE as each side compiles them, eagerly, and by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.harness.machine import finish

#: The port's backends; JAX is an extra that need not be installed.
BACKENDS = {"phiml": "torch", "jax": "jax"}
#: A roll-out, ready to run, and its last velocity as `(batch, x, y, vector)`.
Made = tuple[Callable[[], Any], Callable[[Any], np.ndarray]]


def make_rollout(physical: Any, states: np.ndarray, side: str, steps: int) -> Made:
    """A roll-out of a side with nothing compiled yet."""
    if side in ("legacy", "eager"):
        return _on_fields(physical, states, steps, eager=side == "eager")
    if side == "bare":
        return _by_hand(physical, states, steps)
    return _on_tensors(physical, states, steps, BACKENDS[side])


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
        wait_for(moved, backend)
        return moved

    return call, lambda moved: moved.numpy(["batch", "x", "y", "vector"])


def wait_for(tensor: Any, backend: str) -> None:
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
