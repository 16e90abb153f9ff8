"""One simulation, and windows on it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from phiml import math
from phiml.math import Tensor, batch, channel, spatial


@dataclass(frozen=True)
class Simulation:
    """A simulation whose trajectory is loaded when it is first looked at.

    Attributes:
        number: Number of the simulation.
        num_frames: Frames of its trajectory, the initial one included.
        axes: Names of the spatial dims.
        channels: Names of the components of `vector`.
        load: Gives the trajectory `(time, x, y, ..., vector)`; keeps it if that is
            wise, so that calling it again costs nothing.
    """

    number: int
    num_frames: int
    axes: tuple[str, ...]
    channels: tuple[str, ...]
    load: Callable[[], np.ndarray] = field(repr=False, compare=False)

    @property
    def trajectory(self) -> Tensor:
        """`(time, x, y, ..., vector)`, a view on the cache that can't be written."""
        return self._named(self.load())

    def window(self, start: int, rollout_steps: int) -> Tensor:
        """A window `(time, x, y, ..., vector)`, a view: a frame and its targets.

        Raises:
            IndexError: The trajectory has no such frames.
        """
        if not 0 <= start < self.num_frames - rollout_steps:
            raise IndexError(
                f"simulation {self.number} has no window of {rollout_steps} steps at"
                f" frame {start}; it has {self.num_frames} frames"
            )
        return self._named(self.load()[start : start + rollout_steps + 1])

    def _named(self, values: np.ndarray) -> Tensor:
        return math.wrap(
            values,
            batch("time"),
            spatial(*self.axes),
            channel(vector=self.channels),
        )
