"""From the grid of the data to the coarser one of the physical model, and back.

With `trainer.physical.coarsening` a coarse cell is a block of so many cells along each
axis. To the coarser grid go means over blocks, which keep the integral of a field. Back
goes a straight line in each block along each axis, through its mean, whose slope is the
central difference of the neighbouring blocks in the periodic domain. Its means are the
coarse values again; plain interpolation between their centres would flatten each wave.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiment.data.channels import channel_plan
from experiment.data.observations import Observed
from experiment.equations import Equation, ParameterRange
from experiment.settings import Settings, physics_equation, whole_blocks


def cell_means(
    values: np.ndarray, factor: int, axes: Sequence[int] | None = None
) -> np.ndarray:
    """Means over blocks of `factor` cells along some axes, in the dtype of `values`.

    Args:
        values: `(..., x, y, ..., vector)`, each size a multiple of `factor`.
        factor: Cells of a block along each axis.
        axes: Positions of the spatial axes; by default all but the last.
    """
    spatial = range(values.ndim - 1) if axes is None else axes
    shape: list[int] = []
    within = []
    for axis, size in enumerate(values.shape):
        shape.append(size // factor if axis in spatial else size)
        if axis in spatial:
            within.append(len(shape))
            shape.append(factor)
    # In one memory order, as a sum depends on it.
    blocks = np.ascontiguousarray(values).reshape(shape)
    return blocks.mean(tuple(within), dtype=np.float64).astype(values.dtype)


def linear_in_cells(values: np.ndarray, factor: int, axes: Sequence[int]) -> np.ndarray:
    """Cell averages on a grid finer by a factor, in the dtype of `values`.

    Exact for what is linear in each coordinate; the error of a smooth field falls with
    the square of the size of a cell. `cell_means` of it are `values`, but for rounding.

    Args:
        values: Cell averages, periodic along `axes`.
        factor: Cells that each cell becomes along each axis.
        axes: Positions of the spatial axes.
    """
    # Where the finer cells' centres are in a cell, in units of its size.
    centres = (np.arange(factor) + 0.5) / factor - 0.5
    finer = values.astype(np.float64)
    for axis in axes:
        rise = (np.roll(finer, -1, axis) - np.roll(finer, 1, axis)) / 2
        parts = np.stack([finer + c * rise for c in centres], axis + 1)
        shape = list(finer.shape)
        shape[axis] *= factor
        finer = parts.reshape(shape)
    return finer.astype(values.dtype)


def on_data_grid(
    settings: Settings,
    parameter: ParameterRange,
    values: np.ndarray,
    *,
    linear: bool = True,
) -> np.ndarray:
    """Values of a learned parameter on the grid of the data, size 1 along other axes.

    Args:
        settings: The settings of the run.
        parameter: The parameter.
        values: Over its axes, on the grid that physics is solved on.
        linear: Whether they are the parameter itself, linear in each coarse cell, less
            steep where it would leave its bounds; else every cell gets what its coarse
            cell has.
    """
    factor = settings.trainer.physical.coarsening
    if factor > 1:
        even = _repeated(values, factor)
        finer = linear_in_cells(values, factor, range(values.ndim))
        values = _limited(even, finer, parameter, factor) if linear else even
    return parameter.on_grid(values, settings.model.physical.axes)


def physics_text(settings: Settings) -> str | None:
    """The grid of the physical model in words; None if it is that of the data."""
    factor = settings.trainer.physical.coarsening
    if factor == 1:
        return None
    sizes = physics_equation(settings).resolution.values()
    cells = " x ".join(map(str, sizes))
    return f"{cells} cells, means of {factor} along each axis"


def _repeated(values: np.ndarray, factor: int) -> np.ndarray:
    for axis in range(values.ndim):
        values = values.repeat(factor, axis)
    return values


def _limited(
    means: np.ndarray, finer: np.ndarray, parameter: ParameterRange, factor: int
) -> np.ndarray:
    """What is as far from its blocks' means as the bounds allow (Zhang, Shu 2010)."""
    apart = finer - means
    room = np.where(apart > 0, parameter.upper - means, means - parameter.lower)
    share = np.divide(room, np.abs(apart), np.ones_like(room), where=apart != 0)
    shape = [n for size in share.shape for n in (size // factor, factor)]
    least = share.reshape(shape).min(tuple(range(1, len(shape), 2)))
    return means + apart * _repeated(np.minimum(least, 1.0), factor)


@dataclass(frozen=True)
class CoarseGrid:
    """Between the windows of the data and those of the physical model.

    Nothing is computed or copied where `factor` is 1.

    Attributes:
        factor: `trainer.physical.coarsening`.
        equation: The equation on the coarser grid.
        dynamic: Positions of the dynamic channels.
    """

    factor: int
    equation: Equation
    dynamic: tuple[int, ...]

    @classmethod
    def of(cls, settings: Settings) -> "CoarseGrid":
        """The coarse grid of some settings."""
        factor = settings.trainer.physical.coarsening
        dynamic = channel_plan(settings).dynamic
        return cls(factor, physics_equation(settings), dynamic)

    def restrict(self, values: np.ndarray) -> np.ndarray:
        """States or windows `(..., x, y, ..., vector)` on the coarser grid."""
        if self.factor == 1:
            return values
        return cell_means(values, self.factor, self._axes(values))

    def prolong(self, values: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Trajectories of the coarser grid on the grid of the data.

        Dynamic channels are linear in each coarse cell, in the initial frame too, as
        every frame begins a window; static ones are those that were given.

        Args:
            values: `(simulation, time, x, y, ..., vector)` on the coarser grid.
            states: The initial states that they began with, `(simulation, x, y, ...,
                vector)` on the grid of the data.
        """
        if self.factor == 1:
            return values
        shape = (*values.shape[:2], *states.shape[1:])
        every = np.broadcast_to(states[:, None], shape).copy()
        dynamic, axes = list(self.dynamic), self._axes(values)
        every[..., dynamic] = linear_in_cells(values[..., dynamic], self.factor, axes)
        return every

    def observed(self, seen: Observed | None) -> Observed | None:
        """What was observed of windows: a coarse cell, if all its cells were."""
        if seen is None or self.factor == 1:
            return seen
        return replace(seen, cells=whole_blocks(seen.cells, self.factor))

    def _axes(self, values: np.ndarray) -> range:
        last = values.ndim - 1
        return range(last - len(self.equation.axes), last)
