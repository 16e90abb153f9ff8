"""The contract of an equation: all that is known of a PDE without a framework.

An equation is a frozen dataclass that pydantic fills from `model.physical`, so its
fields are settings; its methods say what everything else needs to know of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from experiment.equations.derivatives import Derivatives
from experiment.equations.expressions import evaluate_expression
from experiment.system import STRICT, Extent, SettingsError

Axis = Literal["x", "y", "z"]
AXES: tuple[Axis, ...] = ("x", "y", "z")
Domain = Annotated[dict[Axis, Extent], Field(min_length=1)]
Cells = Annotated[int, Field(ge=2, le=2**24)]
Resolution = Annotated[dict[Axis, Cells], Field(min_length=1)]
#: Steps of diffusion between two frames; each is compiled on its own.
Substeps = Annotated[int, Field(ge=1, le=1000)]
#: `divergence` is div(nu grad u), with the smaller nu of both cells at the face between
#: them; `laplacian` is nu lap u.
DiffusionForm = Literal["divergence", "laplacian"]
#: Fields of a simulation by name, float64 `(x, y, ..., vector)`; a scalar field has no
#: last axis.
State = Mapping[str, np.ndarray]


@dataclass(frozen=True, config=STRICT)
class Equation(ABC):
    """A PDE on a periodic box, with its parameters.

    Attributes:
        name: Its key in `EQUATIONS`.
        domain: Sizes of the box in m, by axis.
        resolution: Cells along each axis.
        dt: Time between two frames, in s.
    """

    name: str
    domain: Domain
    resolution: Resolution
    dt: Extent

    #: `module:class` of its model below each side's package, the same on both sides.
    source: ClassVar[str]
    #: Units of fields and parameters by name, such as `m^2/s`.
    units: ClassVar[Mapping[str, str]]
    #: Names of the parameters that can be learned.
    parameters: ClassVar[tuple[str, ...]]
    #: Fields that never change.
    constant_fields: ClassVar[tuple[str, ...]]
    #: A component that grows beyond this times its initial maximum has diverged.
    growth_limit: ClassVar[float]
    #: What to do when a simulation diverges.
    remedy: ClassVar[str]
    #: Whether it has `spectral_rates`, so that `data.reference=spectral` can be used.
    has_spectral: ClassVar[bool] = False

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Names of the spatial dims in order."""
        return tuple(self.domain)

    @property
    def cell_sizes(self) -> dict[str, float]:
        """Edge of a cell along each axis, in m."""
        return {a: self.domain[a] / self.resolution[a] for a in self.axes}

    @property
    def positions(self) -> dict[str, np.ndarray | float]:
        """Cell centres `x`, ... (arrays `(x, y, ...)`, m) and `size_x`, ... (m)."""
        steps = self.cell_sizes
        centres = [(np.arange(self.resolution[a]) + 0.5) * steps[a] for a in self.axes]
        grids = np.meshgrid(*centres, indexing="ij")
        sizes = {f"size_{a}": self.domain[a] for a in self.axes}
        return {**dict(zip(self.axes, grids, strict=True)), **sizes}

    @property
    @abstractmethod
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Components of every field by its name; a scalar field has none."""

    @abstractmethod
    def initial_state(self, seed: int, simulation: int) -> State:
        """The fields of one simulation at time 0, the same for every implementation.

        Args:
            seed: Seed of the data.
            simulation: Number of the simulation; each draws its own state.
        """

    @abstractmethod
    def true_parameter(self, name: str) -> np.ndarray:
        """The parameter that data are simulated with, float64 `(x, y, ...)` or 0-d.

        Raises:
            SettingsError: Its expression can't be computed.
        """

    @abstractmethod
    def stability_limit(self, name: str) -> float:
        """The largest value of a parameter at which the scheme is stable, or inf."""

    def refined(self, factor: int) -> Self:
        """The same equation on a grid and in time steps finer by a factor."""
        cells = {axis: size * factor for axis, size in self.resolution.items()}
        others = self.finer_settings(factor)
        return replace(self, resolution=cells, dt=self.dt / factor, **others)

    def coarsened(self, factor: int) -> Self:
        """The same equation and time step on a grid coarser by a factor.

        Explicit schemes that are stable on the finer grid are stable on this one.

        Args:
            factor: Divides the cells along every axis.
        """
        if factor == 1:
            return self
        cells = {axis: size // factor for axis, size in self.resolution.items()}
        return replace(self, resolution=cells)

    def finer_settings(self, factor: int) -> dict[str, Any]:
        """What else changes on a finer grid, so that the scheme stays stable."""
        return {}

    def spectral_speeds(
        self, state: State, parameters: State
    ) -> tuple[np.ndarray, float]:
        """The largest speed along each axis in m/s, and diffusivity in m^2/s.

        They say how short the steps of `data.reference=spectral` have to be.
        """
        raise NotImplementedError

    def spectral_rates(
        self, state: State, parameters: State, derivatives: Derivatives
    ) -> State:
        """The time derivative of every field that changes, of the PDE itself.

        Args:
            state: All fields.
            parameters: The true parameters by name.
            derivatives: Derivatives in space, of any accuracy.
        """
        raise NotImplementedError

    @property
    def kept_by_a_step(self) -> int:
        """Arrays of its dynamic fields that a step keeps for its gradient, at least.

        For the estimate of memory; one, the state, if an equation doesn't say.
        """
        return 1

    def impossible(self) -> Iterator[str]:
        """What the values together do not allow, a sentence each."""
        yield from ()

    def coefficient(self, name: str, value: str | float) -> np.ndarray:
        """A coefficient at every cell, float64 `(x, y, ...)`.

        Args:
            name: Its key in `pde_params`.
            value: A number, or an expression of the position.

        Raises:
            SettingsError: The expression can't be computed.
        """
        key = f"model.physical.pde_params.{name}"
        return evaluate_expression(value, key, self.positions)

    def impossible_coefficient(
        self, name: str, value: str | float, *, negative: bool
    ) -> Iterator[str]:
        """Says why a coefficient can't be computed, or that it is negative.

        Args:
            name: Its key in `pde_params`.
            value: A number, or an expression of the position.
            negative: Whether it may be.
        """
        try:
            lowest = self.coefficient(name, value).min()
        except SettingsError as error:
            yield str(error)
            return
        if lowest < 0 and not negative:
            yield (
                f"`model.physical.pde_params.{name}` falls to {lowest:.3g}"
                f" {self.units[name]}; a {name} must not be negative."
            )

    @abstractmethod
    def stability_warnings(self, initial: Sequence[State]) -> list[str]:
        """Why the scheme may be inaccurate or unstable from these initial states."""

    def courant_warnings(self, velocities: Sequence[np.ndarray]) -> list[str]:
        """Warns of semi-Lagrangian advection that crosses several cells in a step.

        Args:
            velocities: `(x, y, ..., vector)` in m/s.
        """
        cells = self.cell_sizes
        courant = max(
            float(np.abs(velocity)[..., i].max()) * self.dt / cells[axis]
            for velocity in velocities
            for i, axis in enumerate(self.axes)
        )
        if courant <= 2:
            return []
        return [
            f"the Courant number |u| dt / dx of the initial states reaches"
            f" {courant:.2f}; expected at most 2. Semi-Lagrangian advection stays"
            " stable but loses accuracy: lower `model.physical.dt`."
        ]

    def kept_by_diffusion(self, substeps: int, form: DiffusionForm) -> int:
        """Arrays that explicit steps of diffusion keep, see `kept_by_a_step`.

        In `divergence` the difference and the flux along each axis, in `laplacian` the
        Laplacian.
        """
        return substeps * (2 * len(self.axes) if form == "divergence" else 1)

    def diffusion_limit(self, substeps: int) -> float:
        """The largest coefficient k that explicit Euler steps are stable at.

        In m^2/s: `sum over axes of k dt / (substeps dx^2) <= 1/2`. For k lap u, and for
        div(k grad u) as well, where k at a face is the smaller of both cells' and so at
        most the largest of all.
        """
        inverse = sum(1 / size**2 for size in self.cell_sizes.values())
        return 0.5 * substeps / (self.dt * inverse)

    def diffusion_warnings(
        self, symbol: str, largest: float, substeps: int
    ) -> list[str]:
        """Warns of explicit diffusion above its stability limit.

        Args:
            symbol: Of the coefficient, for the message.
            largest: Its largest value, in m^2/s.
            substeps: Steps of diffusion between two frames.
        """
        number = largest * self.dt / substeps
        number *= sum(1 / size**2 for size in self.cell_sizes.values())
        if number <= 0.5:
            return []
        return [
            f"the diffusion number {symbol} dt / (substeps dx^2), summed over the axes,"
            f" reaches {number:.3g}; the explicit scheme is stable up to 0.50."
            " Raise `model.physical.pde_params.diffusion_substeps` or lower"
            " `model.physical.dt`."
        ]
