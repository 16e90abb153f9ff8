"""Learning the parameters of a PDE, in rounds: one loop for both sides' learners."""

import logging
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiment.settings import Settings, parameter_ranges, settings_with_content
from experiment.system import CheckpointError, Progress, StopSignal, versions
from experiment.training.checkpoints import (
    PHYSICAL,
    Checkpoint,
    first_leaf_that_differs,
    load_checkpoint,
)
from experiment.training.learners import PhysicalLearner, Record
from experiment.training.log import TrainingLog
from experiment.training.resuming import check_resumable
from experiment.training.schedule import rollout_steps
from experiment.training.state import TrainingState
from experiment.training.terms import INTERACTION, REAL, terms_of_row

log = logging.getLogger(__name__)


def physical_steps(settings: Settings) -> int:
    """Target frames of the physical model's windows."""
    trainer = settings.trainer
    return trainer.physical.rollout_steps or trainer.rollout_steps


def physical_settings(settings: Settings) -> Settings:
    """The settings as the physical model's windows have them: its own roll-out."""
    steps = physical_steps(settings)
    trainer = replace(settings.trainer, rollout_steps=steps)
    return replace(settings, trainer=trainer)


def load_parameters(path: Path, settings: Settings) -> Checkpoint:
    """Reads a checkpoint of the parameters that the settings name.

    Raises:
        CheckpointError: It can't be read, or is of other parameters or another grid.
    """
    checkpoint = load_checkpoint(path, PHYSICAL)
    expected = {n: r.guess for n, r in parameter_ranges(settings).items()}
    problem = first_leaf_that_differs(expected, checkpoint.weights)
    if problem:
        trained = checkpoint.settings.get("trainer", {}).get("physical", {})
        factor, own = trained.get("coarsening", 1), settings.trainer.physical.coarsening
        remedy = (
            " See `trainer.physical.learnable_parameters`."
            if factor == own
            else f" It was trained with `trainer.physical.coarsening` = {factor}, this"
            f" run has {own}; give the same."
        )
        raise CheckpointError(f"`{path}` is of other parameters: {problem}{remedy}")
    return checkpoint


class PhysicalTraining:
    """Rounds of L-BFGS-B; each ends in a checkpoint and begins from its last point.

    The optimiser's memory begins anew in each round, so a training that was killed goes
    on bitwise as if nothing had happened.

    Args:
        settings: The settings of the run.
        learner: The physical model and its windows.
        rounds: Rounds of the whole training.
    """

    def __init__(
        self, settings: Settings, learner: PhysicalLearner, rounds: int
    ) -> None:
        self.settings = settings
        self._settings_kept = settings_with_content(settings)
        self.learner = learner
        self.ranges = parameter_ranges(settings)
        self.unbounded = {name: r.start for name, r in self.ranges.items()}
        self._rounds = rounds
        self._log = TrainingLog(settings, PHYSICAL, self.snapshot, TrainingState())
        self._begun = False

    @property
    def state(self) -> TrainingState:
        """How far training has come; an epoch is a round."""
        return self._log.state

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The parameters as they are now, float64 `(x, y, ...)` or 0-d."""
        return {n: r.bounded(self.unbounded[n]) for n, r in self.ranges.items()}

    def begin(self, *, may_be_new: bool = False) -> None:
        """Takes over the last checkpoint if asked to, or moves earlier ones aside.

        Args:
            may_be_new: A training that is resumed need not have ended a round yet.

        Raises:
            CheckpointError: The checkpoint is missing, torn or of something else.
        """
        if self._begun:
            return
        self._begun = True
        if not self.settings.trainer.resume:
            self._log.start_afresh()
        elif self._log.last.exists() or not may_be_new:
            self._restore()

    def train(
        self, record: Record, progress: Progress, until: int | None = None
    ) -> TrainingState:
        """Trains up to a round, by default the last one.

        Raises:
            CheckpointError: `trainer.resume` is set and the checkpoint doesn't fit.
            TrainingError: The loss is not finite, or a signal asked to stop.
        """
        self.begin()
        until = self._rounds if until is None else min(until, self._rounds)
        done = self.state.epoch
        with (
            StopSignal() as stop,
            progress.bar("physical", self._rounds, "rounds", done) as bar,
        ):
            while self.state.epoch < until:
                self._round(record)
                bar.step(loss=self.state.history[-1]["loss"])
                # Also behind the last round of a cycle: others are to come.
                if stop.name is not None and self.state.epoch < self._rounds:
                    done = f"{self.state.epoch} rounds of the physical model"
                    self._log.stop(stop, done)
        return self.state

    def _round(self, record: Record) -> None:
        started = time.monotonic()
        number = self.state.epoch + 1
        whole = physical_steps(self.settings)
        steps = rollout_steps(self.settings, whole, self.state.epoch, self._rounds)
        # None where windows are whole, so that nothing is cut off in each evaluation.
        self.learner.rollout_steps = steps if steps < whole else None
        before = self.learner.loss(self.unbounded)
        self._log.check(
            before,
            f" of the physical model before round {number}",
            "Look at the data, or narrow the bounds in"
            " `trainer.physical.learnable_parameters`.",
        )
        # In units of the loss at hand, so that tolerances mean the same in any round.
        minimum = self.learner.minimise(self.unbounded, before or 1.0)
        after = self.learner.loss(minimum.unbounded)
        kept = math.isfinite(after) and after <= before
        if not kept and not after < 1.01 * before:
            log.warning(
                "round %d of the physical model diverged: its loss went from %.3e to"
                " %.3e; the parameters from before it are kept (%s)",
                *(number, before, after, minimum.message),
            )
        elif not kept:
            log.info("round %d found nothing better (%s)", number, minimum.message)
        elif minimum.iterations >= self.settings.trainer.physical.iterations:
            log.info(
                "round %d made all its %d iterations (`trainer.physical.iterations`)",
                *(number, minimum.iterations),
            )
        elif not minimum.converged:
            log.info(
                "round %d ended early (%s); the best point that it found is kept",
                *(number, minimum.message),
            )
        if kept:
            self.unbounded = dict(minimum.unbounded)
        counts, interaction = self.learner.counts(), None
        if counts.generated:
            interaction = self.learner.loss(self.unbounded, only=INTERACTION)
        row = {
            "round": number,
            "iterations": minimum.iterations,
            "evaluations": minimum.evaluations,
            "loss_before": before,
            "loss": after if kept else before,
            # What rounds are compared by, as predicted windows differ between cycles.
            "real_loss": self.learner.loss(self.unbounded, only=REAL),
            "interaction_loss": interaction,
            "real_windows": counts.real,
            "interaction_windows": counts.generated,
            "rollout_steps": steps,
            "converged": minimum.converged,
            "seconds": round(time.monotonic() - started, 3),
        }
        iterations = self.state.iteration + minimum.iterations
        self._log.state = replace(self.state, iteration=iterations)
        self._log.end(row, row["real_loss"], record)
        shown = terms_of_row(self.settings, PHYSICAL, row, "predicted")
        log.info(
            "physical round %d/%d loss %.3e -> %.3e%s, %d iterations, %.1f s",
            *(number, self._rounds, before, row["loss"], shown),
            *(minimum.iterations, row["seconds"]),
        )

    def keep(self) -> None:
        """Keeps the state that a cycle begins with (`trainer.hybrid.keep_best`)."""
        self._log.keep(self.learner.loss(self.unbounded, only=REAL))

    def judge(self, cycle: int) -> None:
        """Undoes a cycle that made the model worse on its real windows."""
        kept = self._log.kept_if_better(self.state.history[-1]["real_loss"], cycle)
        if kept is not None:
            self._load_parameters(kept)
        self._log.save()

    def _load_parameters(self, checkpoint: Checkpoint) -> None:
        self.unbounded = {n: m["unbounded"] for n, m in checkpoint.optimiser.items()}

    def snapshot(self) -> Checkpoint:
        """The whole state of the training, as copies."""
        return Checkpoint(
            kind=PHYSICAL,
            weights=self.parameters,
            optimiser={n: {"unbounded": z} for n, z in self.unbounded.items()},
            state=self.state,
            settings=self._settings_kept,
            versions=versions(),
        )

    def _restore(self) -> None:
        path = self._log.last
        checkpoint = load_parameters(path, self.settings)
        check_resumable(path, checkpoint, self.settings)
        self._log.state = checkpoint.state
        self._load_parameters(checkpoint)
        log.info("resuming `%s` after %d rounds", path, self.state.epoch)
