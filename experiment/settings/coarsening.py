"""The coarser grid that physics is solved on: `trainer.physical.coarsening`."""

import math
from collections.abc import Iterator

import numpy as np

from experiment.equations import Equation
from experiment.settings.masks import observed_cells
from experiment.settings.schema import Settings
from experiment.system import SettingsError

_KEY = "trainer.physical.coarsening"


def physics_equation(settings: Settings) -> Equation:
    """The equation on the grid that the physical model learns and rolls out on."""
    return settings.model.physical.coarsened(settings.trainer.physical.coarsening)


def whole_blocks(cells: np.ndarray, factor: int) -> np.ndarray:
    """Whether all `factor` cells along each axis of a coarse cell are true.

    Args:
        cells: Bool `(x, y, ...)`, each size a multiple of `factor`.
        factor: Cells of a coarse cell along each axis.
    """
    shape = [n for size in cells.shape for n in (size // factor, factor)]
    return np.all(cells.reshape(shape), tuple(range(1, len(shape), 2)))


def impossible_coarsening(settings: Settings) -> Iterator[str]:
    """Why there is no such coarser grid, a sentence each."""
    factor = settings.trainer.physical.coarsening
    sizes = settings.model.physical.resolution
    # A factor that leaves one cell along an axis would leave nothing to differ there.
    most = min(sizes.values()) // 2
    common = math.gcd(*sizes.values())
    allowed = [n for n in range(1, most + 1) if common % n == 0]
    if factor not in allowed:
        cells = ", ".join(f"{axis} {size}" for axis, size in sizes.items())
        yield (
            f"`{_KEY}` is {factor}; expected a divisor of the cells along every axis"
            f" (`model.physical.resolution`: {cells}) that leaves two cells or more;"
            f" allowed: {', '.join(map(str, allowed))}."
        )
        return
    if factor > 1:
        for problem in physics_equation(settings).impossible():
            yield f"on the coarser grid of `{_KEY}` = {factor}: {problem}"


def impossible_coarse_mask(settings: Settings) -> Iterator[str]:
    """Why the physical model would see nothing of what was observed."""
    factor = settings.trainer.physical.coarsening
    if factor == 1:
        return
    try:
        cells = observed_cells(settings)
    except SettingsError:
        # Said where the observations themselves are checked.
        return
    if cells.any() and not whole_blocks(cells, factor).any():
        space = settings.data.observations.space.kind
        yield (
            f"`{_KEY}` is {factor} with `data.observations.space.kind` = {space}: the"
            f" physical model observes a coarse cell if all its {factor**cells.ndim}"
            f" cells are, and none is ({cells.sum()} of {cells.size} cells are"
            f" observed); use `{_KEY}=1`, or observe whole blocks."
        )
