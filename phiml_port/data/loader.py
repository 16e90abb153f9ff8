"""Batches of windows in the order of the reference semantics."""

from collections.abc import Iterator

import numpy as np
from phiml.math import Tensor

from experiment.data import sample_order
from phiml_port.data.dataset import Access, PhiMLDataset
from phiml_port.data.simulation import PhysicalSimulation


class PhiMLDataLoader:
    """Batches `(batch, time, x, y, ..., vector)`; every window comes once an epoch.

    There is no second thread: gathering a batch that lies in memory takes less time
    than handing it over between threads would, and what lies on a disk is read ahead by
    the system (`PhiMLDataset.batches`).

    Args:
        dataset: The windows; what counts may change between epochs.
        batch_size: Windows of a batch; the last one of an epoch may have fewer.
        seed: Of the order of the samples.
        shuffle: Whether each epoch has an order of its own.
        drop_last: Leaves a smaller last batch out.
    """

    def __init__(
        self,
        dataset: PhiMLDataset,
        *,
        batch_size: int,
        seed: int,
        shuffle: bool,
        drop_last: bool = False,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._drop_last = drop_last
        self._epoch = self._position = 0

    def augment(self, trajectories: np.ndarray | None, access: Access) -> None:
        """Adds generated trajectories to the real ones, in place of earlier ones.

        Args:
            trajectories: `(simulation, time, x, y, ..., vector)`; None takes them away.
            access: `both`, `real_only` or `generated_only`.
        """
        if trajectories is None:
            self.dataset.disable_augmentation()
            return
        real = self.dataset.real[0]
        made = PhysicalSimulation.several(trajectories, real.axes, real.channels)
        self.dataset.enable_augmentation(made, access)

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and the first batch of it."""
        self._epoch, self._position = epoch, position

    def __len__(self) -> int:
        """Batches that are left of the epoch."""
        return max(self._batches() - self._position, 0)

    def _batches(self) -> int:
        count = len(self.dataset)
        if self._drop_last:
            return count // self.batch_size
        return -(-count // self.batch_size)

    def order(self) -> np.ndarray:
        """Numbers of the windows in the order of the chosen epoch."""
        count = len(self.dataset)
        if not self._shuffle:
            return np.arange(count)
        return sample_order(self._seed, self._epoch, count)

    def __iter__(self) -> Iterator[Tensor]:
        size = self.batch_size
        order = self.order()[self._position * size : self._batches() * size]
        return self.dataset.batches(order, size)


class WindowLoader(PhiMLDataLoader):
    def __init__(self, settings, simulations, *, shuffle, progress=None):  # type: ignore
        super().__init__(
            PhiMLDataset(settings, simulations, progress),
            batch_size=settings.trainer.batch_size,
            seed=settings.general.seed,
            shuffle=shuffle,
        )
