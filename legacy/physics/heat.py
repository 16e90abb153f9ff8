"""The heat equation."""

from experiment.equations import DiffusionForm, Heat
from legacy.physics.model import Fields
from legacy.physics.stencils import explicit_diffusion


class HeatModel:
    """Heat conduction on a periodic box, in 1 to 3 dimensions.

        dT/dt = div(kappa(x) grad T)

    or, with `diffusion: laplacian`, kappa(x) lap T on the right.

    Symbols: temperature T `temperature` (K, the deviation from its mean), diffusivity
    kappa `diffusivity` (m^2/s, a field, or a number), time step `dt` (s),
    `diffusion_substeps` of it.

    Scheme: `diffusion_substeps` explicit Euler steps of length dt / substeps. In
    `divergence`, a step adds the fluxes kappa (difference of T) / dx through the faces
    of a cell, each over dx, where kappa at a face is the smaller of both cells'. In
    `laplacian`, it adds kappa times the second-order central Laplacian (2 rank + 1
    points). Both are the same for a constant kappa.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `temperature` is a centred grid `(x, y)`, `diffusivity` a grid `(x, y)` or
    a number, both with any batch dims.

    Notes: stable for `sum over axes of kappa dt / (substeps dx^2) <= 1/2`. The sum over
    all cells is kept in `divergence`; in `laplacian` for a constant kappa only. By how
    much kappa of a cell exceeds that of all its neighbours has no effect in
    `divergence`, so no data can tell it.

    Good values: diffusion number up to 0.25.

    Args:
        equation: Its settings.
    """

    def __init__(self, equation: Heat) -> None:
        params, self._dt = equation.pde_params, equation.dt
        self._substeps = params.diffusion_substeps
        self._form: DiffusionForm = params.diffusion

    def step(self, state: Fields, parameters: Fields) -> Fields:
        """The temperature one frame later."""
        temperature = explicit_diffusion(
            state["temperature"],
            parameters["diffusivity"],
            self._dt,
            self._substeps,
            self._form,
        )
        return {"temperature": temperature}
