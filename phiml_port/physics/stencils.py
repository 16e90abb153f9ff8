"""What both equations are made of, on periodic grids of cell centres.

Written on tensors, not on fields: one operation moves all simulations and all
components at once, and a roll-out becomes one compiled function.
"""

from collections.abc import Mapping
from typing import Any

from phiml import math
from phiml.math import Tensor, channel, extrapolation


def carried(
    values: Tensor, velocity: Tensor, dt: float, cells: Mapping[str, float]
) -> Tensor:
    """Semi-Lagrangian advection: the value at x - u(x) dt, interpolated linearly.

    Args:
        values: `(x, y, ...)`, with or without `vector`, and any batch dims.
        velocity: `(x, y, ..., vector)` in m/s, labelled with the axes.
        dt: In s.
        cells: Edge of a cell along each axis, in m.
    """
    axes = tuple(cells)
    steps = math.wrap([dt / cells[a] for a in axes], channel(vector=axes))
    sizes: Any = {a: values.shape.get_size(a) for a in axes}
    centres = math.meshgrid(**sizes)
    found: Any = math.grid_sample(
        values, centres - velocity * steps, extrapolation.PERIODIC
    )
    return found


def laplacian(values: Tensor, cells: Mapping[str, float]) -> Tensor:
    """Second-order central Laplacian, 2 rank + 1 points, in units over m^2."""
    total: Any = 0.0
    for axis, size in cells.items():
        first, last = values[{axis: slice(0, 1)}], values[{axis: slice(-1, None)}]
        # Both neighbours by one copy each, instead of a padded one and two cuts.
        left = math.concat([last, values[{axis: slice(0, -1)}]], axis)
        right = math.concat([values[{axis: slice(1, None)}], first], axis)
        total = total + (left + right - 2 * values) * (1 / size**2)
    return total
