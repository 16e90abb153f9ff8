"""Burgers' equation."""

from experiment.equations import DiffusionForm
from experiment.equations.burgers import Burgers
from phiml_port.physics.model import Fields
from phiml_port.physics.stencils import explicit_diffusion, semi_lagrangian


class BurgersModel:
    """Viscous Burgers equation on a periodic box, in 1 to 3 dimensions.

        du/dt + (u . grad) u = div(nu(x) grad u)    for each component of u

    or, with `diffusion: laplacian`, nu(x) lap u on the right.

    Symbols: velocity u `velocity` (m/s), viscosity nu `viscosity` (m^2/s, a field, or
    a number), time step `dt` (s), `diffusion_substeps` of it.

    Scheme: operator splitting. First semi-Lagrangian self-advection, where each cell
    takes the value at x - u(x) dt, interpolated linearly between cell centres; then
    `diffusion_substeps` explicit Euler steps of length dt / substeps. In `divergence`,
    a step adds the fluxes nu (difference of u) / dx through the faces of a cell, each
    over dx, where nu at a face is the smaller of both cells'. In `laplacian`, it adds
    nu times the second-order central Laplacian (2 rank + 1 points). Both are the same
    for a constant nu.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `velocity` is `(x, y, vector=(x, y))`, `viscosity` `(x, y)` or a number,
    both with any batch dims.

    Notes: stable for `sum over axes of nu dt / (substeps dx^2) <= 1/2`; advection is
    stable at any Courant number, but smears. In `divergence`, diffusion keeps the sum
    of u over all cells; in `laplacian` it does so for a constant nu only. By how much
    nu of a cell exceeds that of all its neighbours has no effect in `divergence`, so no
    data can tell it.

    Good values: Courant number |u| dt / dx up to 1, diffusion number up to 0.25.

    Args:
        equation: Its settings.

    Source: semi-Lagrangian advection is Stam 1999 (doi:10.1145/311535.311548).
    """

    def __init__(self, equation: Burgers) -> None:
        self._dt, self._cells = equation.dt, equation.cell_sizes
        params = equation.pde_params
        self._substeps = params.diffusion_substeps
        self._form: DiffusionForm = params.diffusion

    def step(self, state: Fields, parameters: Fields) -> Fields:
        """The velocity one frame later."""
        velocity = state["velocity"]
        velocity = semi_lagrangian(velocity, velocity, self._dt, self._cells)
        amount = parameters["viscosity"] * (self._dt / self._substeps)
        velocity = explicit_diffusion(
            velocity, amount, self._cells, self._substeps, self._form
        )
        return {"velocity": velocity}
