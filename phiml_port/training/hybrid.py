"""Both models teach each other."""

import logging
from typing import Any, Protocol

import numpy as np

from experiment.run import RunFolder
from experiment.settings import Settings
from experiment.system import Progress, TrainingError
from experiment.training import PhysicalTrainer, hybrid_epochs, new_states

log = logging.getLogger(__name__)


class Augmented(Protocol):
    """A loader that takes trajectories `(simulation, time, x, y, ..., vector)`."""

    def augment(self, trajectories: np.ndarray | None, access: Any) -> None: ...


class SyntheticModel(Protocol):
    """A trainer of the synthetic model that goes on where it stood."""

    @property
    def epochs_done(self) -> int: ...

    def begin(self, run: RunFolder) -> None: ...

    def train(
        self, run: RunFolder, progress: Progress, until: int | None = None
    ) -> Any: ...

    def predict(self, states: np.ndarray, frames: int) -> np.ndarray: ...


class HybridTrainer:
    """A warm-up of the synthetic model, then cycles.

    Semantics: the synthetic model trains `warm_up_epochs` on real windows. In each
    cycle the physical model rolls new initial states out to whole trajectories, `alpha`
    times as many as there are real ones; the synthetic model trains `epochs` on real
    and generated windows (`trainer.data_access`); it rolls the same initial states out
    over one window; and the physical model trains `rounds` on real and predicted
    windows. Initial states are numbered on behind the simulations of the data.

    A training that was killed goes on where it stood: epochs and rounds done say which
    cycle it is, and what was handed over is made again from the parameters of the last
    round, which no step in between changes.

    Args:
        settings: The settings of the run.
        synthetic: Trainer of the synthetic model.
        loader: Its training windows.
        physical: Trainer of the physical model.
    """

    def __init__(
        self,
        settings: Settings,
        synthetic: SyntheticModel,
        loader: Augmented,
        physical: PhysicalTrainer,
    ) -> None:
        self.settings = settings
        self.synthetic = synthetic
        self.physical = physical
        self._loader = loader

    def train(self, run: RunFolder, progress: Progress) -> None:
        """Trains both to the end.

        Raises:
            CheckpointError: `trainer.resume` is set and a checkpoint doesn't fit.
            TrainingError: A loss or a handed-over trajectory is not finite, or a
                signal asked to stop.
        """
        settings, hybrid = self.settings, self.settings.trainer.hybrid
        self.synthetic.begin(run)
        # In the first cycle its checkpoint is still to come.
        first = hybrid_epochs(settings, 1)
        self.physical.begin(may_be_new=self.synthetic.epochs_done <= first)
        self.synthetic.train(run, progress, until=hybrid_epochs(settings, 0))
        for cycle in range(hybrid.cycles):
            states = new_states(settings, cycle)
            epoch = hybrid_epochs(settings, cycle + 1)
            if self.synthetic.epochs_done < epoch:
                self.teach_synthetic(states, cycle)
                self.synthetic.train(run, progress, until=epoch)
            if self.physical.state.epoch < (cycle + 1) * hybrid.rounds:
                self.teach_physical(states, cycle)
                self.physical.train(run, progress, until=(cycle + 1) * hybrid.rounds)
        self._loader.augment(None, "real_only")
        self.physical.learner.augment(None, "real_only")

    def teach_synthetic(self, states: np.ndarray, cycle: int) -> None:
        """Hands trajectories of the physical model to the synthetic one.

        Args:
            states: Initial states `(simulation, x, y, ..., vector)`.
            cycle: Number of the cycle, from 0.

        Raises:
            TrainingError: They are not finite.
        """
        generated = self.physical.learner.rollout(
            self.physical.parameters, states, self.settings.data.trajectory_length
        )
        self._loader.augment(
            finite(generated, "the physical model's roll-out", cycle),
            self.settings.trainer.data_access,
        )
        log.info("cycle %d: %d generated simulations", cycle + 1, len(generated))

    def teach_physical(self, states: np.ndarray, cycle: int) -> None:
        """Hands windows that the synthetic model predicts to the physical one.

        Args:
            states: Initial states `(simulation, x, y, ..., vector)`.
            cycle: Number of the cycle, from 0.

        Raises:
            TrainingError: They are not finite.
        """
        frames = self.settings.trainer.rollout_steps + 1
        predicted = self.synthetic.predict(states, frames)
        self.physical.learner.augment(
            finite(predicted, "the synthetic model's prediction", cycle),
            self.settings.trainer.data_access,
        )


def finite(trajectories: np.ndarray, what: str, cycle: int) -> np.ndarray:
    """The trajectories themselves, if every value is finite.

    Raises:
        TrainingError: One is not; names what and where.
    """
    if np.isfinite(trajectories).all():
        return trajectories
    raise TrainingError(
        f"{what} in cycle {cycle + 1} is not finite; it was not handed over. The last"
        " checkpoints of both models are kept. Train longer before the first cycle"
        " (`trainer.hybrid.warm_up_epochs`), or narrow the bounds in"
        " `trainer.physical.learnable_parameters`."
    )
