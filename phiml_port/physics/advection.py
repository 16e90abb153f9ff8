"""Advection of a density."""

from experiment.equations.advection import Advection
from phiml_port.physics.model import Fields
from phiml_port.physics.stencils import semi_lagrangian


class AdvectionModel:
    """Linear advection on a periodic box, in 2 or 3 dimensions.

        d rho/dt + f u(x) . grad rho = 0

    Symbols: density rho `density` (kg/m^rank, the deviation from its mean), carrying
    velocity u `velocity` (m/s, constant in time), factor f `velocity_factor` of it (no
    unit), time step `dt` (s).

    Scheme: semi-Lagrangian; each cell takes the value at x - f u(x) dt, interpolated
    linearly between cell centres. Advection by whole cells is therefore exact.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `density` is `(x, y)`, `velocity` `(x, y, vector=(x, y))`, `velocity_factor`
    `(x, y)` or a number, all with any batch dims.

    Notes: stable at any Courant number; not conservative; each step smears by the
    linear interpolation.

    Good values: Courant number |u| dt / dx up to 1.

    Args:
        equation: Its settings.

    Source: Stam 1999 (doi:10.1145/311535.311548).
    """

    def __init__(self, equation: Advection) -> None:
        self._dt, self._cells = equation.dt, equation.cell_sizes

    def step(self, state: Fields, parameters: Fields) -> Fields:
        """The density one frame later."""
        velocity = state["velocity"] * parameters["velocity_factor"]
        density = semi_lagrangian(state["density"], velocity, self._dt, self._cells)
        return {"density": density}
