"""Advection of a density."""

from phi.physics import advect

from experiment.equations.advection import Advection
from legacy.physics.model import Fields


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

    Shapes: `density` is a centred grid `(x, y)`, `velocity` `(x, y, vector=(x, y))`,
    `velocity_factor` and `velocity_modulation` are grids `(x, y)` or numbers, all with
    any batch dims.

    Order: the interpolation error is O(dx^2 / dt) a unit of time and that of the place
    O(dt), so with dt in proportion to dx the error is of first order.

    Notes: stable at any Courant number; not conservative; each step smears by the
    linear interpolation. Data tell the product f m alone.

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
        # First what has fewer dims.
        factor = parameters["velocity_modulation"] * parameters["velocity_factor"]
        velocity = state["velocity"] * factor
        return {"density": advect.semi_lagrangian(state["density"], velocity, self._dt)}
