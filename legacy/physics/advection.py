"""Advection of a density."""

from phi.physics import advect

from experiment.equations.advection import Advection
from legacy.physics.model import Fields


class AdvectionModel:
    """Linear advection on a periodic box, in 2 or 3 dimensions.

        d rho/dt + f u(x) . grad rho = 0

    Symbols: density rho `density` (kg/m^rank, the deviation from its mean), carrying
    velocity u `velocity` (m/s, constant in time), factor f `velocity_factor` of it (no
    unit), time step `dt` (s).

    Scheme: semi-Lagrangian; each cell takes the value at x - f u(x) dt, interpolated
    linearly between cell centres. Advection by whole cells is therefore exact.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `density` is a centred grid `(x, y)`, `velocity` `(x, y, vector=(x, y))`,
    `velocity_factor` a grid `(x, y)` or a number, all with any batch dims.

    Notes: stable at any Courant number; not conservative; each step smears by the
    linear interpolation.

    Good values: Courant number |u| dt / dx up to 1.

    Args:
        equation: Its settings.

    Source: Stam 1999 (doi:10.1145/311535.311548), as
    `phi.physics.advect.semi_lagrangian` has it.
    """

    def __init__(self, equation: Advection) -> None:
        self._dt = equation.dt

    def step(self, state: Fields, parameters: Fields) -> Fields:
        """The density one frame later."""
        velocity = state["velocity"] * parameters["velocity_factor"]
        return {"density": advect.semi_lagrangian(state["density"], velocity, self._dt)}
