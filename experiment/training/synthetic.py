"""The training of a surrogate, in epochs: one loop for the learners of both sides."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiment.data import WindowCounts, observation_plan
from experiment.settings import Settings, settings_with_content
from experiment.system import Bar, Progress, StopSignal, TrainingError, versions
from experiment.training.checkpoints import SYNTHETIC, Checkpoint, load_for_model
from experiment.training.learners import (
    AugmentedLoader,
    LearnerState,
    Loader,
    Record,
    SyntheticLearner,
)
from experiment.training.log import TrainingLog
from experiment.training.resuming import check_resumable, resumed_state
from experiment.training.schedule import next_rate, rollout_steps
from experiment.training.state import TrainingState
from experiment.training.step_arguments import step_arguments
from experiment.training.terms import term_weights, terms_of_row, window_weights

log = logging.getLogger(__name__)


class SyntheticTraining:
    """Epochs over all windows, each with validation and checkpoints.

    Args:
        settings: The settings of the run.
        learner: The surrogate with its optimiser.
        train_loader: Training windows.
        val_loader: Validation windows, or None.
    """

    def __init__(
        self,
        settings: Settings,
        learner: SyntheticLearner,
        train_loader: AugmentedLoader,
        val_loader: Loader | None,
    ) -> None:
        self.settings = settings
        self._settings_kept = settings_with_content(settings)
        self.learner = learner
        #: Batches that went through the model in this process, validation included.
        self.batches_seen = 0
        self.train_loader = train_loader
        self.val_loader = val_loader
        rate = settings.trainer.synthetic.learning_rate
        self._log = TrainingLog(
            settings, SYNTHETIC, self.snapshot, TrainingState(learning_rate=rate)
        )
        self._begun = False
        self._masked = observation_plan(settings) is not None
        #: Windows of each kind; None as long as no trajectory was handed over.
        self._counts: WindowCounts | None = None

    @property
    def state(self) -> TrainingState:
        """How far training has come, also one that was taken over."""
        return self._log.state

    def begin(self, record: Record) -> None:
        """Takes over the last checkpoint if asked to, or moves earlier ones aside.

        Raises:
            CheckpointError: `trainer.resume` is set and the checkpoint doesn't fit.
        """
        if self._begun:
            return
        self._begun = True
        if not self.settings.trainer.resume:
            self._log.start_afresh()
            return
        path, own = self._log.last, self.learner.state().weights
        checkpoint = load_for_model(path, self.settings, own)
        check_resumable(path, checkpoint, self.settings)
        self._log.state = resumed_state(checkpoint, self.settings)
        log.info(
            "resuming `%s` after %d epochs and %d batches",
            *(path, self.state.epoch, self.state.position),
        )
        record.write_history(self.state.history)
        self.learner.load(
            LearnerState(checkpoint.weights, checkpoint.optimiser, checkpoint.random)
        )
        self.learner.learning_rate = self.state.learning_rate

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds the other model's trajectories to the training windows.

        Args:
            trajectories: `(simulation, time, x, y, ..., vector)`; None removes them.
            access: `both`, `real_only` or `generated_only`.
        """
        self.train_loader.augment(trajectories, access)
        self._counts = None
        if trajectories is not None:
            self._counts = self.train_loader.counts()

    def train(
        self, record: Record, progress: Progress, until: int | None = None
    ) -> TrainingState:
        """Trains up to an epoch, by default the last one, and goes on where it stood.

        Raises:
            CheckpointError: `trainer.resume` is set and the checkpoint doesn't fit.
            TrainingError: The loss is not finite, the loader yields no batch, or a
                signal asked to stop.
        """
        self.begin(record)
        every = self.settings.trainer.synthetic.epochs
        epochs = every if until is None else min(until, every)
        self.train_loader.set_epoch(0)
        batches = len(self.train_loader)
        done = self.state.epoch * batches + self.state.position
        with (
            StopSignal() as stop,
            progress.bar("train", epochs * batches, "batches", done) as bar,
        ):
            while self.state.epoch < epochs:
                self._epoch(record, bar, stop)
                # A signal that came during validation; epochs may be left to others.
                if stop.name is not None and self.state.epoch < every:
                    self._stop(stop)
        return self.state

    def _epoch(self, record: Record, bar: Bar, stop: StopSignal) -> None:
        started = time.monotonic()
        self.train_loader.set_epoch(self.state.epoch, self.state.position)
        trainer = self.settings.trainer
        steps = rollout_steps(
            *(self.settings, trainer.rollout_steps),
            *(self.state.epoch, trainer.synthetic.epochs),
        )
        # None where windows are whole, so that nothing is cut off batch by batch.
        shorter = steps < trainer.rollout_steps
        self.learner.rollout_steps = steps if shorter else None
        for loss in self._steps():
            bar.step(epoch=self.state.epoch + 1, loss=loss)
            if stop.name is not None:
                self._stop(stop)
        done = self.state
        if not done.samples:
            raise TrainingError(
                f"the loader gave no batch in epoch {done.epoch + 1}; expected at least"
                " one. The last checkpoint is kept."
            )
        rate = next_rate(self.settings, done.learning_rate, done.epoch)
        self.learner.learning_rate = rate
        val_loss = self.validation_loss()
        if val_loss is not None:
            self._check(val_loss)
        row = {
            "epoch": done.epoch + 1,
            "train_loss": done.loss_sum / done.samples,
            "real_loss": done.mean("real"),
            "interaction_loss": done.mean("generated"),
            "real_windows": done.real_samples,
            "interaction_windows": done.generated_samples,
            "rollout_steps": steps,
            "val_loss": val_loss,
            "learning_rate": done.learning_rate,
            "seconds": round(time.monotonic() - started, 3),
        }
        self._log.state = done.next_epoch(rate)
        judged = val_loss
        if judged is None:
            # The training loss of a cycle has another term than that of the warm-up.
            real = row["real_loss"]
            judged = row["train_loss"] if real is None else real
        every = trainer.synthetic.checkpoint_every
        self._log.end(row, judged, record, every)
        record.scalars(row)
        shown = "" if val_loss is None else f" validation {val_loss:.3e}"
        log.info(
            "epoch %d/%d loss %.3e%s%s rate %.1e %.1f s",
            *(row["epoch"], trainer.synthetic.epochs),
            *(
                row["train_loss"],
                terms_of_row(self.settings, SYNTHETIC, row, "generated"),
                shown,
            ),
            *(row["learning_rate"], row["seconds"]),
        )

    def _steps(self) -> Iterator[float]:
        """Steps on all batches that are left of the epoch, and their losses."""
        counts = self._counts
        observed = self.train_loader.observed() if self._masked else None
        first = 0
        if counts is None or not counts.real or not counts.generated:
            kind = "real" if counts is None or counts.real else "generated"
            for windows in self.train_loader:
                samples = self.learner.samples(windows)
                part = slice(first, first + samples)
                first = part.stop
                more = step_arguments(self.settings, self.state, part, observed)
                loss = self.learner.step(windows, self._check, **more)
                self._count(loss, samples)
                self._log.state = self.state.term(kind, loss * samples, samples)
                yield loss
            return
        generated = self.train_loader.generated()
        factors = term_weights(self.settings, SYNTHETIC, counts)
        weights = window_weights(factors, counts, generated)
        for windows in self.train_loader:
            part = slice(first, first + self.learner.samples(windows))
            first = part.stop
            more = step_arguments(self.settings, self.state, part, observed)
            losses = self.learner.step_weighted(
                windows, weights[part], self._check, **more
            )
            loss = float(np.mean(weights[part] * losses))
            self._count(loss, len(losses))
            for kind, own in (
                ("real", ~generated[part]),
                ("generated", generated[part]),
            ):
                total = float(losses[own].sum())
                self._log.state = self.state.term(kind, total, int(own.sum()))
            yield loss

    def validation_loss(self) -> float | None:
        """Mean loss of all validation windows in evaluation mode; None without any."""
        if self.val_loader is None:
            return None
        self.val_loader.set_epoch(0)
        total, samples = 0.0, 0
        with self.learner.evaluation():
            for windows in self.val_loader:
                count = self.learner.samples(windows)
                total += self.learner.loss(windows) * count
                samples += count
                self.batches_seen += 1
        return total / samples

    def keep(self) -> None:
        """Keeps the state that a cycle begins with (`trainer.hybrid.keep_best`)."""
        loss = self.validation_loss()
        assert loss is not None
        self._log.keep(loss)

    def judge(self, cycle: int) -> None:
        """Undoes a cycle that made the model worse on the validation windows.

        Weights and moments go back; epochs, their rates and random states go on.
        """
        kept = self._log.kept_if_better(self.state.history[-1]["val_loss"], cycle)
        if kept is not None:
            self.learner.load(LearnerState(kept.weights, kept.optimiser))
        self._log.save()

    def _count(self, loss: float, samples: int) -> None:
        self.batches_seen += 1
        state = self.state
        self._log.state = replace(
            state,
            iteration=state.iteration + 1,
            position=state.position + 1,
            loss_sum=state.loss_sum + loss * samples,
            samples=state.samples + samples,
        )

    def _check(self, loss: float) -> None:
        state = self.state
        self._log.check(
            loss,
            f" at epoch {state.epoch + 1}, batch {state.position + 1}",
            "The step was not applied. Lower `trainer.synthetic.learning_rate`, or set"
            " `trainer.synthetic.clip_norm`.",
        )

    def _stop(self, stop: StopSignal) -> None:
        self._log.save()
        state = self.state
        self._log.stop(stop, f"{state.epoch} epochs and {state.position} batches")

    def snapshot(self) -> Checkpoint:
        """The whole state of the training, as copies."""
        learner = self.learner.state()
        return Checkpoint(
            weights=learner.weights,
            optimiser=learner.optimiser,
            random=learner.random,
            state=self.state,
            settings=self._settings_kept,
            versions=versions(),
        )
