"""Advection of a density."""

from phi.field import Field
from phi.physics import advect
from phiml.math import Tensor


class AdvectionModel:
    """Linear advection on a periodic box, in 2 or 3 dimensions.

        d rho/dt + f u(x) . grad rho = 0

    Symbols: density rho `density` (kg/m^rank, the deviation from its mean), carrying
    velocity u `velocity` (m/s, constant in time), `factor` f of it (no unit), time step
    `dt` (s).

    Scheme: semi-Lagrangian; each cell takes the value at x - f u(x) dt, interpolated
    linearly between cell centres. Advection by whole cells is therefore exact.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `density` is a centred grid `(x, y)`, `velocity` `(x, y, vector=(x, y))`,
    both with any batch dims.

    Notes: stable at any Courant number; not conservative; each step smears by the
    linear interpolation.

    Good values: Courant number |u| dt / dx up to 1.

    Args:
        dt: Time between two frames, in s.

    Source: Stam 1999 (doi:10.1145/311535.311548), as
    `phi.physics.advect.semi_lagrangian` has it.
    """

    def __init__(self, *, dt: float) -> None:
        self.dt = dt

    def step(self, density: Field, velocity: Field, factor: Tensor | Field) -> Field:
        """The density one frame later."""
        return advect.semi_lagrangian(density, velocity * factor, self.dt)
