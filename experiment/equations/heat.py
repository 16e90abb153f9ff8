"""The heat equation, without a framework."""

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
class HeatParams:
    """`diffusivity` is an expression in m^2/s; temperatures are in K."""

    diffusivity: str | float
    diffusion: DiffusionForm
    diffusion_substeps: Substeps
    initial_temperature: NotNegative
    initial_wavenumber: Count


@dataclass(frozen=True, config=STRICT)
class Heat(Equation):
    """Heat conduction in 1 to 3 dims.

    dT/dt = div(kappa(x) grad T), where `pde_params.diffusion` is `divergence`;
    kappa(x) lap T on the right, where it is `laplacian`.

    Fields: temperature (K, the deviation from its mean); diffusivity kappa (m^2/s),
    which never changes and can be learned.
    """

    name: Literal["heat"]
    pde_params: HeatParams

    source = "physics.heat:HeatModel"
    units: ClassVar = {"temperature": "K", "diffusivity": "m^2/s"}
    parameters = ("diffusivity",)
    constant_fields = ("diffusivity",)
    # Stable explicit steps make no value larger than the largest one was.
    growth_limit = 10.0
    has_spectral = True
    remedy = (
        "Lower `model.physical.dt` or raise"
        " `model.physical.pde_params.diffusion_substeps`."
    )

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """See `Equation.fields`."""
        return {"temperature": (), "diffusivity": ()}

    def initial_state(self, seed: int, simulation: int) -> State:
        """See `Equation.initial_state`."""
        params = self.pde_params
        generator = np.random.default_rng([seed, simulation])
        waves = random_waves(self, 1, params.initial_wavenumber, generator)
        return {
            "temperature": waves[..., 0] * params.initial_temperature,
            "diffusivity": self.true_parameter("diffusivity"),
        }

    def true_parameter(self, name: str) -> np.ndarray:
        """See `Equation.true_parameter`."""
        return self.coefficient(name, self.pde_params.diffusivity)

    def stability_limit(self, name: str) -> float:
        """Explicit diffusion: `sum over axes of kappa dt / (substeps dx^2) <= 1/2`."""
        return self.diffusion_limit(self.pde_params.diffusion_substeps)

    def finer_settings(self, factor: int) -> dict[str, Any]:
        """More substeps, so that the diffusion number stays what it is."""
        substeps = self.pde_params.diffusion_substeps * factor
        return {"pde_params": replace(self.pde_params, diffusion_substeps=substeps)}

    def spectral_speeds(
        self, state: State, parameters: State
    ) -> tuple[np.ndarray, float]:
        """See `Equation.spectral_speeds`."""
        speeds = np.zeros(len(self.axes))
        return speeds, float(parameters["diffusivity"].max())

    def spectral_rates(
        self, state: State, parameters: State, derivatives: Derivatives
    ) -> State:
        """See `Equation.spectral_rates`."""
        temperature, form = state["temperature"], self.pde_params.diffusion
        k = parameters["diffusivity"]
        return {"temperature": diffusion(temperature, k, form, derivatives)}

    @property
    def kept_by_a_step(self) -> int:
        """See `Equation.kept_by_a_step`."""
        params = self.pde_params
        return self.kept_by_diffusion(params.diffusion_substeps, params.diffusion)

    def impossible(self) -> Iterator[str]:
        """See `Equation.impossible`."""
        value = self.pde_params.diffusivity
        yield from self.impossible_coefficient("diffusivity", value, negative=False)

    def stability_warnings(self, initial: Sequence[State]) -> list[str]:
        """The diffusion number."""
        largest = float(initial[0]["diffusivity"].max())
        substeps = self.pde_params.diffusion_substeps
        return self.diffusion_warnings("kappa", largest, substeps)
