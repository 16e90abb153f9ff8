"""Batches of windows in the order of the reference semantics."""

import time
from collections.abc import Iterator

import numpy as np
from phiml.math import Tensor

from experiment import sample_order
from phiml_port.data.dataset import PhiMLDataset

#: Batches whose places in the file are worked out at once.
_CHUNK = 256
#: A batch that comes slower than this, in bytes/s, comes from a disk.
_MEMORY_SPEED = 1e9


class PhiMLDataLoader:
    """Batches `(batch, time, x, y, ..., vector)`; every window comes once an epoch.

    Batches come from a file that is mapped. While it lies in memory, gathering a batch
    takes less time than handing it over between threads would. Once a batch has to wait
    for the disk, the loader asks the system to read the next one ahead, which happens
    while the model computes.

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
        self.reads_ahead = False
        self._seed = seed
        self._shuffle = shuffle
        self._drop_last = drop_last
        self._epoch = self._position = 0

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
        size, dataset = self.batch_size, self.dataset
        order = self.order()[: self._batches() * size]
        for start in range(self._position * size, len(order), _CHUNK * size):
            chunk = order[start : start + _CHUNK * size]
            rows = dataset.rows(chunk)
            for first in range(0, len(chunk), size):
                last = first + size
                chosen = chunk[first:last]
                began = time.perf_counter()
                windows = dataset.gather(
                    chosen, None if rows is None else rows[first:last]
                )
                seconds = time.perf_counter() - began
                self.reads_ahead = seconds * _MEMORY_SPEED > dataset.bytes_of(
                    len(chosen)
                )
                if self.reads_ahead:
                    dataset.read_ahead(order[start + last : start + last + size])
                yield windows
