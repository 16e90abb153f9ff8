"""Windows on trajectories."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from experiment.data import Windows, channel_plan, nearest_cells
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
        self._dynamic = list(channel_plan(settings).dynamic)
        nearest = nearest_cells(settings)
        self._nearest = None if nearest is None else torch.from_numpy(nearest)
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
        frames = slice(start, start + self.windows.window_frames)
        if trajectory >= len(simulations):
            return self._generated[trajectory - len(simulations)][:, frames]
        window = self._cache[simulations[trajectory]][:, frames]
        return window if self._nearest is None else self._filled(window, self._nearest)

    def _filled(self, window: torch.Tensor, nearest: torch.Tensor) -> torch.Tensor:
        """A copy, whose first frame has the nearest observed values in its gaps."""
        window = window.clone()
        first = window[self._dynamic, 0].flatten(1)
        window[self._dynamic, 0] = first[:, nearest].reshape(-1, *window.shape[2:])
        return window
