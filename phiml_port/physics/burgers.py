"""Burgers' equation."""

from collections.abc import Mapping
from typing import Any

from phiml.math import Tensor

from phiml_port.physics.stencils import carried, diffused


class BurgersModel:
    """Viscous Burgers equation on a periodic box, in 1 to 3 dimensions.

        du/dt + (u . grad) u = nu(x) lap u

    Symbols: velocity u `velocity` (m/s), viscosity nu `viscosity` (m^2/s, a field, or
    a number), time step `dt` (s).

    Scheme: operator splitting. First semi-Lagrangian self-advection, where each cell
    takes the value at x - u(x) dt, interpolated linearly between cell centres; then
    `diffusion_substeps` explicit Euler steps of length dt / substeps of nu lap u with
    the second-order central Laplacian (2 rank + 1 points). The viscosity multiplies the
    Laplacian; it is not inside a divergence.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `velocity` is `(x, y, vector=(x, y))`, `viscosity` `(x, y)` or a number,
    both with any batch dims.

    Notes: stable for `sum over axes of nu dt / (substeps dx^2) <= 1/2`; advection is
    stable at any Courant number, but smears.

    Good values: Courant number |u| dt / dx up to 1, diffusion number up to 0.25.

    Args:
        dt: Time between two frames, in s.
        diffusion_substeps: Number of diffusion steps a frame.
        cells: Edge of a cell along each axis, in m.

    Source: semi-Lagrangian advection is Stam 1999 (doi:10.1145/311535.311548).
    """

    def __init__(
        self, *, dt: float, diffusion_substeps: int, cells: Mapping[str, float]
    ) -> None:
        self.dt = dt
        self.diffusion_substeps = diffusion_substeps
        self.cells = cells

    def step(self, velocity: Tensor, viscosity: Tensor) -> Tensor:
        """The velocity one frame later."""
        velocity = carried(velocity, velocity, self.dt, self.cells)
        amount: Any = viscosity * (self.dt / self.diffusion_substeps)
        return diffused(velocity, amount, self.cells, self.diffusion_substeps)
