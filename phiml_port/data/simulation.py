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
        return named(self.load(), self.axes, self.channels)

    def window(self, start: int, rollout_steps: int) -> Tensor:
        """A window `(time, x, y, ..., vector)`, a view: a frame and its targets.

        Raises:
            IndexError: The trajectory has no such frames.
        """
        check_window(self.number, self.num_frames, start, rollout_steps)
        values = self.load()[start : start + rollout_steps + 1]
        return named(values, self.axes, self.channels)


@dataclass(frozen=True)
class PhysicalSimulation:
    """A simulation that a model made; its trajectory is held in memory.

    Attributes:
        number: Its place among those that were made with it.
        axes: Names of the spatial dims.
        channels: Names of the components of `vector`.
        values: The trajectory `(time, x, y, ..., vector)`.
    """

    number: int
    axes: tuple[str, ...]
    channels: tuple[str, ...]
    values: np.ndarray = field(repr=False, compare=False)

    @classmethod
    def several(
        cls, trajectories: np.ndarray, axes: tuple[str, ...], channels: tuple[str, ...]
    ) -> "list[PhysicalSimulation]":
        """One for each of `(simulation, time, x, y, ..., vector)`."""
        return [cls(i, axes, channels, t) for i, t in enumerate(trajectories)]

    @property
    def num_frames(self) -> int:
        """Frames of the trajectory, the initial one included."""
        return len(self.values)

    def load(self) -> np.ndarray:
        """The trajectory `(time, x, y, ..., vector)`."""
        return self.values

    @property
    def trajectory(self) -> Tensor:
        """`(time, x, y, ..., vector)`."""
        return named(self.values, self.axes, self.channels)

    def window(self, start: int, rollout_steps: int) -> Tensor:
        """A window `(time, x, y, ..., vector)`, a view: a frame and its targets.

        Raises:
            IndexError: The trajectory has no such frames.
        """
        check_window(self.number, self.num_frames, start, rollout_steps)
        values = self.values[start : start + rollout_steps + 1]
        return named(values, self.axes, self.channels)


def check_window(number: int, frames: int, start: int, rollout_steps: int) -> None:
    """Refuses a window that a trajectory doesn't have.

    Raises:
        IndexError: The trajectory has no such frames.
    """
    if not 0 <= start < frames - rollout_steps:
        raise IndexError(
            f"simulation {number} has no window of {rollout_steps} steps at frame"
            f" {start}; it has {frames} frames"
        )


def named(
    values: np.ndarray, axes: tuple[str, ...], channels: tuple[str, ...]
) -> Tensor:
    """A trajectory or window with its dims."""
    return math.wrap(values, batch("time"), spatial(*axes), channel(vector=channels))
