"""A loader of the control's language over windows that lie in memory."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from experiment.data import Observed


class MemoryLoader:
    """Windows in memory, in an order of its own for each epoch."""

    def __init__(
        self,
        windows: torch.Tensor,
        size: int,
        seed: int,
        observed: Observed | None = None,
    ) -> None:
        self._windows = windows
        self._observed = observed
        self._size, self._seed = size, seed
        self._epoch = self._position = 0

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and its first batch."""
        self._epoch, self._position = epoch, position

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Batches `(batch, vector, time, x, ...)`; the last one may be smaller."""
        for chosen in torch.from_numpy(self._left()).split(self._size):
            yield self._windows[chosen]

    def observed(self) -> Observed | None:
        """What was observed of the windows that are left of the epoch."""
        seen, left = self._observed, self._left()
        if seen is None:
            return None
        return replace(seen, steps=seen.steps[left], generated=seen.generated[left])

    def _left(self) -> np.ndarray:
        generator = np.random.default_rng([self._seed, self._epoch])
        return generator.permutation(len(self._windows))[self._position * self._size :]

    def __len__(self) -> int:
        return -(-len(self._windows) // self._size) - self._position
