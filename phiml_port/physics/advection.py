"""Advection of a density."""

from experiment.equations.advection import Advection
from phiml_port.physics.model import Fields
from phiml_port.physics.stencils import semi_lagrangian


class AdvectionModel:
    """Linear advection on a periodic box, in 2 or 3 dimensions.

        d rho/dt + f m(x) u(x) . grad rho = 0

    Symbols: density rho `density` (kg/m^rank, the deviation from its mean), carrying
    velocity u `velocity` (m/s, constant in time), factor f `velocity_factor` and
    modulation m `velocity_modulation` of it (no unit; m is a field or a number), time
    step `dt` (s).

    Scheme: semi-Lagrangian; each cell takes the value at x - f m(x) u(x) dt,
    interpolated linearly between cell centres. Advection by whole cells is therefore
    exact.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `density` is `(x, y)`, `velocity` `(x, y, vector=(x, y))`, `velocity_factor`
    and `velocity_modulation` are `(x, y)` or numbers, all with any batch dims.

    Order: the interpolation error is O(dx^2 / dt) a unit of time and that of the place
    O(dt), so with dt in proportion to dx the error is of first order.

    Notes: stable at any Courant number; not conservative; each step smears by the
    linear interpolation. Data tell the product f m alone.

    Good values: Courant number |u| dt / dx up to 1.

    Args:
        equation: Its settings.

    Source: Stam 1999 (doi:10.1145/311535.311548).
    """

    def __init__(self, equation: Advection) -> None:
        self._dt, self._cells = equation.dt, equation.cell_sizes

    def step(self, state: Fields, parameters: Fields) -> Fields:
        """The density one frame later."""
        # First what has fewer dims.
        factor = parameters["velocity_modulation"] * parameters["velocity_factor"]
        velocity = state["velocity"] * factor
        density = semi_lagrangian(state["density"], velocity, self._dt, self._cells)
        return {"density": density}
