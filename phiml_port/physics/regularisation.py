"""The gradient of a learned field as a term of the loss."""

from collections.abc import Mapping
from typing import Any

from phiml import math

from experiment.training import TV_EDGE


def gradient_penalty(values: Any, cells: Mapping[str, float], kind: str) -> Any:
    """The mean over all cells of a field's gradient, squared or its size.

    Args:
        values: `(x, y, ...)`, periodic; along an axis that it lacks it is constant.
        cells: Size of a cell along each axis, in m.
        kind: `l2` for |g|^2 or `tv` for sqrt(|g|^2 + TV_EDGE^2), g by differences of a
            cell and its neighbour ahead.
    """
    squares: Any = 0.0
    for axis in values.shape.spatial.names:
        first, others = values[{axis: slice(0, 1)}], values[{axis: slice(1, None)}]
        ahead = math.concat([others, first], axis)
        squares = squares + ((ahead - values) / cells[axis]) ** 2
    sizes = squares if kind == "l2" else math.sqrt(squares + TV_EDGE**2)
    return math.mean(sizes, sizes.shape)
