"""The pseudo-spectral reference, against exact solutions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment.data.spectral import FourierDerivatives, SpectralRun
from experiment.equations import Equation
from tests.helpers import relative_error, small

_LINE = (
    *("~model.physical.domain.y", "~model.physical.resolution.y"),
    *("model.physical.domain.x=8.0", "model/synthetic=convnet"),
)


def _equation(path: Path, *words: str, experiment: str = "heat") -> Equation:
    return small(path, *words, experiment=experiment).model.physical


def _wave(equation: Equation, x: int, y: int = 0) -> np.ndarray:
    places: dict[str, Any] = equation.positions
    phase = x * places["x"] / equation.domain["x"]
    if y:
        phase = phase + y * places["y"] / equation.domain["y"]
    return np.cos(2 * np.pi * phase)


def test_a_wave_of_heat_decays_exactly(tmp_path: Path) -> None:
    """exp(-kappa k^2 t), with k^2 = (2 pi)^2 ((2/8)^2 + (1/4)^2)."""
    heat = _equation(tmp_path, "model.physical.pde_params.diffusivity=0.2")
    run = SpectralRun(heat, 0, 0, 1)
    run.state["temperature"] = _wave(heat, 2, 1)
    square = (2 * np.pi) ** 2 * ((2 / 8) ** 2 + (1 / 4) ** 2)
    exact = np.exp(-0.2 * square * 0.5) * run.state["temperature"]
    run.advance(0.5)
    assert relative_error(run.state["temperature"], exact) < 1e-3
    run = SpectralRun(heat, 0, 0, 1)
    run.state["temperature"] = _wave(heat, 2, 1)
    run.advance(0.5, steps=64)
    assert relative_error(run.state["temperature"], exact) < 1e-9


def test_time_is_of_fourth_order(tmp_path: Path) -> None:
    """Twice as many steps: a sixteenth of the error, in a coefficient that varies."""
    heat = _equation(tmp_path)
    ends = []
    for steps in (16, 32, 512):
        run = SpectralRun(heat, 0, 0, 1)
        run.advance(1.0, steps=steps)
        ends.append(run.state["temperature"])
    coarse, fine = (relative_error(end, ends[2]) for end in ends[:2])
    assert 3.8 < np.log2(coarse / fine) < 4.2


def test_burgers_as_cole_and_hopf_have_it(tmp_path: Path) -> None:
    """u = -2 nu (log phi)_x, phi = 2 + exp(-nu k^2 t) cos kx; spectral in the cell."""
    errors = []
    for cells in (16, 32, 64):
        words = (*_LINE, f"model.physical.resolution.x={cells}")
        viscosity = "model.physical.pde_params.viscosity=0.3"
        burgers = _equation(tmp_path, *words, viscosity, experiment="burgers")
        run = SpectralRun(burgers, 0, 0, 1)
        run.state["velocity"] = _cole_hopf(burgers, 0.0)
        run.advance(1.0, steps=400)
        errors.append(relative_error(run.state["velocity"], _cole_hopf(burgers, 1.0)))
    assert errors[0] < 2e-2
    assert errors[1] < errors[0] / 30 and errors[2] < errors[1] / 300
    assert errors[2] < 1e-8


def _cole_hopf(burgers: Equation, time: float) -> np.ndarray:
    wave, nu = 2 * np.pi / 8, 0.3
    x = np.asarray(burgers.positions["x"])
    decay = np.exp(-nu * wave**2 * time)
    phi = 2 + decay * np.cos(wave * x)
    slope = -wave * decay * np.sin(wave * x)
    return (-2 * nu * slope / phi)[:, None]


@pytest.mark.parametrize("form", ("divergence", "laplacian"))
def test_rates_of_a_coefficient_that_varies_are_exact(
    tmp_path: Path, form: str
) -> None:
    """k = 0.2 + 0.1 sin ax, T = cos(ax + by): div(k grad T) = k lap T + k_x T_x."""
    words = (
        "model.physical.pde_params.diffusivity='0.2 + 0.1 * sin(2*pi*x/size_x)'",
        f"model.physical.pde_params.diffusion={form}",
    )
    heat = _equation(tmp_path, *words)
    places: dict[str, Any] = heat.positions
    a, b = 2 * np.pi / heat.domain["x"], 2 * np.pi / heat.domain["y"]
    phase = a * places["x"] + b * places["y"]
    k = heat.true_parameter("diffusivity")
    exact = -k * (a**2 + b**2) * np.cos(phase)
    if form == "divergence":
        exact = exact - 0.1 * a * np.cos(a * places["x"]) * a * np.sin(phase)
    rates = heat.spectral_rates(
        {"temperature": np.cos(phase)}, {"diffusivity": k}, FourierDerivatives(heat)
    )
    assert relative_error(rates["temperature"], exact) < 1e-12


def test_rates_of_burgers_in_two_dimensions(tmp_path: Path) -> None:
    """u = (sin by, cos ax): (u . grad) u = (b u_y cos by, -a u_x sin ax)."""
    burgers = _equation(
        tmp_path, "model.physical.pde_params.viscosity=0.0", experiment="burgers"
    )
    places: dict[str, Any] = burgers.positions
    a, b = 2 * np.pi / burgers.domain["x"], 2 * np.pi / burgers.domain["y"]
    u, v = np.sin(b * places["y"]), np.cos(a * places["x"])
    slopes = b * np.cos(b * places["y"]), -a * np.sin(a * places["x"])
    exact = np.stack([v * slopes[0], u * slopes[1]])
    rates = burgers.spectral_rates(
        {"velocity": np.stack([u, v], -1)},
        {"viscosity": np.zeros(())},
        FourierDerivatives(burgers),
    )
    assert relative_error(rates["velocity"], -np.moveaxis(exact, 0, -1)) < 1e-12


def test_a_density_is_carried(tmp_path: Path) -> None:
    """By a uniform velocity and its factor: rho(x - f u t)."""
    words = (
        "model.physical.pde_params.velocity_factor=0.5",
        "model.physical.resolution={x: 16, y: 8}",
    )
    advection = _equation(tmp_path, *words, experiment="advection")
    run = SpectralRun(advection, 0, 0, 1)
    run.state["density"] = _wave(advection, 2)
    run.state["velocity"] = np.broadcast_to([1.0, 0.0], (16, 8, 2))
    run.advance(2.0, steps=200)
    places: dict[str, Any] = advection.positions
    exact = np.cos(2 * np.pi * 2 * (places["x"] - 0.5 * 2.0) / 8.0)
    assert relative_error(run.state["density"], exact) < 1e-8


@pytest.mark.parametrize("refinement", (1, 2, 3))
def test_samples_are_at_the_cell_centres(tmp_path: Path, refinement: int) -> None:
    for experiment, name in (("heat", "temperature"), ("advection", "velocity")):
        words = ("model.physical.pde_params.initial_wavenumber=2",)
        equation = _equation(tmp_path, *words, experiment=experiment)
        run = SpectralRun(equation, 3, 1, refinement)
        exact = equation.initial_state(3, 1)[name]
        assert relative_error(run.sample(name), exact) < 1e-12


def test_the_tail_tells_a_front_from_a_wave(tmp_path: Path) -> None:
    heat = _equation(tmp_path)
    operators = FourierDerivatives(heat)
    assert operators.tail(_wave(heat, 2)) < 1e-12
    front = np.where(np.asarray(heat.positions["x"]) < 4.0, 1.0, 0.0)
    assert operators.tail(front) > 0.1
    assert operators.tail(np.ones((16, 8))) == 0.0


def test_a_modulated_velocity_carries(tmp_path: Path) -> None:
    """-f m(x) u . grad rho, with rho = cos ax and u = (1, 0)."""
    modulation = "1 + 0.5 * sin(2*pi*x/size_x)"
    advection = _equation(
        tmp_path,
        f"model.physical.pde_params.velocity_modulation='{modulation}'",
        "model.physical.pde_params.velocity_factor=0.5",
        experiment="advection",
    )
    a = 2 * np.pi / advection.domain["x"]
    x: Any = advection.positions["x"]
    rates = advection.spectral_rates(
        {"density": np.cos(a * x), "velocity": np.broadcast_to([1.0, 0.0], (16, 8, 2))},
        {name: advection.true_parameter(name) for name in advection.parameters},
        FourierDerivatives(advection),
    )
    exact = 0.5 * (1 + 0.5 * np.sin(a * x)) * a * np.sin(a * x)
    assert relative_error(rates["density"], exact) < 1e-12
