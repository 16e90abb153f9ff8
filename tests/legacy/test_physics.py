"""The physics against exact solutions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phi.field import Field
from phiml import math

from experiment.equations.burgers import Burgers
from legacy.physics import AdvectionModel, BurgersModel, centred_grid, compiled_step
from tests.helpers import relative_error, small


@pytest.fixture(autouse=True)
def _torch() -> None:
    math.use("torch")


def numpy(field: Field) -> np.ndarray:
    names = [d for d in ("x", "y", "vector") if d in field.values.shape]
    return field.values.numpy(names)


def burgers(path: Path, cells: int, *overrides: str) -> Burgers:
    physical = small(
        path,
        f"model.physical.resolution={{x: {cells}, y: 8}}",
        "model.physical.domain={x: 1.0, y: 1.0}",
        # Inside the stability limit of these cells at the default time step.
        "trainer.physical.learnable_parameters.0.initial_guess=1e-4",
        *overrides,
    ).model.physical
    assert isinstance(physical, Burgers)
    return physical


def cole_hopf(x: np.ndarray, time: float, viscosity: float) -> np.ndarray:
    """An exact periodic solution of u_t + u u_x = nu u_xx on [0, 1).

    phi = 1 + a exp(-nu k^2 t) cos(k x) solves the heat equation, is positive for
    a < 1, and u = -2 nu phi_x / phi (Cole 1951, Hopf 1950).
    """
    wave, a = 2 * np.pi, 0.9
    decay = a * np.exp(-viscosity * wave**2 * time)
    return (
        2 * viscosity * wave * decay * np.sin(wave * x) / (1 + decay * np.cos(wave * x))
    )


def cole_hopf_error(path: Path, cells: int) -> float:
    """Relative error at t = 0.2 with dt in proportion to dx."""
    viscosity, end, steps = 0.1, 0.2, cells // 2
    physical = burgers(path, cells)
    model = BurgersModel(dt=end / steps, diffusion_substeps=5 * cells // 16)
    positions = physical.positions
    x = np.asarray(positions["x"])
    with math.precision(64):
        start = np.stack([cole_hopf(x, 0, viscosity), 0 * x], -1)
        velocity = centred_grid(start, physical)
        nu = centred_grid(np.full_like(x, viscosity), physical)
        step = math.jit_compile(model.step)
        for _ in range(steps):
            velocity = step(velocity, nu)
        found = numpy(velocity)
    np.testing.assert_array_equal(found[..., 1], 0)
    return relative_error(found[..., 0], cole_hopf(x, end, viscosity))


def test_burgers_converges_to_cole_hopf_at_first_order(tmp_path: Path) -> None:
    """Semi-Lagrangian with dt ~ dx and splitting: the error halves with dx."""
    errors = [cole_hopf_error(tmp_path, cells) for cells in (32, 64, 128)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[-1] < 0.03
    assert (orders > 0.9).all() and (orders < 1.3).all(), (errors, orders)


def test_a_heat_mode_decays_at_the_rate_of_the_scheme(tmp_path: Path) -> None:
    """Without velocity to carry it, one mode shrinks by (1 - nu dt' k'^2) a substep.

    k'^2 = (2 - 2 cos(k dx)) / dx^2 is the central Laplacian's eigenvalue, and close to
    k^2, so the decay is close to exp(-nu k^2 t).
    """
    physical = burgers(tmp_path, 64)
    y_wave = np.asarray(physical.positions["x"]) * 2 * np.pi
    amplitude, viscosity, dt = 1e-9, 0.05, 0.01
    start = np.stack([0 * y_wave, amplitude * np.sin(y_wave)], -1)
    with math.precision(64):
        model = BurgersModel(dt=dt, diffusion_substeps=5)
        nu = centred_grid(np.full_like(y_wave, viscosity), physical)
        after = numpy(model.step(centred_grid(start, physical), nu))
    eigenvalue = (2 - 2 * np.cos(2 * np.pi / 64)) * 64**2
    factor = (1 - viscosity * dt / 5 * eigenvalue) ** 5
    assert relative_error(after[..., 1], factor * start[..., 1]) < 1e-9
    assert factor == pytest.approx(np.exp(-viscosity * (2 * np.pi) ** 2 * dt), rel=1e-3)


def test_a_viscosity_that_varies_multiplies_the_laplacian(tmp_path: Path) -> None:
    """One substep from a small field: u + dt nu(x) lap u, by NumPy."""
    physical = burgers(tmp_path, 16)
    generator = np.random.default_rng(0)
    start = 1e-12 * generator.standard_normal((16, 8, 2))
    nu = generator.uniform(0, 1e-2, (16, 8))
    dt = 0.05
    laplacian = sum(
        (np.roll(start, 1, a) - 2 * start + np.roll(start, -1, a)) * n**2
        for a, n in ((0, 16), (1, 8))
    )
    with math.precision(64):
        model = BurgersModel(dt=dt, diffusion_substeps=1)
        after = numpy(
            model.step(centred_grid(start, physical), centred_grid(nu, physical))
        )
    assert relative_error(after, start + dt * nu[..., None] * laplacian) < 1e-9


def test_advection_by_whole_cells_is_a_shift(tmp_path: Path) -> None:
    physical = small(tmp_path, experiment="advection").model.physical
    density = np.random.default_rng(0).standard_normal((16, 8))
    velocity = np.tile([1.0, -0.5], (16, 8, 1))
    with math.precision(64):
        model = AdvectionModel(dt=2.0)
        after = numpy(
            model.step(
                centred_grid(density, physical),
                centred_grid(velocity, physical),
                math.tensor(1.0),
            )
        )
    # Cells are 0.5 m wide: 2 m and -1 m are 4 and -2 cells.
    assert relative_error(after, np.roll(density, (4, -2), (0, 1))) < 1e-13


@pytest.mark.parametrize("experiment", ("burgers", "advection"))
def test_the_compiled_step_is_the_step(tmp_path: Path, experiment: str) -> None:
    """Tracing must not bake anything in: two different states, same compiled step."""

    physical = small(tmp_path, experiment=experiment).model.physical
    step = compiled_step(physical)
    with math.precision(64):
        for simulation in (0, 1):
            state: Any = {
                name: centred_grid(values, physical)
                for name, values in physical.initial_state(0, simulation).items()
            } | {"velocity_factor": math.tensor(1.0)}
            (changed,) = step(state).items()
            if isinstance(physical, Burgers):
                model = BurgersModel(
                    dt=physical.dt,
                    diffusion_substeps=physical.pde_params.diffusion_substeps,
                )
                expected = model.step(state["velocity"], state["viscosity"])
            else:
                expected = AdvectionModel(dt=physical.dt).step(
                    state["density"], state["velocity"], math.tensor(1.0)
                )
            assert relative_error(numpy(changed[1]), numpy(expected)) < 1e-14
