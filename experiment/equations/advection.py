"""Advection of a density, without a framework."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic.dataclasses import dataclass

from experiment.equations.base import Equation, State
from experiment.equations.derivatives import Derivatives
from experiment.equations.waves import random_waves
from experiment.system import STRICT, Count, NotNegative, Positive


@dataclass(frozen=True, config=STRICT)
class AdvectionParams:
    """Speeds in m/s, densities in kg per m^rank; factor and modulation have no unit.

    `velocity_modulation` is a number or an expression of the position.
    """

    speed: NotNegative
    velocity_factor: float
    velocity_modulation: str | float
    speed_wavenumber: Count
    initial_density: Positive
    initial_wavenumber: Count


@dataclass(frozen=True, config=STRICT)
class Advection(Equation):
    """Linear advection, d rho/dt + f m(x) u(x) . grad rho = 0, in 2 or 3 dims.

    Fields: density (kg/m^rank); velocity (m/s), divergence-free and constant in time,
    another one for each simulation. The factor f and the modulation m, a field that is
    the same for all simulations, can be learned; data tell their product alone.
    """

    name: Literal["advection"]
    pde_params: AdvectionParams

    source = "physics.advection:AdvectionModel"
    units: ClassVar = {
        "density": "kg/m^rank",
        "velocity": "m/s",
        "velocity_factor": "1",
        "velocity_modulation": "1",
    }
    parameters = ("velocity_factor", "velocity_modulation")
    constant_fields = ("velocity",)
    # Linear interpolation makes no value larger than it was.
    growth_limit = 10.0
    has_spectral = True
    remedy = "Lower `model.physical.dt`."

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """See `Equation.fields`."""
        return {"density": (), "velocity": self.axes}

    def initial_state(self, seed: int, simulation: int) -> State:
        """See `Equation.initial_state`."""
        params = self.pde_params
        generator = np.random.default_rng([seed, simulation])
        density = random_waves(self, 1, params.initial_wavenumber, generator)
        velocity = random_waves(
            self,
            len(self.axes),
            params.speed_wavenumber,
            generator,
            divergence_free=True,
        )
        return {
            "density": density[..., 0] * params.initial_density,
            "velocity": velocity * params.speed,
        }

    def true_parameter(self, name: str) -> np.ndarray:
        """See `Equation.true_parameter`; a number stays 0-d."""
        value = {
            "velocity_factor": self.pde_params.velocity_factor,
            "velocity_modulation": self.pde_params.velocity_modulation,
        }[name]
        if isinstance(value, str):
            return self.coefficient(name, value)
        return np.asarray(value, np.float64)

    def stability_limit(self, name: str) -> float:
        """Infinite: semi-Lagrangian advection is stable at any speed."""
        return float("inf")

    def spectral_speeds(
        self, state: State, parameters: State
    ) -> tuple[np.ndarray, float]:
        """See `Equation.spectral_speeds`."""
        carrier = self._carrier(state, parameters)
        return np.abs(carrier).max(tuple(range(len(self.axes)))), 0.0

    def spectral_rates(
        self, state: State, parameters: State, derivatives: Derivatives
    ) -> State:
        """See `Equation.spectral_rates`."""
        slopes = derivatives.gradient(state["density"])
        carrier = self._carrier(state, parameters)
        carried = sum(carrier[..., i] * s for i, s in enumerate(slopes))
        return {"density": -derivatives.resolved(np.asarray(carried))}

    def _carrier(self, state: State, parameters: State) -> np.ndarray:
        """What carries the density, f m u, `(x, y, ..., vector)` in m/s."""
        scale = np.asarray(parameters["velocity_factor"])
        scale = scale * parameters["velocity_modulation"]
        return state["velocity"] * (scale[..., None] if scale.ndim else scale)

    @property
    def kept_by_a_step(self) -> int:
        """See `Equation.kept_by_a_step`."""
        # The values at all corners of a cell.
        return 2 ** len(self.axes)

    def impossible(self) -> Iterator[str]:
        """See `Equation.impossible`."""
        if len(self.axes) == 1:
            yield (
                "`model.physical.domain` has one axis; advection carries its density by"
                " a divergence-free velocity, which needs at least x and y."
            )
        value = self.pde_params.velocity_modulation
        yield from self.impossible_coefficient(
            "velocity_modulation", value, negative=True
        )

    def stability_warnings(self, initial: Sequence[State]) -> list[str]:
        """The Courant number of what carries."""
        scale = np.ones(tuple(self.resolution.values()))
        for name in self.parameters:
            scale = scale * self.true_parameter(name)
        return self.courant_warnings(
            [s["velocity"] * scale[..., None] for s in initial]
        )
