"""Advection of a density."""

from collections.abc import Mapping

from phiml.math import Tensor

from phiml_port.physics.stencils import carried


class AdvectionModel:
    """Linear advection on a periodic box, in 2 or 3 dimensions.

        d rho/dt + f u(x) . grad rho = 0

    Symbols: density rho `density` (kg/m^rank, the deviation from its mean), carrying
    velocity u `velocity` (m/s, constant in time), `factor` f of it (no unit), time step
    `dt` (s).

    Scheme: semi-Lagrangian; each cell takes the value at x - f u(x) dt, interpolated
    linearly between cell centres. Advection by whole cells is therefore exact.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `density` is `(x, y)`, `velocity` `(x, y, vector=(x, y))`, `factor` `(x, y)`
    or a number, all with any batch dims.

    Notes: stable at any Courant number; not conservative; each step smears by the
    linear interpolation.

    Good values: Courant number |u| dt / dx up to 1.

    Args:
        dt: Time between two frames, in s.
        cells: Edge of a cell along each axis, in m.

    Source: Stam 1999 (doi:10.1145/311535.311548).
    """

    def __init__(self, *, dt: float, cells: Mapping[str, float]) -> None:
        self.dt = dt
        self.cells = cells

    def step(self, density: Tensor, velocity: Tensor, factor: Tensor) -> Tensor:
        """The density one frame later."""
        carrier: Tensor = velocity * factor
        return carried(density, carrier, self.dt, self.cells)
