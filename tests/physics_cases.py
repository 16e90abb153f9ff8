"""Equations, Scenes and learners for tests of either side's physics."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiment.data import generate
from experiment.equations import EQUATIONS, Equation
from experiment.equations.burgers import Burgers
from experiment.settings import SIDES, Settings, load_class, parameter_ranges
from experiment.system import Progress
from tests.helpers import small

DOUBLE = "general.precision=float64"
LAPLACIAN = "model.physical.pde_params.diffusion=laplacian"
#: Every equation has an experiment of its name.
EXPERIMENTS = tuple(EQUATIONS)
#: Parameters other than the experiment's, to show that they are read.
OTHER_PARAMETERS = {
    "burgers": "model.physical.pde_params.viscosity='0.01 * (1 + x/size_x)'",
    "advection": "model.physical.pde_params.velocity_factor=0.7",
    "heat": "model.physical.pde_params.diffusivity='0.3 + 0.1 * cos(2*pi*x/size_x)'",
}


def model_class(side: str, equation: type[Equation] | Equation) -> Any:
    """The class of an equation's model on a side."""
    return load_class(f"{SIDES[side]}.{equation.source}", "test")


def simulate(path: Path, experiment: str, *overrides: str) -> Path:
    """The four small simulations of an experiment below `path`, by the control."""
    from legacy.physics import SceneSimulator

    settings = small(path, *overrides, experiment=experiment)
    generate(settings, SceneSimulator(settings), Progress())
    return path


def truth(settings: Settings) -> dict[str, np.ndarray]:
    """The parameters that data are simulated with."""
    physical = settings.model.physical
    return {n: physical.true_parameter(n) for n in parameter_ranges(settings)}


def burgers(
    path: Path, cells: int, dt: float, substeps: int, *overrides: str
) -> Burgers:
    """Burgers' equation on a unit square of `cells` x 8 cells."""
    equation = small(
        path,
        f"model.physical.resolution={{x: {cells}, y: 8}}",
        "model.physical.domain={x: 1.0, y: 1.0}",
        # Inside the stability limit of these cells at the default time step.
        "trainer.physical.learnable_parameters.0.initial_guess=1e-4",
        *overrides,
    ).model.physical
    assert isinstance(equation, Burgers)
    params = replace(equation.pde_params, diffusion_substeps=substeps)
    return replace(equation, dt=dt, pde_params=params)


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
