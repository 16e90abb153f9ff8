"""What both trainers keep in the same way: score, checkpoints, and when to stop."""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import FrameType, TracebackType

from experiment.run import RunFolder
from experiment.settings import Settings
from experiment.system import Stopped, TrainingError
from experiment.training.checkpoints import (
    BEST,
    LAST,
    Checkpoint,
    TrainingState,
    check_resumable,
    load_for_model,
    save_checkpoint,
)

log = logging.getLogger(__name__)


class StopSignal:
    """Catches SIGTERM and Ctrl-C, so that training ends after the batch under way.

    A second Ctrl-C ends at once. Outside the main thread it catches nothing.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._catch)
        return self

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.name is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name

    @property
    def number(self) -> signal.Signals:
        """The signal that came."""
        assert self.name is not None
        return signal.Signals[self.name]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]


class TrainingLog:
    """Keeps a training's state, and writes history and checkpoints.

    Args:
        settings: The settings of the run.
        run: The run folder, for the metrics.
        snapshot: Gives the trainer's whole state as a checkpoint.
    """

    def __init__(
        self,
        settings: Settings,
        run: RunFolder,
        snapshot: Callable[[TrainingState], Checkpoint],
    ) -> None:
        self.folder = Path(settings.general.checkpoint_dir)
        self.state = TrainingState(
            learning_rate=settings.trainer.synthetic.learning_rate
        )
        self._settings = settings
        self._run = run
        self._snapshot = snapshot
        self._started = time.monotonic()

    def resume(self) -> Checkpoint:
        """Reads the last checkpoint and takes over its state.

        Raises:
            CheckpointError: There is none, it is torn, or it is of another
                architecture or other settings.
        """
        path = self.folder / LAST
        own = self._snapshot(self.state).weights
        checkpoint = load_for_model(path, self._settings, own)
        check_resumable(path, checkpoint, self._settings)
        self.state = checkpoint.state
        log.info(
            "resuming `%s` after %d epochs and %d batches",
            path,
            self.state.epoch,
            self.state.position,
        )
        self._run.write_history(self.state.history)
        return checkpoint

    def start_afresh(self) -> None:
        """Moves an earlier training's checkpoints aside, so that none is lost."""
        held = sorted(
            file
            for file in self.folder.glob("*.safetensors")
            if not file.name.startswith("physical-")
        )
        if held:
            stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
            aside = self.folder / "earlier" / stamp
            aside.mkdir(parents=True, exist_ok=True)
            for file in held:
                file.rename(aside / file.name)
            log.info("the checkpoints of an earlier training are now in `%s`", aside)

    def begin_epoch(self) -> None:
        """Starts the epoch's clock."""
        self._started = time.monotonic()

    def count_batch(self, loss: float, samples: int) -> None:
        """Counts one optimiser step.

        Args:
            loss: The batch's loss, known to be finite.
            samples: Windows in the batch.
        """
        self.state = replace(
            self.state,
            iteration=self.state.iteration + 1,
            position=self.state.position + 1,
            loss_sum=self.state.loss_sum + loss * samples,
            samples=self.state.samples + samples,
        )

    def check_loss(self, loss: float) -> None:
        """Ends the training on a loss that is not finite, before it is applied.

        Raises:
            TrainingError: Names epoch and batch; the last checkpoint is untouched.
        """
        if math.isfinite(loss):
            return
        last = self.folder / LAST
        kept = f"`{last}` is kept" if last.exists() else "no checkpoint was written yet"
        raise TrainingError(
            f"the loss is {loss} at epoch {self.state.epoch + 1}, batch"
            f" {self.state.position + 1}; expected a finite number. The step was not"
            f" applied; {kept}. Lower `trainer.synthetic.learning_rate`, or set"
            " `trainer.synthetic.clip_norm`."
        )

    def stop(self, signal_name: str) -> None:
        """Saves where training stands and ends it.

        Raises:
            Stopped: Always; says how to go on.
        """
        save_checkpoint(self.folder / LAST, self._snapshot(self.state))
        raise Stopped(
            f"stopped by {signal_name} after {self.state.epoch} epochs and"
            f" {self.state.position} batches; nothing is lost: go on with"
            " `trainer.resume=true`.",
            signal.Signals[signal_name],
        )

    def end_epoch(self, val_loss: float | None, next_rate: float) -> None:
        """Writes the epoch's row and its checkpoints.

        Args:
            val_loss: Mean loss over all validation windows; None without validation.
            next_rate: The learning rate of the epoch to come.
        """
        done = self.state
        if val_loss is not None:
            self.check_loss(val_loss)
        row = {
            "epoch": done.epoch + 1,
            "train_loss": done.loss_sum / done.samples,
            "val_loss": val_loss,
            "learning_rate": done.learning_rate,
            "seconds": round(time.monotonic() - self._started, 3),
        }
        judged = row["train_loss"] if val_loss is None else val_loss
        better = done.best_loss is None or judged < done.best_loss
        self.state = replace(
            done,
            epoch=done.epoch + 1,
            position=0,
            loss_sum=0.0,
            samples=0,
            learning_rate=next_rate,
            best_loss=judged if better else done.best_loss,
            best_epoch=done.epoch + 1 if better else done.best_epoch,
            history=(*done.history, row),
        )
        checkpoint = self._snapshot(self.state)
        every = self._settings.trainer.synthetic.checkpoint_every
        if every and self.state.epoch % every == 0:
            name = f"epoch_{self.state.epoch:06d}.safetensors"
            save_checkpoint(self.folder / name, checkpoint)
        if better:
            save_checkpoint(self.folder / BEST, checkpoint)
        # Last, so that a kill before it repeats the epoch and writes the others again.
        save_checkpoint(self.folder / LAST, checkpoint)
        self._run.write_history(self.state.history)
        self._run.scalars(row)
        shown = "" if val_loss is None else f" validation {val_loss:.3e}"
        log.info(
            "epoch %d/%d loss %.3e%s rate %.1e %.1f s",
            self.state.epoch,
            self._settings.trainer.synthetic.epochs,
            row["train_loss"],
            shown,
            done.learning_rate,
            row["seconds"],
        )
