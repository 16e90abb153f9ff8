"""The heat equation."""

from phi import field

from experiment.equations import Heat
from legacy.physics.model import Fields


class HeatModel:
    """Heat conduction on a periodic box, in 1 to 3 dimensions.

        dT/dt = kappa(x) lap T

    Symbols: temperature T `temperature` (K, the deviation from its mean), diffusivity
    kappa `diffusivity` (m^2/s, a field, or a number), time step `dt` (s),
    `diffusion_substeps` of it.

    Scheme: `diffusion_substeps` explicit Euler steps of length dt / substeps with the
    second-order central Laplacian (2 rank + 1 points). The diffusivity multiplies the
    Laplacian; it is not inside a divergence.

    Boundary: periodic in every dimension. Values are at the cell centres.

    Shapes: `temperature` is a centred grid `(x, y)`, `diffusivity` a grid `(x, y)` or
    a number, both with any batch dims.

    Notes: stable for `sum over axes of kappa dt / (substeps dx^2) <= 1/2`. With a
    constant diffusivity, the sum over all cells is conserved.

    Good values: diffusion number up to 0.25.

    Args:
        equation: Its settings.
    """

    def __init__(self, equation: Heat) -> None:
        self._substeps = equation.pde_params.diffusion_substeps
        self._length = equation.dt / self._substeps

    def step(self, state: Fields, parameters: Fields) -> Fields:
        """The temperature one frame later."""
        temperature = state["temperature"]
        amount = parameters["diffusivity"] * self._length
        for _ in range(self._substeps):
            temperature = temperature + amount * field.laplace(temperature)
        return {"temperature": temperature}
