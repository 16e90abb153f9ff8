"""Schemes that equations are made of, on periodic grids of cell centres.

Written on tensors, not on fields: one operation computes all simulations and all
components at once, and a roll-out becomes one compiled function.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from phiml import math
from phiml.math import batch, channel, extrapolation, spatial

from experiment.equations import DiffusionForm

#: Edge of a cell along each axis, in m.
Cells = Mapping[str, float]
#: A step of diffusion of values with a halo; the second is how many of the outermost
#: cells of its weights it doesn't need.
Step = Callable[[Any, int], Any]
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
    if len(cells) == 1:
        return _along_a_line(values, velocity, dt, cells)
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


def _along_a_line(values: Any, velocity: Any, dt: float, cells: Cells) -> Any:
    """Semi-Lagrangian advection in one dim, as torch samples grids of 2 and 3 only.

    The values are the same along a second axis, which has one cell and no velocity.
    """
    (axis,) = cells
    other = "_across"
    flat = math.expand(values, spatial(**{other: 1}))
    along = velocity.vector[axis]
    parts = {axis: along, other: math.zeros_like(along)}
    vectors: Any = math.stack(parts, channel("vector"))
    vectors = math.expand(vectors, spatial(**{other: 1}))
    square = {axis: cells[axis], other: cells[axis]}
    return semi_lagrangian(flat, vectors, dt, square)[{other: 0}]


def _by_axis(numbers: Mapping[str, float]) -> Any:
    """A number for each axis `(vector)`, or one for all if they are equal.

    torch multiplies by a number twice as fast as by a short vector.
    """
    several = list(numbers.values())
    if len(set(several)) > 1:
        return math.wrap(several, channel(vector=tuple(numbers)))
    return math.wrap(np.asarray(several[0]))


def explicit_diffusion(
    values: Any, amount: Any, cells: Cells, steps: int, form: DiffusionForm
) -> Any:
    """Explicit Euler steps of `values + div(amount grad values)`, or `amount lap`.

    The halo, cells copied from the opposite edges, is as wide as several steps need:
    each step then loses the outermost cells.

    Args:
        values: `(x, y, ...)`, with or without `vector`, and any batch dims.
        amount: Viscosity times the length of a step, in m^2: `(x, y, ...)` or a number.
        cells: Edge of a cell along each axis, in m.
        steps: How many.
        form: `divergence` takes the smaller amount of both cells at a face between
            them, as `phi.physics.diffuse.explicit` does.
    """
    # All that isn't space becomes one dim in front of it, so that the weights lie in
    # memory as the grids do.
    others = values.shape.without(tuple(cells))
    packed = math.pack_dims(values, others, batch("_packed"))
    smallest = min(int(values.shape.get_size(axis) or 1) for axis in cells)
    at_once = min(_HALO, smallest, steps)
    # A number is the same at all faces, and the Laplacian takes fewer passes.
    even = not set(cells) & set(amount.shape.names)
    make = _laplacian if form == "laplacian" or even else _divergence
    change = make(amount, cells, at_once)
    for done in range(0, steps, at_once):
        width = min(at_once, steps - done)
        packed = pad_periodic(packed, cells, width)
        for left in reversed(range(width)):
            packed = change(packed, at_once - 1 - left)
    return math.unpack_dim(packed, "_packed", others)


def _laplacian(amount: Any, cells: Cells, width: int) -> Step:
    """Steps of `values + amount lap values`, by 2 rank + 1 points.

    The weight of each point is computed once for all steps.
    """
    inverse = {axis: 1 / size**2 for axis, size in cells.items()}
    padded = pad_periodic(amount, cells, width - 1)
    centre_weight = 1 - padded * (2 * sum(inverse.values()))
    # Axes with the same cells share a weight, so their neighbours are added first.
    weights = {size: padded / size**2 for size in dict.fromkeys(cells.values())}

    def step(values: Any, cut: int) -> Any:
        total = interior(values, cells, 1) * interior(centre_weight, cells, cut)
        for size, weight in weights.items():
            axes = [axis for axis in cells if cells[axis] == size]
            around = [interior(values, cells, 1, a, by) for a in axes for by in (-1, 1)]
            total = total + sum(around) * interior(weight, cells, cut)
        return total

    return step


def _divergence(amount: Any, cells: Cells, width: int) -> Step:
    """Steps of `values + div(amount grad values)`, by the fluxes through the faces.

    What leaves a cell enters its neighbour, so the sum of all cells is kept; the amount
    at each face is computed once for all steps.
    """
    padded = pad_periodic(amount, cells, width)
    weights = {}
    for axis, size in cells.items():
        others = [other for other in cells if other != axis]
        lower, upper = at_faces(interior(padded, others, 1), axis)
        weights[axis] = face_value(lower, upper) / size**2

    def step(values: Any, cut: int) -> Any:
        total = interior(values, cells, 1)
        for axis, weight in weights.items():
            others = [other for other in cells if other != axis]
            lower, upper = at_faces(interior(values, others, 1), axis)
            flux = (upper - lower) * interior(weight, cells, cut)
            lower, upper = at_faces(flux, axis)
            total = total + (upper - lower)
        return total

    return step


def face_value(lower: Any, upper: Any) -> Any:
    """The coefficient at the face between two cells: the smaller of both.

    Of equal ones, as those of a constant guess, each gets half the gradient. That of
    `torch.minimum` is halved too, but 0 in what torch compiled and differentiates.
    """
    return 0.5 * (
        math.where(lower < upper, lower, upper)
        + math.where(upper < lower, upper, lower)
    )


def at_faces(values: Any, axis: str) -> tuple[Any, Any]:
    """The cells below and above each face between two, along an axis if it has it."""
    if axis not in values.shape:
        return values, values
    return values[{axis: slice(None, -1)}], values[{axis: slice(1, None)}]


def pad_periodic(values: Any, cells: Iterable[str], width: int) -> Any:
    """With `width` cells of the opposite edge on each side, along axes that it has."""
    for axis in cells:
        if width and axis in values.shape:
            first = values[{axis: slice(0, width)}]
            last = values[{axis: slice(-width, None)}]
            values = math.concat([last, values, first], axis)
    return values


def interior(
    values: Any, cells: Iterable[str], width: int, axis: str = "", by: int = 0
) -> Any:
    """Without `width` cells on each side; shifted `by` a cell along an axis."""
    cut = {}
    for name in cells:
        if width and name in values.shape:
            shift = by if name == axis else 0
            cut[name] = slice(width + shift, (shift - width) or None)
    return values[cut] if cut else values
