"""Learning the parameters of the PDE, in rounds: what both sides do in the same way."""

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from experiment.run import RunFolder
from experiment.settings import Settings, parameter_ranges, to_dict
from experiment.system import (
    CheckpointError,
    Progress,
    Stopped,
    TrainingError,
    versions,
)
from experiment.training.checkpoints import (
    PHYSICAL,
    PHYSICAL_BEST,
    PHYSICAL_LAST,
    Checkpoint,
    TrainingState,
    check_resumable,
    first_leaf_that_differs,
    load_checkpoint,
    save_checkpoint,
)
from experiment.training.log import StopSignal

log = logging.getLogger(__name__)

#: Unbounded parameters by name, `(x, y, ...)` or 0-d.
Unbounded = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Minimum:
    """Where a round of the optimiser ended.

    Attributes:
        unbounded: The best point that it found.
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
    """What learning needs of a physical model; one on either side."""

    @abstractmethod
    def loss(self, unbounded: Unbounded, *, real_only: bool = False) -> float:
        """Mean over roll-out steps of the mean squared error of the dynamic channels.

        Over the windows that `chosen_windows` names.

        Args:
            unbounded: The parameters.
            real_only: Leaves predicted windows out.
        """

    @abstractmethod
    def gradient(self, unbounded: Unbounded) -> dict[str, np.ndarray]:
        """The gradient of `loss` by every parameter, float64 in the parameter's shape.

        Args:
            unbounded: The parameters.
        """

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
        """Adds predicted trajectories to the windows, in place of earlier ones.

        Args:
            trajectories: `(simulation, time, x, y, ..., vector)`; None takes them away.
            access: `both`, `real_only` or `generated_only`.
        """


class PhysicalTrainer:
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
        self.learner = learner
        self.ranges = parameter_ranges(settings)
        self.state = TrainingState()
        self.unbounded = {name: r.start for name, r in self.ranges.items()}
        self._rounds = rounds
        self._folder = Path(settings.general.checkpoint_dir)
        self._begun = False

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
        last = self._folder / PHYSICAL_LAST
        if self.settings.trainer.resume:
            if last.exists() or not may_be_new:
                self._restore(last)
        else:
            self._put_aside()

    def train(
        self, run: RunFolder, progress: Progress, until: int | None = None
    ) -> TrainingState:
        """Trains up to a round, by default the last one.

        Raises:
            CheckpointError: `trainer.resume` is set and the checkpoint doesn't fit.
            TrainingError: The loss is not finite, or a signal asked to stop.
        """
        self.begin()
        until = self._rounds if until is None else min(until, self._rounds)
        with (
            StopSignal() as stop,
            progress.bar("physical", self._rounds, "rounds", self.state.epoch) as bar,
        ):
            while self.state.epoch < until:
                self._round(run)
                bar.step(loss=self.state.history[-1]["loss"])
                # Also behind the last round of a cycle: others are to come.
                if stop.name is not None and self.state.epoch < self._rounds:
                    raise Stopped(
                        f"stopped by {stop.name} after {self.state.epoch} rounds of the"
                        " physical model; nothing is lost: go on with"
                        " `trainer.resume=true`.",
                        stop.number,
                    )
        return self.state

    def _round(self, run: RunFolder) -> None:
        started = time.monotonic()
        before = self._checked(self.learner.loss(self.unbounded))
        # In units of the loss at hand, so that tolerances mean the same in any round.
        found = self.learner.minimise(self.unbounded, before or 1.0)
        after = self.learner.loss(found.unbounded)
        number = self.state.epoch + 1
        kept = math.isfinite(after) and after <= before
        if not kept and not after < 1.01 * before:
            log.warning(
                "round %d of the physical model diverged: its loss went from %.3e to"
                " %.3e; the parameters from before it are kept (%s)",
                *(number, before, after, found.message),
            )
        elif not kept:
            log.info("round %d found nothing better (%s)", number, found.message)
        elif not found.converged:
            log.info(
                "round %d did not converge (%s); the best point that it found is kept",
                *(number, found.message),
            )
        if kept:
            self.unbounded = dict(found.unbounded)
        row = {
            "round": number,
            "iterations": found.iterations,
            "evaluations": found.evaluations,
            "loss_before": before,
            "loss": after if kept else before,
            # What rounds are compared by, as predicted windows differ between cycles.
            "real_loss": self.learner.loss(self.unbounded, real_only=True),
            "converged": found.converged,
            "seconds": round(time.monotonic() - started, 3),
        }
        self._end_round(row, run)

    def _end_round(self, row: dict[str, float | int | bool], run: RunFolder) -> None:
        loss, judged = float(row["loss"]), float(row["real_loss"])
        done = self.state
        better = done.best_loss is None or judged < done.best_loss
        self.state = replace(
            done,
            epoch=done.epoch + 1,
            iteration=done.iteration + int(row["iterations"]),
            best_loss=judged if better else done.best_loss,
            best_epoch=done.epoch + 1 if better else done.best_epoch,
            history=(*done.history, row),
        )
        checkpoint = self._snapshot()
        if better:
            save_checkpoint(self._folder / PHYSICAL_BEST, checkpoint)
        save_checkpoint(self._folder / PHYSICAL_LAST, checkpoint)
        run.write_history(self.state.history, "physical")
        log.info(
            "physical round %d/%d loss %.3e -> %.3e, %d iterations, %.1f s",
            *(self.state.epoch, self._rounds, row["loss_before"], loss),
            *(row["iterations"], row["seconds"]),
        )

    def _checked(self, loss: float) -> float:
        if math.isfinite(loss):
            return loss
        last = self._folder / PHYSICAL_LAST
        kept = f"`{last}` is kept" if last.exists() else "no checkpoint was written yet"
        raise TrainingError(
            f"the loss of the physical model is {loss} before round"
            f" {self.state.epoch + 1}; expected a finite number. {kept}. Look at the"
            " data, or narrow the bounds in `trainer.physical.learnable_parameters`."
        )

    def _snapshot(self) -> Checkpoint:
        return Checkpoint(
            kind=PHYSICAL,
            weights=self.parameters,
            optimiser={n: {"unbounded": z} for n, z in self.unbounded.items()},
            state=self.state,
            settings=to_dict(self.settings),
            versions=versions(),
        )

    def _restore(self, path: Path) -> None:
        checkpoint = load_checkpoint(path, PHYSICAL)
        problem = first_leaf_that_differs(self.parameters, checkpoint.weights)
        if problem:
            raise CheckpointError(
                f"`{path}` is of other parameters: {problem} See"
                " `trainer.physical.learnable_parameters`."
            )
        check_resumable(path, checkpoint, self.settings)
        self.state = checkpoint.state
        self.unbounded = {n: m["unbounded"] for n, m in checkpoint.optimiser.items()}
        log.info("resuming `%s` after %d rounds", path, self.state.epoch)

    def _put_aside(self) -> None:
        held = sorted(self._folder.glob("physical-*.safetensors"))
        if held:
            stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
            aside = self._folder / "earlier" / stamp
            aside.mkdir(parents=True, exist_ok=True)
            for file in held:
                file.rename(aside / file.name)
