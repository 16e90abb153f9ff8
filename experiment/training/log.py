"""How far a training has come: its state, its rows, and its checkpoints."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from experiment.settings import Settings
from experiment.system import Stopped, StopSignal, TrainingError, remove_stale
from experiment.training.checkpoints import (
    PHYSICAL,
    SYNTHETIC,
    Checkpoint,
    checkpoint_folder,
    checkpoint_path,
    checkpoints_of,
    first_leaf_not_finite,
    load_checkpoint,
    save_checkpoint,
)
from experiment.training.learners import Record
from experiment.training.state import TrainingState

log = logging.getLogger(__name__)


_REMEDIES = {
    SYNTHETIC: "Lower `trainer.synthetic.learning_rate`, or set"
    " `trainer.synthetic.clip_norm`, and train again.",
    PHYSICAL: "Narrow the bounds in `trainer.physical.learnable_parameters`, or lower"
    " `trainer.physical.iterations`, and train again.",
}


class TrainingLog:
    """Keeps a training's state, and writes its rows and checkpoints.

    Args:
        settings: The settings of the run.
        kind: The model that is trained, `SYNTHETIC` or `PHYSICAL`.
        snapshot: Gives the training's whole state as a checkpoint.
        state: Where it begins.
    """

    def __init__(
        self,
        settings: Settings,
        kind: str,
        snapshot: Callable[[], Checkpoint],
        state: TrainingState,
    ) -> None:
        self.state = state
        self._settings = settings
        self._kind = kind
        self._snapshot = snapshot
        self._folder = checkpoint_folder(settings)
        remove_stale(self._folder)

    @property
    def last(self) -> Path:
        """The checkpoint that a training goes on from."""
        return checkpoint_path(self._settings, self._kind, "last")

    def start_afresh(self) -> None:
        """Moves an earlier training's checkpoints aside, so that none is lost."""
        earlier = checkpoints_of(self._folder, self._kind)
        if earlier:
            stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
            aside = self._folder / "earlier" / stamp
            aside.mkdir(parents=True, exist_ok=True)
            for file in earlier:
                file.rename(aside / file.name)
            log.info("the checkpoints of an earlier training are now in `%s`", aside)

    def save(self) -> None:
        """Writes the checkpoint that a training goes on from.

        Raises:
            TrainingError: The state holds NaN or infinity; nothing was written.
        """
        save_checkpoint(self.last, self._finite_snapshot())

    def keep(self, loss: float) -> None:
        """Keeps the state that a cycle begins with.

        Args:
            loss: Its loss on real data.
        """
        self.state = replace(self.state, kept_loss=loss)
        path = checkpoint_path(self._settings, self._kind, "kept")
        save_checkpoint(path, self._finite_snapshot())

    def kept_if_better(self, loss: float, cycle: int) -> Checkpoint | None:
        """The state that a cycle began with, if its end is worse; says which it is.

        Args:
            loss: The loss on real data at the end of the cycle.
            cycle: Its number, from 0.

        Raises:
            CheckpointError: The kept state is missing or torn.
        """
        before = self.state.kept_loss
        self.state = replace(self.state, cycles=cycle + 1)
        if before is None or loss <= before:
            log.info(
                "cycle %d is kept: the %s model's loss on real data went from %s to"
                " %.3e",
                *(cycle + 1, self._kind, f"{before or math.nan:.3e}", loss),
            )
            return None
        log.warning(
            "cycle %d made the %s model worse: its loss on real data went from %.3e to"
            " %.3e; its state before the cycle is back (`trainer.hybrid.keep_best`)",
            *(cycle + 1, self._kind, before, loss),
        )
        path = checkpoint_path(self._settings, self._kind, "kept")
        return load_checkpoint(path, self._kind)

    def stop(self, stop: StopSignal, done: str) -> None:
        """Ends the training, which is saved.

        Raises:
            Stopped: Always; says how to go on.
        """
        raise Stopped(
            f"stopped by {stop.name} after {done}; nothing is lost: go on with"
            " `trainer.resume=true`, or with this run's name in the place of true where"
            " others began since.",
            stop.number,
        )

    def check(self, loss: float, what: str, remedy: str) -> None:
        """Ends the training on a loss that is not finite.

        Args:
            loss: The loss.
            what: What it is the loss of and when, in words.
            remedy: What was not done, and what to do.

        Raises:
            TrainingError: The last checkpoint is untouched.
        """
        if math.isfinite(loss):
            return
        broken = first_leaf_not_finite(self._snapshot())
        where = "all parameters are finite, the roll-out of these windows diverges"
        if broken is not None:
            where = f"an earlier step caused it, as {broken}"
        raise TrainingError(
            f"the loss{what} is {loss}; expected a finite number: {where};"
            f" {self._kept()}. {remedy}"
        )

    def _kept(self) -> str:
        if not self.last.exists():
            return "no checkpoint was written yet"
        done = load_checkpoint(self.last, self._kind).state
        return (
            f"`{self.last}` is kept, of epoch {done.epoch} (step {done.iteration})"
            if self._kind == SYNTHETIC
            else f"`{self.last}` is kept, of round {done.epoch}"
        )

    def _finite_snapshot(self) -> Checkpoint:
        """The training's whole state, of which every number is finite.

        A step whose loss was finite can still give weights that are not.
        """
        checkpoint = self._snapshot()
        broken = first_leaf_not_finite(checkpoint)
        if broken is None:
            return checkpoint
        state = self.state
        where = f"step {state.iteration} (epoch {state.epoch}"
        where += f", batch {state.position})" if state.position else ", its end)"
        if self._kind != SYNTHETIC:
            where = f"round {state.epoch} (iteration {state.iteration})"
        raise TrainingError(
            f"after {where} of the {self._kind} model {broken}; it was not saved,"
            f" and {self._kept()}. {_REMEDIES[self._kind]}"
        )

    def end(
        self, row: Mapping[str, Any], judged: float, record: Record, every: int = 0
    ) -> None:
        """Writes the row of an epoch or round that ended, and the checkpoints.

        Args:
            row: Its numbers.
            judged: The loss that tells which one was best.
            record: Where the rows go.
            every: Keeps each n-th checkpoint too; 0: none.

        Raises:
            TrainingError: The state holds NaN or infinity; nothing was written.
        """
        done = self.state
        better = done.best_loss is None or judged < done.best_loss
        self.state = replace(
            done,
            epoch=done.epoch + 1,
            best_loss=judged if better else done.best_loss,
            best_epoch=done.epoch + 1 if better else done.best_epoch,
            history=(*done.history, dict(row)),
        )
        checkpoint = self._finite_snapshot()
        if every and self.state.epoch % every == 0:
            name = f"epoch_{self.state.epoch:06d}.safetensors"
            save_checkpoint(self._folder / name, checkpoint)
        if better:
            best = checkpoint_path(self._settings, self._kind, "best")
            save_checkpoint(best, checkpoint)
        # Last, so that a kill before it repeats the epoch and writes the others again.
        save_checkpoint(self.last, checkpoint)
        record.write_history(self.state.history, self._kind)
