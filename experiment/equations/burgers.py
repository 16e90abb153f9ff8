"""Burgers' equation, without a framework."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic.dataclasses import dataclass

from experiment.equations.base import DiffusionForm, Equation, State, Substeps
from experiment.equations.derivatives import Derivatives, diffusion
from experiment.equations.waves import random_waves
from experiment.system import STRICT, Count, NotNegative


@dataclass(frozen=True, config=STRICT)
class BurgersParams:
    """`viscosity` is an expression in m^2/s; speeds are in m/s."""

    viscosity: str | float
    diffusion: DiffusionForm
    diffusion_substeps: Substeps
    initial_speed: NotNegative
    initial_wavenumber: Count


@dataclass(frozen=True, config=STRICT)
class Burgers(Equation):
    """Viscous Burgers equation in 1 to 3 dims.

    du/dt + (u . grad) u = div(nu(x) grad u) for each component of u, where
    `pde_params.diffusion` is `divergence`; nu(x) lap u on the right, where it is
    `laplacian`.

    Fields: velocity (m/s); viscosity (m^2/s), which never changes and can be learned.
    """

    name: Literal["burgers"]
    pde_params: BurgersParams

    source = "physics.burgers:BurgersModel"
    units: ClassVar = {"velocity": "m/s", "viscosity": "m^2/s"}
    parameters = ("viscosity",)
    constant_fields = ("viscosity",)
    # Diffusion and semi-Lagrangian advection make no component larger than it was. An
    # unstable scheme need not reach NaN: huge velocities look up one and the same value
    # everywhere, so that a wrong, constant and finite state is left.
    growth_limit = 10.0
    has_spectral = True
    remedy = (
        "Lower `model.physical.dt` or raise"
        " `model.physical.pde_params.diffusion_substeps`."
    )

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """See `Equation.fields`."""
        return {"velocity": self.axes, "viscosity": ()}

    def initial_state(self, seed: int, simulation: int) -> State:
        """See `Equation.initial_state`."""
        params = self.pde_params
        generator = np.random.default_rng([seed, simulation])
        waves = random_waves(self, len(self.axes), params.initial_wavenumber, generator)
        return {
            "velocity": waves * params.initial_speed,
            "viscosity": self.true_parameter("viscosity"),
        }

    def true_parameter(self, name: str) -> np.ndarray:
        """See `Equation.true_parameter`."""
        return self.coefficient(name, self.pde_params.viscosity)

    def stability_limit(self, name: str) -> float:
        """Explicit diffusion: `sum over axes of nu dt / (substeps dx^2) <= 1/2`."""
        return self.diffusion_limit(self.pde_params.diffusion_substeps)

    def finer_settings(self, factor: int) -> dict[str, Any]:
        """More substeps, so that the diffusion number stays what it is."""
        substeps = self.pde_params.diffusion_substeps * factor
        return {"pde_params": replace(self.pde_params, diffusion_substeps=substeps)}

    def spectral_speeds(
        self, state: State, parameters: State
    ) -> tuple[np.ndarray, float]:
        """See `Equation.spectral_speeds`."""
        speeds = np.abs(state["velocity"]).max(tuple(range(len(self.axes))))
        return speeds, float(parameters["viscosity"].max())

    def spectral_rates(
        self, state: State, parameters: State, derivatives: Derivatives
    ) -> State:
        """See `Equation.spectral_rates`."""
        velocity, form = state["velocity"], self.pde_params.diffusion
        slopes = derivatives.gradient(velocity)
        carried = sum(velocity[..., i, None] * s for i, s in enumerate(slopes))
        spread = diffusion(velocity, parameters["viscosity"], form, derivatives)
        return {"velocity": spread - derivatives.resolved(np.asarray(carried))}

    @property
    def kept_by_a_step(self) -> int:
        """See `Equation.kept_by_a_step`."""
        params = self.pde_params
        diffusion = self.kept_by_diffusion(params.diffusion_substeps, params.diffusion)
        # Advection takes the values at all corners of a cell.
        return 2 ** len(self.axes) + diffusion

    def impossible(self) -> Iterator[str]:
        """See `Equation.impossible`."""
        value = self.pde_params.viscosity
        yield from self.impossible_coefficient("viscosity", value, negative=False)

    def stability_warnings(self, initial: Sequence[State]) -> list[str]:
        """The Courant number of advection, and the diffusion number."""
        warnings = self.courant_warnings([state["velocity"] for state in initial])
        viscosity = float(initial[0]["viscosity"].max())
        substeps = self.pde_params.diffusion_substeps
        return warnings + self.diffusion_warnings("nu", viscosity, substeps)
