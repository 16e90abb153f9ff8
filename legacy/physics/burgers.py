"""Burgers' equation."""

from phi import field
from phi.field import Field
from phi.physics import advect


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

    Shapes: `velocity` is a centred grid `(x, y, vector=(x, y))` with any batch dims.

    Order: the interpolation error is O(dx^2 / dt) a unit of time and the splitting
    O(dt), so with dt in proportion to dx the error is of first order.

    Notes: stable for `sum over axes of nu dt / (substeps dx^2) <= 1/2`; advection is
    stable at any Courant number, but smears.

    Good values: Courant number |u| dt / dx up to 1, diffusion number up to 0.25.

    Args:
        dt: Time between two frames, in s.
        diffusion_substeps: Number of diffusion steps a frame.

    Source: semi-Lagrangian advection is Stam 1999 (doi:10.1145/311535.311548), as
    `phi.physics.advect.semi_lagrangian` has it.
    """

    def __init__(self, *, dt: float, diffusion_substeps: int) -> None:
        self.dt = dt
        self.diffusion_substeps = diffusion_substeps

    def step(self, velocity: Field, viscosity: Field) -> Field:
        """The velocity one frame later."""
        velocity = advect.semi_lagrangian(velocity, velocity, self.dt)
        amount = viscosity * (self.dt / self.diffusion_substeps)
        # PhiFlow 3.4.0's diffuse.explicit raises for a vector field with a viscosity
        # that varies in space.
        for _ in range(self.diffusion_substeps):
            velocity = velocity + amount * field.laplace(velocity)
        return velocity
