"""Windows on trajectories."""

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from experiment import Settings, Windows
from legacy.data.cache import TrajectoryCache


class WindowDataset(Dataset[torch.Tensor]):
    """All windows of some simulations; an item is a view `(vector, time, x, y)`.

    Args:
        settings: The settings of the run.
        simulations: The simulations, in config order.

    Raises:
        SceneError: A Scene is missing, torn or of other settings.
    """

    def __init__(self, settings: Settings, simulations: Sequence[int]) -> None:
        self.windows = Windows(
            simulations,
            settings.data.trajectory_length,
            settings.trainer.rollout_steps,
        )
        self._cache = TrajectoryCache(settings)
        # Whatever is missing or torn is said now, not hours into the training.
        for simulation in simulations:
            self._cache[simulation]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> torch.Tensor:
        simulation, start = self.windows.locate(index)
        frames = self.windows.rollout_steps + 1
        return self._cache[simulation][:, start : start + frames]
