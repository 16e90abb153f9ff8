"""Batches of windows in the order of the reference semantics."""

from collections.abc import Iterator, Sequence

import numpy as np
from phiml.math import Tensor

from experiment.data import Observed, WindowCounts, sample_order
from experiment.settings import Settings
from experiment.system import Progress
from phiml_port.data.dataset import WindowDataset


class WindowLoader:
    """Batches `(batch, time, x, y, ..., vector)`; every window comes once an epoch.

    There is no second thread: gathering a batch that lies in memory takes less time
    than handing it over between threads would, and what lies on a disk is read ahead by
    the system (`WindowDataset.batches`).

    Args:
        settings: The settings of the run.
        simulations: The real simulations, in config order.
        shuffle: Whether each epoch has an order of its own.
        progress: Shows how many Scenes have been read, on the first run.

    Raises:
        SettingsError: There is no simulation.
        SceneError: A Scene is missing, torn or of other settings.
        UserError: The store can't be written.
    """

    def __init__(
        self,
        settings: Settings,
        simulations: Sequence[int],
        *,
        shuffle: bool,
        progress: Progress | None = None,
    ) -> None:
        self.dataset = WindowDataset(settings, simulations, progress)
        self.batch_size = settings.trainer.batch_size
        self._seed = settings.general.seed
        self._shuffle = shuffle
        self._epoch = self._position = 0

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """See `WindowDataset.augment`."""
        self.dataset.augment(trajectories, access)

    def counts(self) -> WindowCounts:
        """Windows of each kind in an epoch."""
        return self.dataset.windows.counts

    def generated(self) -> np.ndarray:
        """Whether each window that is left of the epoch is generated, in its order."""
        return self.dataset.windows.are_generated(self._left())

    def observed(self) -> Observed | None:
        """What was observed of the windows that are left of the epoch, in its order."""
        return self.dataset.windows.observed(self._left())

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and the first batch of it."""
        self._epoch, self._position = epoch, position

    def __len__(self) -> int:
        """Batches that are left of the epoch."""
        return max(-(-len(self.dataset) // self.batch_size) - self._position, 0)

    def order(self) -> np.ndarray:
        """The windows in the order of the chosen epoch."""
        count = len(self.dataset)
        if not self._shuffle:
            return np.arange(count)
        return sample_order(self._seed, self._epoch, count)

    def __iter__(self) -> Iterator[Tensor]:
        return self.dataset.batches(self._left(), self.batch_size)

    def _left(self) -> np.ndarray:
        return self.order()[self._position * self.batch_size :]
