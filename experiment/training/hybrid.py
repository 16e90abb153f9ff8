"""Both models teach each other, in cycles: one loop for both sides."""

import logging
from dataclasses import replace

import numpy as np

from experiment.data import channel_plan
from experiment.settings import Settings
from experiment.system import Progress, TrainingError
from experiment.training.checkpoints import PHYSICAL, SYNTHETIC
from experiment.training.learners import Record
from experiment.training.physical import PhysicalTraining, physical_steps
from experiment.training.synthetic import SyntheticTraining
from experiment.training.terms import access_of, term_weights, terms_text

log = logging.getLogger(__name__)


class HybridTraining:
    """A warm-up of the synthetic model, then cycles.

    Semantics: the synthetic model trains `warm_up_epochs` on real windows. In each
    cycle the physical model rolls new initial states out to whole trajectories, `alpha`
    times as many as there are real ones; the synthetic model trains `epochs` on real
    and generated windows (`trainer.data_access`); it rolls the same initial states out
    over one window; and the physical model trains `rounds` on real and predicted
    windows. Initial states are numbered on behind the simulations of the data.

    Real windows and those that the other model made are a term each of a model's loss,
    with a weight of its own (`trainer.hybrid.weights`, `experiment.training.terms`).
    With `keep_best` a cycle that made a model worse on real data is undone for it: the
    synthetic model judged on the validation windows, the physical one on the real
    windows that it learns from.

    A training that was killed goes on where it stood: epochs and rounds done say which
    cycle it is, and what was handed over is made again from the parameters of the last
    round, which no step in between changes.

    Args:
        settings: The settings of the run.
        synthetic: Training of the synthetic model; its loader takes trajectories.
        physical: Training of the physical model.
    """

    def __init__(
        self,
        settings: Settings,
        synthetic: SyntheticTraining,
        physical: PhysicalTraining,
    ) -> None:
        self.settings = settings
        self.synthetic = synthetic
        self.physical = physical

    def train(self, record: Record, progress: Progress) -> None:
        """Trains both to the end.

        Raises:
            CheckpointError: `trainer.resume` is set and a checkpoint doesn't fit.
            TrainingError: A loss or a handed-over trajectory is not finite, or a
                signal asked to stop.
        """
        settings, hybrid = self.settings, self.settings.trainer.hybrid
        self.synthetic.begin(record)
        # In the first cycle its checkpoint is still to come.
        first = hybrid_epochs(settings, 1)
        self.physical.begin(may_be_new=self.synthetic.state.epoch <= first)
        self.synthetic.train(record, progress, until=hybrid_epochs(settings, 0))
        for cycle in range(hybrid.cycles):
            states = new_states(settings, cycle)
            epoch = hybrid_epochs(settings, cycle + 1)
            self._keep(self.synthetic, hybrid_epochs(settings, cycle))
            if self.synthetic.state.epoch < epoch:
                self.teach_synthetic(states, cycle)
                self.synthetic.train(record, progress, until=epoch)
            self._judge(self.synthetic, cycle)
            rounds = (cycle + 1) * hybrid.rounds
            self._keep(self.physical, cycle * hybrid.rounds)
            if self.physical.state.epoch < rounds:
                self.teach_physical(states, cycle)
                self.physical.train(record, progress, until=rounds)
            self._judge(self.physical, cycle)
        self.synthetic.augment(None, "real_only")
        self.physical.learner.augment(None, "real_only")

    def _keep(self, model: SyntheticTraining | PhysicalTraining, first: int) -> None:
        """Keeps the state before a cycle, if that is where the training stands."""
        state = model.state
        at_its_beginning = state.epoch == first and not state.position
        if self.settings.trainer.hybrid.keep_best and at_its_beginning:
            model.keep()

    def _judge(self, model: SyntheticTraining | PhysicalTraining, cycle: int) -> None:
        """Undoes a cycle that made a model worse, unless it was judged before."""
        if self.settings.trainer.hybrid.keep_best and model.state.cycles <= cycle:
            model.judge(cycle)

    def teach_synthetic(self, states: np.ndarray, cycle: int) -> None:
        """Hands trajectories of the physical model to the synthetic one.

        Args:
            states: Initial states `(simulation, x, y, ..., vector)`.
            cycle: Number of the cycle, from 0.

        Raises:
            TrainingError: They are not finite.
        """
        frames = generated_frames(self.settings)
        parameters = self.physical.parameters
        generated = self.physical.learner.rollout(parameters, states, frames)
        _refuse_not_finite(generated, "the physical model's roll-out", cycle)
        self.synthetic.augment(generated, access_of(self.settings, SYNTHETIC))
        counts = self.synthetic.train_loader.counts()
        factors = term_weights(self.settings, SYNTHETIC, counts)
        log.info(
            "cycle %d: %d generated simulations; the synthetic model's loss is %s",
            *(cycle + 1, len(generated), terms_text(factors, counts, "generated")),
        )

    def teach_physical(self, states: np.ndarray, cycle: int) -> None:
        """Hands windows that the synthetic model predicts to the physical one.

        Args:
            states: Initial states `(simulation, x, y, ..., vector)`.
            cycle: Number of the cycle, from 0.

        Raises:
            TrainingError: They are not finite.
        """
        frames = self.settings.trainer.hybrid.predicted_frames
        frames = frames or physical_steps(self.settings) + 1
        predicted = self.synthetic.learner.predict(states, frames)
        _refuse_not_finite(predicted, "the synthetic model's prediction", cycle)
        access = access_of(self.settings, PHYSICAL)
        self.physical.learner.augment(predicted, access)
        counts = self.physical.learner.counts()
        factors = term_weights(self.settings, PHYSICAL, counts)
        log.info(
            "cycle %d: the physical model's loss is %s",
            *(cycle + 1, terms_text(factors, counts, "predicted")),
        )


def _refuse_not_finite(trajectories: np.ndarray, what: str, cycle: int) -> None:
    if not np.isfinite(trajectories).all():
        raise TrainingError(
            f"{what} in cycle {cycle + 1} is not finite; it was not handed over. The"
            " last checkpoints of both models are kept. Train longer before the first"
            " cycle (`trainer.hybrid.warm_up_epochs`), or narrow the bounds in"
            " `trainer.physical.learnable_parameters`."
        )


def hybrid_epochs(settings: Settings, cycles: int) -> int:
    """Epochs of the synthetic model after so many cycles; 0 cycles: the warm-up."""
    hybrid = settings.trainer.hybrid
    return hybrid.warm_up_epochs + cycles * hybrid.epochs


def training_settings(settings: Settings) -> Settings:
    """The settings with the synthetic model's epochs as `general.mode` has them.

    The learning rate is annealed over all epochs of the run.
    """
    if settings.general.mode != "hybrid":
        return settings
    epochs = hybrid_epochs(settings, settings.trainer.hybrid.cycles)
    synthetic = replace(settings.trainer.synthetic, epochs=epochs)
    return replace(settings, trainer=replace(settings.trainer, synthetic=synthetic))


def physical_rounds(settings: Settings) -> int:
    """Rounds of the physical model in the whole training."""
    if settings.general.mode != "hybrid":
        return settings.trainer.physical.rounds
    return settings.trainer.hybrid.cycles * settings.trainer.hybrid.rounds


def generated_count(settings: Settings) -> int:
    """Simulations that are generated a cycle, at least 1."""
    if settings.trainer.hybrid.trajectories is not None:
        return settings.trainer.hybrid.trajectories
    share = settings.trainer.hybrid.alpha * len(settings.trainer.train_sim)
    return max(1, round(share))


def generated_frames(settings: Settings) -> int:
    """Frames of each generated simulation: by default as many as the data have."""
    hybrid = settings.trainer.hybrid
    return hybrid.generated_frames or settings.data.trajectory_length


def new_states(settings: Settings, cycle: int) -> np.ndarray:
    """Initial states of a cycle, `(simulation, x, y, ..., vector)`.

    Drawn as those of the data, and numbered on behind them, so no state comes twice.
    In `general.precision`.
    """
    count = generated_count(settings)
    first = settings.data.num_simulations + cycle * count
    plan, equation = channel_plan(settings), settings.model.physical
    states = []
    for number in range(first, first + count):
        fields = equation.initial_state(settings.data.seed, number)
        columns = [
            fields[name] if components else fields[name][..., None]
            for name, components in plan.fields.items()
        ]
        states.append(np.concatenate(columns, -1))
    return np.stack(states).astype(settings.general.precision)
