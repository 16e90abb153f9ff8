"""The physics against exact solutions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phi.field import Field
from phiml import math
from phiml.math import spatial

from experiment.equations import Equation
from legacy.physics import PhysicalModel
from legacy.physics.advection import AdvectionModel
from legacy.physics.burgers import BurgersModel
from legacy.physics.model import vector
from tests.helpers import relative_error, small
from tests.physics_cases import (
    EXPERIMENTS,
    LAPLACIAN,
    burgers,
    cole_hopf,
    model_class,
)


@pytest.fixture(autouse=True)
def _torch() -> None:
    math.use("torch")


def numpy(field: Field) -> np.ndarray:
    names = [d for d in ("x", "y", "vector") if d in field.values.shape]
    return field.values.numpy(names)


def grid(values: np.ndarray, equation: Equation) -> Field:
    """A grid of `(x, y)` or `(x, y, vector)` values."""
    components = equation.axes if values.ndim > len(equation.axes) else ()
    tensor = math.tensor(values, spatial(*equation.axes), vector(components))
    return PhysicalModel(equation).grid(tensor)


def cole_hopf_error(path: Path, cells: int) -> float:
    """Relative error at t = 0.2 with dt in proportion to dx."""
    viscosity, end, steps = 0.1, 0.2, cells // 2
    equation = burgers(path, cells, end / steps, 5 * cells // 16)
    model = PhysicalModel(equation)
    x = np.asarray(equation.positions["x"])
    with math.precision(64):
        start = np.stack([cole_hopf(x, 0, viscosity), 0 * x], -1)
        parameters = {"viscosity": grid(np.full_like(x, viscosity), equation)}
        initial = {"velocity": grid(start, equation)}
        *_, last = model.rollout(initial, parameters, steps)
        found = numpy(last["velocity"])
    np.testing.assert_array_equal(found[..., 1], 0)
    return relative_error(found[..., 0], cole_hopf(x, end, viscosity))


def stepped(equation: Any, velocity: np.ndarray, viscosity: Any) -> np.ndarray:
    """The velocity after one step that is not compiled."""
    state = {"velocity": grid(velocity, equation)}
    return numpy(
        BurgersModel(equation).step(state, {"viscosity": viscosity})["velocity"]
    )


@pytest.mark.long
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
    amplitude, viscosity, dt = 1e-9, 0.05, 0.01
    equation = burgers(tmp_path, 64, dt, 5)
    phase = np.asarray(equation.positions["x"]) * 2 * np.pi
    start = np.stack([0 * phase, amplitude * np.sin(phase)], -1)
    with math.precision(64):
        nu = grid(np.full_like(phase, viscosity), equation)
        after = stepped(equation, start, nu)
        # A number is as good as a field of it.
        same = stepped(equation, start, math.tensor(np.asarray(viscosity)))
    eigenvalue = (2 - 2 * np.cos(2 * np.pi / 64)) * 64**2
    factor = (1 - viscosity * dt / 5 * eigenvalue) ** 5
    assert relative_error(after[..., 1], factor * start[..., 1]) < 1e-9
    assert factor == pytest.approx(np.exp(-viscosity * (2 * np.pi) ** 2 * dt), rel=1e-3)
    assert relative_error(same, after) < 1e-14


def test_a_viscosity_that_varies_multiplies_the_laplacian(tmp_path: Path) -> None:
    """One substep from a small field: u + dt nu(x) lap u, by NumPy."""
    dt = 0.05
    equation = burgers(tmp_path, 16, dt, 1, LAPLACIAN)
    generator = np.random.default_rng(0)
    start = 1e-12 * generator.standard_normal((16, 8, 2))
    nu = generator.uniform(0, 1e-2, (16, 8))
    laplacian = sum(
        (np.roll(start, 1, a) - 2 * start + np.roll(start, -1, a)) * n**2
        for a, n in ((0, 16), (1, 8))
    )
    with math.precision(64):
        after = stepped(equation, start, grid(nu, equation))
    assert relative_error(after, start + dt * nu[..., None] * laplacian) < 1e-9


def test_advection_by_whole_cells_is_a_shift(tmp_path: Path) -> None:
    equation: Any = small(
        tmp_path, "model.physical.dt=2.0", experiment="advection"
    ).model.physical
    density = np.random.default_rng(0).standard_normal((16, 8))
    velocity = np.tile([1.0, -0.5], (16, 8, 1))
    with math.precision(64):
        state = {
            "density": grid(density, equation),
            "velocity": grid(velocity, equation),
        }
        numbers = {"velocity_factor": 0.5, "velocity_modulation": 2.0}
        parameters = {name: math.tensor(value) for name, value in numbers.items()}
        after = numpy(AdvectionModel(equation).step(state, parameters)["density"])
    # Cells are 0.5 m wide: 2 m and -1 m are 4 and -2 cells.
    assert relative_error(after, np.roll(density, (4, -2), (0, 1))) < 1e-13


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_compiled_step_is_the_step(tmp_path: Path, experiment: str) -> None:
    """Tracing must not bake anything in: two different states, same compiled step."""
    equation = small(tmp_path, experiment=experiment).model.physical
    model = PhysicalModel(equation)
    with math.precision(64):
        for simulation in (0, 1):
            arrays = equation.initial_state(0, simulation)
            state = {name: grid(values, equation) for name, values in arrays.items()}
            parameters = model.parameters({})
            compiled = model.step(state, parameters)
            changed = model_class("legacy", equation)(equation).step(state, parameters)
            assert compiled.keys() == state.keys()
            assert changed.keys() == state.keys() - set(equation.constant_fields)
            for name, expected in changed.items():
                assert relative_error(numpy(compiled[name]), numpy(expected)) < 1e-14
