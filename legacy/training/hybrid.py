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
        hybrid = self.settings.trainer.hybrid
        self.synthetic.begin(run)
        # In the first cycle its checkpoint is still to come.
        first = hybrid_epochs(self.settings, 1)
        self.physical.begin(may_be_new=self.synthetic.epochs_done <= first)
        self.synthetic.train(run, progress, until=hybrid.warm_up_epochs)
        for cycle in range(hybrid.cycles):
            self._cycle(cycle, run, progress)
        self._loader.augment(None, "real_only")
        self.physical.learner.augment(None, "real_only")

    def _cycle(self, cycle: int, run: RunFolder, progress: Progress) -> None:
        hybrid = self.settings.trainer.hybrid
        access = self.settings.trainer.data_access
        until_epoch = hybrid_epochs(self.settings, cycle + 1)
        until_round = (cycle + 1) * hybrid.rounds
        states = new_states(self.settings, cycle)
        if self.synthetic.epochs_done < until_epoch:
            generated = self.physical.learner.rollout(
                self.physical.parameters,
                states,
                self.settings.data.trajectory_length,
            )
            _check(generated, "the physical model's roll-out", cycle)
            self._loader.augment(generated, access)
            log.info("cycle %d: %d generated simulations", cycle + 1, len(generated))
            self.synthetic.train(run, progress, until=until_epoch)
        if self.physical.state.epoch < until_round:
            frames = self.settings.trainer.rollout_steps + 1
            predicted = self.synthetic.predict(states, frames)
            _check(predicted, "the synthetic model's prediction", cycle)
            self.physical.learner.augment(predicted, access)
            self.physical.train(run, progress, until=until_round)


def _check(trajectories: np.ndarray, what: str, cycle: int) -> None:
    if not np.isfinite(trajectories).all():
        raise TrainingError(
            f"{what} in cycle {cycle + 1} is not finite; it was not handed over. The"
            " last checkpoints of both models are kept. Train longer before the first"
            " cycle (`trainer.hybrid.warm_up_epochs`), or narrow the bounds in"
            " `trainer.physical.learnable_parameters`."
        )
