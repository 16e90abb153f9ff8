"""What the loops need of a side: small learners, in whatever framework."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from experiment.data import Observed, WindowCounts

#: Unbounded parameters of a PDE by name, `(x, y, ...)` or 0-d.
Unbounded = Mapping[str, np.ndarray]
#: Below such a relative gradient, in 1/m, `tv` is smooth, so that it has a slope at 0.
TV_EDGE = 1e-3
#: Gets a loss before it is applied, and raises to refuse it.
LossCheck = Callable[[float], None]


class Loader(Protocol):
    """Batches of windows in the order that an epoch has, in a learner's language."""

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and the first batch of it."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...


class AugmentedLoader(Loader, Protocol):
    """A loader that takes trajectories of a model beside the real ones."""

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds trajectories, in place of earlier ones.

        Args:
            trajectories: `(simulation, time, x, y, ..., vector)`; None removes them.
            access: `both`, `real_only` or `generated_only`.
        """
        ...

    def counts(self) -> WindowCounts:
        """Windows of each kind in an epoch."""
        ...

    def generated(self) -> np.ndarray:
        """Whether each window that is left of the epoch is generated, in its order."""
        ...

    def observed(self) -> Observed | None:
        """What was observed of the windows that are left of the epoch, in its order.

        None if everything was; asked for only if something was not.
        """
        ...


class Record(Protocol):
    """Where a training writes its rows; the run folder is one."""

    def write_history(self, history: Any, model: str = "synthetic") -> None:
        """Writes all rows so far of a model's training."""
        ...

    def scalars(self, row: Mapping[str, float | int | None]) -> None:
        """Sends one epoch's numbers to whoever shows curves."""
        ...


@dataclass(frozen=True)
class LearnerState:
    """All that a learner carries from step to step, in NumPy arrays.

    Attributes:
        weights: Parameters and buffers by canonical name.
        optimiser: For each parameter that has moments, `exp_avg`, `exp_avg_sq` and
            `step` (int64).
        random: States of random generators by name (uint8).
    """

    weights: Mapping[str, np.ndarray]
    optimiser: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    random: Mapping[str, np.ndarray] = field(default_factory=dict)


class SyntheticLearner(ABC):
    """A surrogate with its optimiser: Adam on the roll-out loss.

    Outside `evaluation` the model is in training mode.

    Attributes:
        rollout_steps: Steps of a window that are learned from; None: all of them.
    """

    rollout_steps: int | None = None

    @abstractmethod
    def step(
        self,
        windows: Any,
        check: LossCheck,
        observed: Observed | None = None,
        noise: np.ndarray | None = None,
    ) -> float:
        """One optimiser step on a batch; returns its loss.

        Args:
            windows: A batch as the side's loader gives it.
            check: Gets the loss before it is applied, and raises to refuse it.
            observed: What was observed of each window; None: all.
            noise: Is added to the initial frames, `(batch, x, y, ..., vector)`.
        """

    @abstractmethod
    def step_weighted(
        self,
        windows: Any,
        weights: np.ndarray,
        check: LossCheck,
        observed: Observed | None = None,
        noise: np.ndarray | None = None,
    ) -> np.ndarray:
        """One optimiser step on the mean over a batch of weight times window's loss.

        Args:
            windows: A batch as the side's loader gives it.
            weights: Of every window, float64 `(batch,)`.
            check: Gets the weighted loss before it is applied, and raises to refuse it.
            observed: What was observed of each window; None: all.
            noise: Is added to the initial frames, `(batch, x, y, ..., vector)`.

        Returns:
            The loss of every window without its weight, float64 `(batch,)`.
        """

    @abstractmethod
    def loss(self, windows: Any, observed: Observed | None = None) -> float:
        """The loss of a batch in the mode that is on; nothing is learned.

        Args:
            windows: A batch as the side's loader gives it.
            observed: What was observed of each window; None: all.
        """

    @abstractmethod
    def evaluation(self) -> AbstractContextManager[Any]:
        """Inside, the model is in evaluation mode and nothing keeps a gradient."""

    @abstractmethod
    def samples(self, windows: Any) -> int:
        """Windows in a batch."""

    @abstractmethod
    def predict(self, states: np.ndarray, frames: int) -> np.ndarray:
        """Rolls states out in evaluation mode.

        Args:
            states: `(simulation, x, y, ..., vector)`.
            frames: Frames of each trajectory, the initial one included.

        Returns:
            `(simulation, time, x, y, ..., vector)`.
        """

    @abstractmethod
    def state(self) -> LearnerState:
        """Weights, moments and random states, as copies."""

    @abstractmethod
    def load(self, state: LearnerState) -> None:
        """Takes over everything that `state` gives."""

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """The rate of the next step."""

    @learning_rate.setter
    @abstractmethod
    def learning_rate(self, rate: float) -> None: ...


@dataclass(frozen=True)
class Minimum:
    """Where a round of the optimiser ended.

    Attributes:
        unbounded: The best point that it met.
        iterations: Its iterations.
        evaluations: Losses with gradients that it asked for.
        converged: Whether it met its tolerance.
        message: Its own words.
    """

    unbounded: dict[str, np.ndarray]
    iterations: int
    evaluations: int
    converged: bool
    message: str


class PhysicalLearner(ABC):
    """A physical model whose parameters are learned from windows.

    Attributes:
        rollout_steps: Steps of a window that are learned from; None: all of them.
    """

    rollout_steps: int | None = None

    @abstractmethod
    def loss(self, unbounded: Unbounded, *, only: str | None = None) -> float:
        """Mean over roll-out steps of the mean squared error of the dynamic channels.

        Of a real window, over the steps and cells that were observed. Real and
        predicted windows, those that `Windows.chosen` names, are a term each: the sum
        of both means as `term_weights` has it. With `trainer.physical.regularisation`
        a term of the learned fields' gradient, g over the mean of the guess, is added,
        `regularisation_weight` times the mean over all cells of |g|^2 (l2) or of
        sqrt(|g|^2 + e^2) (tv; `TV_EDGE` is e): g by differences of a cell and its
        neighbour ahead, across the periodic boundary too.

        Args:
            unbounded: The parameters.
            only: `REAL` or `INTERACTION`: the plain mean over windows of one kind, all
                their steps; real ones also where `trainer.data_access` leaves them out
                of the loss.
        """

    @abstractmethod
    def counts(self) -> WindowCounts:
        """Windows of each kind that the loss is taken over."""

    @abstractmethod
    def gradient(self, unbounded: Unbounded) -> dict[str, np.ndarray]:
        """The gradient of `loss` by every unbounded parameter, float64 in its shape."""

    @abstractmethod
    def minimise(self, unbounded: Unbounded, scale: float) -> Minimum:
        """One round of L-BFGS-B from a point, on the loss over `scale`."""

    @abstractmethod
    def rollout(
        self, parameters: Mapping[str, np.ndarray], states: np.ndarray, frames: int
    ) -> np.ndarray:
        """Trajectories `(simulation, time, x, y, ..., vector)`.

        Args:
            parameters: By name, each over the axes that it is learned over; those that
                are not there have their true value.
            states: Initial states `(simulation, x, y, ..., vector)`.
            frames: Frames of each, the initial one included.
        """

    @abstractmethod
    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds predicted trajectories to the windows; see `AugmentedLoader.augment`."""
