"""Schemes that equations are made of, on PhiFlow's fields."""

from typing import Any

from phi import field
from phi.field import CenteredGrid, Field
from phi.geom import Box
from phi.physics import advect, diffuse
from phiml import math
from phiml.math import batch, channel, spatial

from experiment.equations import DiffusionForm


def semi_lagrangian(values: Field, velocity: Field, dt: float) -> Field:
    """`phi.physics.advect.semi_lagrangian`, the value at x - u(x) dt, in 1 to 3 dims.

    Args:
        values: A centred grid `(x, y, ...)`, with or without `vector`, and any batch
            dims.
        velocity: A centred grid `(x, y, ..., vector)` in m/s.
        dt: In s.
    """
    if values.spatial_rank > 1:
        return advect.semi_lagrangian(values, velocity, dt)
    # torch samples grids of 2 and 3 dims only.
    along: Any = velocity.values.vector["x"]
    both = math.stack({"x": along, "y": math.zeros_like(along)}, channel("vector"))
    carrying = on_a_plane(velocity.with_values(both))
    moved = advect.semi_lagrangian(on_a_plane(values), carrying, dt)
    return values.with_values(moved.values.y[0])


def explicit_diffusion(
    values: Field, viscosity: Any, dt: float, steps: int, form: DiffusionForm
) -> Field:
    """Explicit Euler steps of `div(viscosity grad values)`, or `viscosity lap values`.

    Args:
        values: A centred grid `(x, y, ...)`, with or without `vector`, and any batch
            dims.
        viscosity: In m^2/s: a centred grid `(x, y, ...)` or a number.
        dt: Length of all steps together, in s.
        steps: How many.
        form: `divergence` is `phi.physics.diffuse.explicit`, which takes the smaller
            viscosity of both cells at a face between them.
    """
    if form == "laplacian":
        amount = viscosity * (dt / steps)
        for _ in range(steps):
            values = values + amount * field.laplace(values)
        return values
    # PhiFlow refuses a vector field with a viscosity that varies in space; with its
    # components in a batch dim it is as many scalar fields.
    components = values.values.shape.only("vector")
    scalars = values.with_values(
        math.rename_dims(values.values, components, batch("component"))
    )
    if values.spatial_rank == 1 and isinstance(viscosity, Field):
        # PhiFlow's fluxes need two dims.
        scalars, viscosity = on_a_plane(scalars), on_a_plane(viscosity)
        diffused = diffuse.explicit(scalars, viscosity, dt, steps).values.y[0]
    else:
        diffused = diffuse.explicit(scalars, viscosity, dt, steps).values
    return values.with_values(math.rename_dims(diffused, "component", components))


def on_a_plane(line: Field) -> Field:
    """A field of one dim as one of two, with one cell along the other."""
    length: Any = line.bounds.size
    sizes: Any = {"x": length.vector["x"], "y": 1.0}
    values = math.expand(line.values, spatial(y=1))
    return CenteredGrid(values, line.extrapolation, Box(**sizes))
