"""Batches of windows in the order of the reference semantics."""

import os
import weakref
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from experiment.data import Observed, WindowCounts, sample_order
from experiment.settings import Settings
from experiment.system import Progress, die_with_parent, obey_parent, signals_held
from legacy.data.dataset import WindowDataset


class EpochSampler(Sampler[int]):
    """The order of an epoch: shuffled by seed and epoch, or as numbered."""

    def __init__(self, count: int, seed: int, shuffle: bool) -> None:
        self.count = count
        self._seed = seed
        self._shuffle = shuffle
        self._start = 0
        self._epoch = 0

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Chooses the epoch, and the first sample of it."""
        self._epoch, self._start = epoch, start

    def __iter__(self) -> Iterator[int]:
        if not self._shuffle:
            return iter(range(self._start, self.count))
        order = sample_order(self._seed, self._epoch, self.count)
        return iter(order[self._start :].tolist())

    def __len__(self) -> int:
        # A training that ended in the last, smaller batch goes on behind all windows.
        return max(0, self.count - self._start)


def _begin_worker(parent: int, worker: int) -> None:
    die_with_parent(parent)
    obey_parent(parent)


class WindowLoader:
    """Batches `(batch, vector, time, x, y)`, contiguous, of a `torch` DataLoader.

    Every window comes once an epoch; the last batch may be smaller.

    Args:
        settings: The settings of the run.
        simulations: The real simulations, in config order.
        shuffle: Whether each epoch has an order of its own.
        progress: Shows how many simulations have been opened.

    Raises:
        SettingsError: There is no simulation.
        SceneError: A Scene is missing, torn or of other settings.
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
        self._sampler = EpochSampler(len(self.dataset), settings.general.seed, shuffle)
        self._settings = settings
        self._finalizer: weakref.finalize | None = None
        self._loader = self._opened()

    def _opened(self) -> DataLoader[torch.Tensor]:
        workers = self._settings.data.num_workers
        loader = DataLoader(
            self.dataset,
            batch_size=self.batch_size,
            sampler=self._sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self._settings.general.device == "cuda",
            # DataLoader draws a seed at each iter(); from the global generator, dropout
            # would draw others after a resume, or with other data.
            generator=torch.Generator(),
            worker_init_fn=partial(_begin_worker, os.getpid()),
        )
        # Keeps it out of the cycle of references that a training is: removed as a part
        # of one, it finds its queues closed and waits 5 s for each worker.
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = weakref.finalize(self, list, [loader])
        self._finalizer.atexit = False
        return loader

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """See `WindowDataset.augment`."""
        self.dataset.augment(trajectories, access)
        self._sampler.count = len(self.dataset)
        # Worker processes have a copy of the dataset before this.
        self._loader = self._opened()

    def counts(self) -> WindowCounts:
        """Windows of each kind in an epoch."""
        return self.dataset.windows.counts

    def generated(self) -> np.ndarray:
        """Whether each window that is left of the epoch is generated, in its order."""
        return self.dataset.windows.are_generated(np.fromiter(self._sampler, np.int64))

    def observed(self) -> Observed | None:
        """What was observed of the windows that are left of the epoch, in its order."""
        return self.dataset.windows.observed(np.fromiter(self._sampler, np.int64))

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and the first batch of it."""
        self._sampler.set_epoch(epoch, position * self.batch_size)

    def __iter__(self) -> Iterator[torch.Tensor]:
        with signals_held():
            return iter(self._loader)

    def __len__(self) -> int:
        """Batches that are left of the epoch."""
        return len(self._loader)
