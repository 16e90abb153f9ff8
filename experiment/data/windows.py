"""Windows: one initial frame and `rollout_steps` target frames of one trajectory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiment.data.channels import frame_shape
from experiment.data.observations import ObservationPlan, Observed, observation_plan
from experiment.settings import Settings, window_starts
from experiment.system import SceneError, SettingsError

#: Which windows are used: of real simulations, of generated trajectories, or both.
_ACCESS = ("both", "real_only", "generated_only")


@dataclass(frozen=True)
class WindowCounts:
    """Windows of each kind: of real simulations, and of the other model's making."""

    real: int
    generated: int


@dataclass(frozen=True)
class Windows:
    """The windows of real simulations and, behind them, of generated trajectories.

    They are numbered trajectory by trajectory; a number becomes a trajectory and a
    frame by one division, without a table of all windows.

    Attributes:
        simulations: The real simulations, in config order.
        num_frames: Frames of every real simulation.
        rollout_steps: Target frames of a window.
        frame: Shape of a frame, `(x, y, ..., vector)`.
        generated: Shape of the generated trajectories, `(simulation, time)`.
        access: Which windows are used: `both`, `real_only` or `generated_only`.
        observations: The masks of the real windows; None if all was observed.
        starts: First frames of the windows of every real simulation, if only some
            frames begin one (`window_starts`); None: all that a window fits behind.
    """

    simulations: Sequence[int]
    num_frames: int
    rollout_steps: int
    frame: tuple[int, ...] = ()
    generated: tuple[int, int] = (0, 0)
    access: str = "real_only"
    observations: ObservationPlan | None = None
    starts: tuple[int, ...] | None = None

    @classmethod
    def of(cls, settings: Settings, simulations: Sequence[int]) -> "Windows":
        """The windows of real simulations.

        Raises:
            SettingsError: There is no simulation.
            SceneError: The simulations are shorter than a window.
        """
        if not simulations:
            raise SettingsError(
                "a dataset needs a simulation; got none. Name some in"
                " `trainer.train_sim`, `trainer.val_sim` or `evaluation.test_sim`."
            )
        windows = cls(
            tuple(simulations),
            settings.data.trajectory_length,
            settings.trainer.rollout_steps,
            frame_shape(settings),
        )
        windows._check_length(f"simulation {simulations[0]}", windows.num_frames)
        plan = observation_plan(settings)
        if plan is None:
            return windows
        starts = window_starts(settings, plan.frames)
        return replace(windows, observations=plan, starts=starts)

    def augmented(self, trajectories: np.ndarray | None, access: str) -> "Windows":
        """The same real windows with those of generated trajectories.

        Args:
            trajectories: `(simulation, time, x, y, ..., vector)`; None removes the
                generated windows.
            access: `both`, `real_only` or `generated_only`.

        Raises:
            ValueError: `access` is unknown.
            SettingsError: There is no trajectory.
            SceneError: They have another grid or other channels, or are shorter than a
                window.
        """
        if trajectories is None:
            return replace(self, generated=(0, 0), access="real_only")
        if access not in _ACCESS:
            raise ValueError(f"`access` is {access!r}; expected one of {_ACCESS}")
        if not len(trajectories):
            raise SettingsError(
                "augmentation needs a generated trajectory; got none. Augment with None"
                " to go on with the real ones alone."
            )
        if trajectories.shape[2:] != self.frame:
            raise SceneError(
                f"the generated trajectories are {trajectories.shape} (simulation,"
                f" time, x, ..., vector); expected (simulation, time,"
                f" {', '.join(map(str, self.frame))})."
            )
        count, frames = trajectories.shape[:2]
        self._check_length("generated simulation 0", frames)
        return replace(self, generated=(count, frames), access=access)

    def _check_length(self, name: str, frames: int) -> None:
        if frames < self.window_frames:
            raise SceneError(
                f"{name} has {frames} frames; a window of `trainer.rollout_steps` ="
                f" {self.rollout_steps} needs {self.window_frames}. Lower"
                " `trainer.rollout_steps` or make longer trajectories."
            )

    @property
    def window_frames(self) -> int:
        """Frames of a window."""
        return self.rollout_steps + 1

    @property
    def per_simulation(self) -> int:
        """Windows of one real simulation: `num_frames - rollout_steps`, or fewer if
        not all frames were observed."""
        if self.starts is not None:
            return len(self.starts)
        return self.num_frames - self.rollout_steps

    @property
    def num_real(self) -> int:
        """Windows of real simulations that are used."""
        if self.access == "generated_only":
            return 0
        return len(self.simulations) * self.per_simulation

    def __len__(self) -> int:
        if self.access == "real_only":
            return self.num_real
        count, frames = self.generated
        return self.num_real + count * (frames - self.rollout_steps)

    @property
    def counts(self) -> WindowCounts:
        """Windows of each kind that are used."""
        return WindowCounts(self.num_real, len(self) - self.num_real)

    def are_generated(self, indices: np.ndarray) -> np.ndarray:
        """Whether each window lies in a generated trajectory."""
        return indices >= self.num_real

    def chosen(self, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of some real and of some generated windows, each evenly spread.

        Args:
            wanted: Windows of each kind; fewer are taken if there are fewer.
        """
        counts = self.counts
        real = chosen_windows(counts.real, wanted)
        return real, counts.real + chosen_windows(counts.generated, wanted)

    def locate(self, index: int) -> tuple[int, int]:
        """The trajectory and the first frame of window `index`.

        Returns:
            The trajectory's index: that of a real simulation in `simulations`; the
            generated ones are counted on behind these.

        Raises:
            IndexError: There is no such window.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        if index < self.num_real:
            trajectory, start = divmod(index, self.per_simulation)
            return trajectory, start if self.starts is None else self.starts[start]
        each = self.generated[1] - self.rollout_steps
        trajectory, start = divmod(index - self.num_real, each)
        return len(self.simulations) + trajectory, start

    def locate_all(
        self, indices: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Locates many windows that exist, each array `(window,)`.

        Returns:
            Whether each lies in a generated trajectory, the trajectory's index among
            those of its kind, and the first frame.
        """
        generated = self.are_generated(indices)
        trajectory, start = np.divmod(indices, self.per_simulation)
        if self.starts is not None:
            start = np.array(self.starts)[start]
        if len(self) > self.num_real:
            behind = indices[generated] - self.num_real
            each = self.generated[1] - self.rollout_steps
            trajectory[generated], start[generated] = np.divmod(behind, each)
        return generated, trajectory, start

    def observed(self, indices: np.ndarray) -> Observed | None:
        """What was observed of some windows that exist; None: all of all windows."""
        if self.observations is None:
            return None
        generated, _, start = self.locate_all(indices)
        return self.observations.observed(generated, start, self.rollout_steps)

    def checked(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Indices of windows as an int64 array.

        Raises:
            IndexError: There is no such window, or no index.
        """
        numbers = np.asarray(indices, np.int64)
        if not numbers.size or numbers.min() < 0 or numbers.max() >= len(self):
            raise IndexError(
                f"windows {list(indices)} of {len(self)}; expected at least one of 0 to"
                f" {len(self) - 1}"
            )
        return numbers


def sample_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Order of the samples in an epoch, the same on both sides.

    `numpy.random.default_rng([seed, epoch]).permutation(count)`, int64 `(count,)`.
    """
    return np.random.default_rng([seed, epoch]).permutation(count)


def chosen_windows(count: int, wanted: int) -> np.ndarray:
    """Indices of the windows that the parameters are learned from, evenly spread.

    Args:
        count: Windows that there are.
        wanted: `trainer.physical.windows`; fewer are taken if there are fewer.
    """
    taken = min(count, wanted)
    return np.arange(taken) * count // max(taken, 1)
