"""The uniform grid that a physical model lives on."""

import numpy as np

from experiment._settings import Advection, Burgers


def cell_sizes(physical: Burgers | Advection) -> dict[str, float]:
    """Edge of a cell along each axis, in m."""
    return {a: physical.domain[a] / physical.resolution[a] for a in physical.domain}


def grid_positions(physical: Burgers | Advection) -> dict[str, np.ndarray | float]:
    """Cell centres `x`, `y`, ... (arrays `(x, y, ...)`, in m) and `size_x`, ... (m)."""
    axes = tuple(physical.domain)
    steps = cell_sizes(physical)
    centres = [(np.arange(physical.resolution[a]) + 0.5) * steps[a] for a in axes]
    grids = np.meshgrid(*centres, indexing="ij")
    sizes = {f"size_{a}": physical.domain[a] for a in axes}
    return {**dict(zip(axes, grids, strict=True)), **sizes}
