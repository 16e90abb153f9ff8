"""Roll-outs of the PDE as each side compiles them, eagerly, and by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import build
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

    model = build.physical_model(physical, "legacy")
    step = build.eager_step(physical) if eager else model.step
    parameters = _true_parameters(model)
    dims = math.spatial(*physical.axes) & math.channel(vector=physical.axes)
    single = len(states) == 1
    values = math.tensor(states[0] if single else states, _with_batch(single, dims))
    start = {"velocity": model.grid(values)}

    def call() -> Any:
        state = start
        for _ in range(steps):
            state = step(state, parameters)
        finish()
        return state["velocity"]

    def array(velocity: Any) -> np.ndarray:
        values: Any = math.expand(velocity.values, math.batch(batch=len(states)))
        return values.numpy(["batch", *physical.axes, "vector"])

    return call, array


def _on_tensors(physical: Any, states: np.ndarray, steps: int, backend: str) -> Made:
    """The whole roll-out on PhiML tensors as one compiled function."""
    from phiml import math

    on = build.port_backend(backend)
    model = build.physical_model(physical, "phiml")
    with on:
        dims = math.spatial(*physical.axes) & math.channel(vector=physical.axes)
        start = {"velocity": math.tensor(states, _with_batch(False, dims))}
        parameters = _true_parameters(model)

    def call() -> Any:
        with on:
            *_, last = model.rollout(start, parameters, steps, chunk=steps)
        wait_for(last["velocity"], backend)
        return last["velocity"]

    return call, lambda moved: moved.numpy(["batch", *physical.axes, "vector"])


def _true_parameters(model: Any) -> Any:
    """The parameters of the equation in float32, as both sides compute."""
    true = model.equation.true_parameter
    return model.parameters(
        {n: model.tensor(true(n).astype(np.float32)) for n in model.equation.parameters}
    )


def _with_batch(single: bool, dims: Any) -> Any:
    from phiml import math

    return dims if single else math.concat_shapes(math.batch("batch"), dims)


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
    amount = nu * (dt / substeps / edge**2)
    faces = {d: torch.minimum(amount, amount.roll(-1, d)) for d in (-2, -1)}
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
            fluxes = {d: face * (u.roll(-1, d) - u) for d, face in faces.items()}
            u = u + sum(flux - flux.roll(1, d) for d, flux in fluxes.items())
        return u

    fused = torch.compile(step)

    def call() -> Any:
        u = start
        with torch.no_grad():
            for _ in range(steps):
                u = fused(u)
        return u

    return call, lambda u: u.permute(0, 2, 3, 1).contiguous().numpy()
