"""Windows: one initial frame and `rollout_steps` target frames of one simulation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Windows:
    """All windows of some simulations, numbered simulation by simulation.

    Attributes:
        simulations: The simulations, in config order.
        num_frames: Frames of every simulation.
        rollout_steps: Target frames of a window.
    """

    simulations: Sequence[int]
    num_frames: int
    rollout_steps: int

    @property
    def per_simulation(self) -> int:
        """Windows of one simulation: `num_frames - rollout_steps`."""
        return self.num_frames - self.rollout_steps

    def __len__(self) -> int:
        return len(self.simulations) * self.per_simulation

    def locate(self, index: int) -> tuple[int, int]:
        """The simulation and the first frame of window `index`.

        Raises:
            IndexError: There is no such window.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        place, start = divmod(index, self.per_simulation)
        return self.simulations[place], start


def sample_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Order of the samples in an epoch, the same on both sides.

    `numpy.random.default_rng([seed, epoch]).permutation(count)`, int64 `(count,)`.
    """
    return np.random.default_rng([seed, epoch]).permutation(count)


def chosen_windows(count: int, wanted: int) -> np.ndarray:
    """Numbers of the windows that the parameters are learned from, evenly spread.

    Args:
        count: Windows that there are.
        wanted: `trainer.physical.windows`; fewer are taken if there are fewer.
    """
    taken = min(count, wanted)
    return np.arange(taken) * count // taken
