"""Windows on trajectories."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from experiment.data import Windows
from experiment.settings import Settings
from experiment.system import SceneError
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

        self._generated: list[torch.Tensor] = []
        self._access = "real_only"

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds generated trajectories behind the real ones, in place of earlier ones.

        Args:
            trajectories: `(simulation, time, x, y, ..., vector)`; None takes them away.
            access: `both`, `real_only` or `generated_only`.

        Raises:
            SceneError: They are shorter than a window.
        """
        if trajectories is None:
            self._generated, self._access = [], "real_only"
            return
        frames, needed = trajectories.shape[1], self.windows.rollout_steps + 1
        if frames < needed:
            raise SceneError(
                f"generated simulation 0 has {frames} frames; a window of"
                f" `trainer.rollout_steps` = {needed - 1} needs {needed}."
            )
        values = torch.from_numpy(np.moveaxis(trajectories, -1, 1).copy())
        self._generated, self._access = list(values), access

    def __len__(self) -> int:
        return self._real + self._made

    @property
    def _real(self) -> int:
        return 0 if self._access == "generated_only" else len(self.windows)

    @property
    def _each(self) -> int:
        return self._generated[0].shape[1] - self.windows.rollout_steps

    @property
    def _made(self) -> int:
        if self._access == "real_only":
            return 0
        return len(self._generated) * self._each

    def __getitem__(self, index: int) -> torch.Tensor:
        frames = self.windows.rollout_steps + 1
        if index < self._real:
            simulation, start = self.windows.locate(index)
            return self._cache[simulation][:, start : start + frames]
        if index >= len(self):
            raise IndexError(f"window {index} of {len(self)}")
        place, start = divmod(index - self._real, self._each)
        return self._generated[place][:, start : start + frames]
