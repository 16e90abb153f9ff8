"""Schemes that equations are made of, on periodic grids of cell centres.

Written on tensors, not on fields: one operation computes all simulations and all
components at once, and a roll-out becomes one compiled function.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from phiml import math
from phiml.math import batch, channel, extrapolation

#: Edge of a cell along each axis, in m.
Cells = Mapping[str, float]
#: Steps of diffusion from one halo; each adds a cell to its width on each side.
_HALO = 5


def semi_lagrangian(values: Any, velocity: Any, dt: float, cells: Cells) -> Any:
    """Semi-Lagrangian advection: the value at x - u(x) dt, interpolated linearly.

    Args:
        values: `(x, y, ...)`, with or without `vector`, and any batch dims.
        velocity: `(x, y, ..., vector)` in m/s, labelled with the axes.
        dt: In s.
        cells: Edge of a cell along each axis, in m.
    """
    axes = tuple(cells)
    sizes: Any = {a: values.shape.get_size(a) for a in axes}
    steps = _by_axis({a: dt / cells[a] for a in axes})
    points = math.meshgrid(**sizes) - velocity * steps
    # Wrapped into the grid by hand: torch's remainder takes as long as all the rest.
    size = _by_axis({a: float(sizes[a]) for a in axes})
    points = points - size * math.floor(points / size)
    for axis in axes:
        values = math.concat([values, values[{axis: slice(0, 1)}]], axis)
    return math.grid_sample(values, points, extrapolation.ZERO_GRADIENT)


def _by_axis(numbers: Mapping[str, float]) -> Any:
    """A number for each axis `(vector)`, or one for all if they are equal.

    torch multiplies by a number twice as fast as by a short vector.
    """
    several = list(numbers.values())
    if len(set(several)) > 1:
        return math.wrap(several, channel(vector=tuple(numbers)))
    return math.wrap(np.asarray(several[0]))


def explicit_diffusion(values: Any, amount: Any, cells: Cells, steps: int) -> Any:
    """Explicit Euler steps of `values + amount lap values`.

    The second-order central Laplacian has 2 rank + 1 points; the weight of each is
    computed once for all steps. The halo, cells copied from the opposite edges, is as
    wide as several steps need: each step then loses the outermost cells.

    Args:
        values: `(x, y, ...)`, with or without `vector`, and any batch dims.
        amount: Viscosity times the length of a step, in m^2: `(x, y, ...)` or a number.
        cells: Edge of a cell along each axis, in m.
        steps: How many.
    """
    # All that isn't space becomes one dim in front of it, so that the weights lie in
    # memory as the grids do.
    others = values.shape.without(tuple(cells))
    packed = math.pack_dims(values, others, batch("_packed"))
    smallest = min(int(values.shape.get_size(axis) or 1) for axis in cells)
    at_once = min(_HALO, smallest)
    for done in range(0, steps, at_once):
        packed = _with_halo(packed, amount, cells, min(at_once, steps - done))
    return math.unpack_dim(packed, "_packed", others)


def _with_halo(values: Any, amount: Any, cells: Cells, steps: int) -> Any:
    """Some steps of diffusion from one halo that is as wide as there are steps."""
    inverse = {axis: 1 / size**2 for axis, size in cells.items()}
    padded_amount = pad_periodic(amount, cells, steps - 1)
    centre_weight = 1 - padded_amount * (2 * sum(inverse.values()))
    # Axes with the same cells share a weight, so their neighbours are added first.
    weights = {size: padded_amount / size**2 for size in dict.fromkeys(cells.values())}
    padded = pad_periodic(values, cells, steps)
    for left in reversed(range(steps)):
        cut = steps - 1 - left
        total = interior(padded, cells, 1) * interior(centre_weight, cells, cut)
        for size, weight in weights.items():
            axes = [axis for axis in cells if cells[axis] == size]
            around = [interior(padded, cells, 1, a, by) for a in axes for by in (-1, 1)]
            total = total + sum(around) * interior(weight, cells, cut)
        padded = total
    return padded


def pad_periodic(values: Any, cells: Cells, width: int) -> Any:
    """With `width` cells of the opposite edge on each side, along axes that it has."""
    for axis in cells:
        if width and axis in values.shape:
            first = values[{axis: slice(0, width)}]
            last = values[{axis: slice(-width, None)}]
            values = math.concat([last, values, first], axis)
    return values


def interior(values: Any, cells: Cells, width: int, axis: str = "", by: int = 0) -> Any:
    """Without `width` cells on each side; shifted `by` a cell along an axis."""
    cut = {}
    for name in cells:
        if width and name in values.shape:
            shift = by if name == axis else 0
            cut[name] = slice(width + shift, (shift - width) or None)
    return values[cut] if cut else values
