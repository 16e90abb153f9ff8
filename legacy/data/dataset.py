"""Windows on trajectories."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from experiment.data import Windows
from experiment.settings import Settings
from experiment.system import Progress
from legacy.data.cache import TrajectoryCache


class WindowDataset(Dataset[torch.Tensor]):
    """All windows of some simulations; an item is a view `(vector, time, x, y)`.

    Args:
        settings: The settings of the run.
        simulations: The real simulations, in config order.
        progress: Shows how many simulations have been opened.

    Attributes:
        windows: Which windows there are.

    Raises:
        SettingsError: There is no simulation.
        SceneError: A Scene is missing, torn or of other settings.
    """

    def __init__(
        self,
        settings: Settings,
        simulations: Sequence[int],
        progress: Progress | None = None,
    ) -> None:
        self._settings = settings
        self.windows = Windows.of(settings, simulations)
        self._cache = TrajectoryCache(settings)
        self._generated: Sequence[torch.Tensor] = ()
        # Whatever is missing or torn is said now, not hours into the training.
        count = len(simulations)
        with (progress or Progress()).bar("cache", count, "simulations") as bar:
            for simulation in simulations:
                self._cache[simulation]
                bar.step(simulation=simulation)

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds generated trajectories behind the real ones; earlier ones are removed.

        Args:
            trajectories: `(simulation, time, x, y, ..., vector)`; None removes them.
            access: `both`, `real_only` or `generated_only`.

        Raises:
            SettingsError: There is no trajectory.
            SceneError: They have another grid or other channels, or are shorter than a
                window.
        """
        self.windows = self.windows.augmented(trajectories, access)
        self._generated = ()
        if trajectories is not None:
            moved = np.moveaxis(trajectories, -1, 1)
            copy = moved.astype(self._settings.general.precision, order="C")
            self._generated = torch.from_numpy(copy).unbind()

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> torch.Tensor:
        trajectory, start = self.windows.locate(index)
        simulations = self.windows.simulations
        if trajectory < len(simulations):
            values = self._cache[simulations[trajectory]]
        else:
            values = self._generated[trajectory - len(simulations)]
        return values[:, start : start + self.windows.window_frames]
