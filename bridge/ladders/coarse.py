"""A coarser grid for the ladders, made without either side.

Averages and lines in cells lie in what both sides share, so a fault there makes no
difference between them; the rungs compare both with what is computed here from the
words of docs/hybrid.md: pooling by torch, and a matrix an axis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from experiment.settings import Settings
from legacy.data import WindowDataset
from legacy.physics import PhysicalLearner

EVERY_SECOND = "every second cell instead of the mean"
CONSTANT = "constant in a coarse cell instead of linear"


@dataclass(frozen=True)
class Between:
    """The way to the coarser grid of a plane and back; each may have a fault.

    Attributes:
        factor: Cells of a coarse cell along each axis.
        picked: Whether a cell is taken from each block, not the mean.
        constant: Whether nothing changes inside of a coarse cell.
    """

    factor: int
    picked: bool = False
    constant: bool = False

    def down(self, values: np.ndarray) -> np.ndarray:
        """`(..., x, y, vector)` on the coarser grid."""
        n = self.factor
        if self.picked:
            return values[..., ::n, ::n, :].copy()
        flat = np.moveaxis(values, -1, -3).reshape(-1, 1, *values.shape[-3:-1])
        pooled = functional.avg_pool2d(torch.from_numpy(flat), n).numpy()
        shape = (*values.shape[:-3], values.shape[-1], *pooled.shape[-2:])
        return np.moveaxis(pooled.reshape(shape), -3, -1)

    def up(self, values: np.ndarray) -> np.ndarray:
        """`(..., x, y, vector)` on the finer grid."""
        along = [self._matrix(size) for size in values.shape[-3:-1]]
        return np.einsum("ax,by,...xyv->...abv", *along, values)

    def _matrix(self, cells: int) -> np.ndarray:
        """What each coarse cell of a periodic axis adds to each fine one."""
        matrix = np.zeros((cells * self.factor, cells))
        for fine in range(len(matrix)):
            cell, part = divmod(fine, self.factor)
            matrix[fine, cell] += 1
            if not self.constant:
                # Half of the way to the centre of either neighbour, times its place.
                place = (2 * part + 1 - self.factor) / (2 * self.factor)
                matrix[fine, (cell + 1) % cells] += place / 2
                matrix[fine, (cell - 1) % cells] -= place / 2
        return matrix


class CoarseWindows:
    """Windows of a dataset on the coarser grid, each `(vector, time, x, y)`."""

    def __init__(self, fine: WindowDataset, between: Between) -> None:
        self._fine, self._between = fine, between

    @property
    def windows(self) -> Any:
        """Which windows there are."""
        return self._fine.windows

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Takes trajectories of the finer grid."""
        self._fine.augment(trajectories, access)

    def __getitem__(self, index: int) -> torch.Tensor:
        window = np.moveaxis(self._fine[index].numpy(), 0, -1)
        return torch.from_numpy(np.moveaxis(self._between.down(window), -1, 0).copy())


class CoarseLearner:
    """The control's learner of a coarse grid that knows of no other.

    It has the data's equation on the coarser grid, `coarsening` of 1, and windows that
    are averaged here.

    Args:
        settings: The settings of the case, its physical windows' length among them.
        dynamic: Positions of the dynamic channels.
        between: The way between the grids.
    """

    def __init__(
        self, settings: Settings, dynamic: Sequence[int], between: Between
    ) -> None:
        fine = WindowDataset(settings, settings.trainer.train_sim)
        equation = settings.model.physical
        cells = {a: n // between.factor for a, n in equation.resolution.items()}
        equation = replace(equation, resolution=cells)
        physical = replace(settings.trainer.physical, coarsening=1)
        coarse = replace(
            settings,
            model=replace(settings.model, physical=equation),
            trainer=replace(settings.trainer, physical=physical),
        )
        windows: Any = CoarseWindows(fine, between)
        self._learner = PhysicalLearner(coarse, windows)
        self._dynamic, self._between = list(dynamic), between
        self.loss, self.gradient = self._learner.loss, self._learner.gradient
        self.augment = self._learner.augment

    @property
    def rollout_steps(self) -> int | None:
        """Steps of a window that are learned from; None: all of them."""
        return self._learner.rollout_steps

    @rollout_steps.setter
    def rollout_steps(self, steps: int | None) -> None:
        self._learner.rollout_steps = steps

    def rollout(
        self, parameters: Mapping[str, np.ndarray], states: np.ndarray, frames: int
    ) -> np.ndarray:
        """Trajectories `(simulation, time, x, y, vector)` of the finer grid."""
        start = self._between.down(states)
        rolled = self._between.up(self._learner.rollout(parameters, start, frames))
        every = np.repeat(states[:, None], frames, 1)
        every[..., self._dynamic] = rolled[..., self._dynamic]
        return every
