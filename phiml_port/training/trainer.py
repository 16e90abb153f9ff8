"""The trainer of the synthetic model."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, cast

import numpy as np
from phiml import math, nn
from phiml.math import Tensor, batch, channel, spatial

from experiment.data import ChannelPlan
from experiment.run import RunFolder
from experiment.settings import Settings, precision_bits, to_dict
from experiment.system import Progress, TrainingError, versions
from experiment.training import Checkpoint, StopSignal, TrainingLog, TrainingState
from phiml_port.training.loss import rollout_loss
from phiml_port.training.modes import (
    autocast,
    no_gradient,
    random_states,
    restore_random_states,
)
from phiml_port.training.optimiser import (
    adam,
    before_each_step,
    clip_gradients,
    next_rate,
)


class Loader(Protocol):
    """Batches `(batch, time, x, ..., vector)` in an order that the epoch gives."""

    def set_epoch(self, epoch: int, position: int = 0) -> None: ...

    def __iter__(self) -> Iterator[Tensor]: ...

    def __len__(self) -> int: ...


class Model(Protocol):
    """A surrogate on named dims, with its framework's leaves by canonical name."""

    def __call__(self, state: Tensor) -> Tensor: ...

    def set_training(self, training: bool) -> None: ...

    def parameters(self) -> Mapping[str, Any]: ...

    @property
    def native(self) -> Any: ...


class SyntheticTrainer:
    """Adam with cosine annealing on the roll-out loss, through `nn.update_weights`.

    Args:
        settings: The settings of the run.
        model: Maps a state to the next one.
        plan: The channels and their roles.
        train_loader: Training windows.
        val_loader: Validation windows, or None.
    """

    def __init__(
        self,
        settings: Settings,
        model: Model,
        plan: ChannelPlan,
        *,
        train_loader: Loader,
        val_loader: Loader | None,
    ) -> None:
        training = settings.trainer.synthetic
        self.settings = settings
        self.model = model
        self.plan = plan
        self.batches_seen = 0
        self._train_loader = train_loader
        self._val_loader = val_loader
        self._log: TrainingLog | None = None
        self._precision = precision_bits(settings.general.precision)
        self._value = float("nan")
        self._check: Callable[[float], None] = lambda loss: None
        self._leaves = model.parameters()
        self._parameters = {n: p for n, p in self._leaves.items() if p.requires_grad}
        self.optimiser = adam(
            model.native,
            learning_rate=training.learning_rate,
            weight_decay=training.weight_decay,
        )
        before_each_step(self.optimiser, self._before_step)

    @property
    def epochs_done(self) -> int:
        """Whole epochs done, also of a training that was taken over."""
        return self._log.state.epoch if self._log is not None else 0

    def begin(self, run: RunFolder) -> None:
        """Takes over the last checkpoint if asked to, or moves earlier ones aside.

        Raises:
            CheckpointError: `trainer.resume` is set and the checkpoint doesn't fit.
        """
        if self._log is not None:
            return
        self._log = TrainingLog(self.settings, run, self.snapshot)
        if self.settings.trainer.resume:
            self.restore(self._log.resume())
        else:
            self._log.start_afresh()

    def train(
        self, run: RunFolder, progress: Progress, until: int | None = None
    ) -> TrainingState:
        """Trains up to an epoch, by default the last one, and goes on where it stood.

        Raises:
            CheckpointError: `trainer.resume` is set and the checkpoint doesn't fit.
            TrainingError: The loss is not finite, the loader yields no batch or other
                dims, or a signal asked to stop.
        """
        self.begin(run)
        log = self._log
        assert log is not None
        epochs = self.settings.trainer.synthetic.epochs
        epochs = epochs if until is None else min(until, epochs)
        self._train_loader.set_epoch(0)
        batches = len(self._train_loader)
        done = log.state.epoch * batches + log.state.position
        with (
            StopSignal() as stop,
            progress.bar("train", epochs * batches, "batches", done) as bar,
        ):
            while log.state.epoch < epochs:
                log.begin_epoch()
                self._train_loader.set_epoch(log.state.epoch, log.state.position)
                self.model.set_training(True)
                for windows in self._train_loader:
                    loss = self.training_step(windows, log.check_loss)
                    log.count_batch(loss, int(windows.shape.get_size("batch") or 0))
                    bar.step(epoch=log.state.epoch + 1, loss=loss)
                    if stop.name is not None:
                        log.stop(stop.name)
                if not log.state.samples:
                    raise TrainingError(
                        f"the loader gave no batch in epoch {log.state.epoch + 1};"
                        f" expected {batches}. The last checkpoint is kept."
                    )
                rate = self._rate_after(log.state)
                nn.set_learning_rate(self.optimiser, rate)
                log.end_epoch(self.validation_loss(), rate)
                # A signal that came during validation; epochs may be left to others.
                whole = self.settings.trainer.synthetic.epochs
                if stop.name is not None and log.state.epoch < whole:
                    log.stop(stop.name)
        return log.state

    def training_step(self, windows: Tensor, check: Callable[[float], None]) -> float:
        """One optimiser step on `(batch, time, x, ..., vector)`; returns the loss.

        `check` gets the loss before it is applied, and raises to refuse it.
        """
        self._check = check
        with math.precision(self._precision):
            nn.update_weights(self.model.native, self.optimiser, self._loss, windows)
        return self._value

    def validation_loss(self) -> float | None:
        """Mean loss of all validation windows in evaluation mode; None without any."""
        if self._val_loader is None:
            return None
        self.model.set_training(False)
        self._val_loader.set_epoch(0)
        total, samples = 0.0, 0
        with no_gradient(), math.precision(self._precision):
            for windows in self._val_loader:
                count = int(windows.shape.get_size("batch") or 0)
                self._loss(windows)
                total += self._value * count
                samples += count
        self.model.set_training(True)
        return total / samples

    def predict(self, states: np.ndarray, frames: int) -> np.ndarray:
        """Rolls states out in evaluation mode.

        Args:
            states: `(simulation, x, y, ..., vector)`.
            frames: Frames of each trajectory, the initial one included.

        Returns:
            `(simulation, time, x, y, ..., vector)`.
        """
        axes = tuple(self.settings.model.physical.domain)
        order = ["batch", *axes, "vector"]
        self.model.set_training(False)
        with no_gradient(), math.precision(self._precision):
            state: Any = math.tensor(
                states,
                batch("batch"),
                spatial(*axes),
                channel(vector=self.plan.names),
            )
            trajectory = [states]
            for _ in range(frames - 1):
                state = self.model(state)
                trajectory.append(state.numpy(order))
        self.model.set_training(True)
        return np.stack(trajectory, 1)

    def _loss(self, windows: Tensor) -> Tensor:
        expected = {"batch", "time", "vector", *self.settings.model.physical.domain}
        if set(windows.shape.names) != expected:
            raise TrainingError(
                f"the loader gave a batch with the dims {windows.shape}; expected"
                f" {', '.join(sorted(expected))}. The last checkpoint is kept."
            )
        self.batches_seen += 1
        with autocast(
            self.settings.general.device, self.settings.trainer.amp == "bf16"
        ):
            loss = rollout_loss(self.model, windows, self.plan.dynamic)
        self._value = float(cast(Tensor, math.stop_gradient(loss)))
        return loss

    def _before_step(self) -> None:
        self._check(self._value)
        limit = self.settings.trainer.synthetic.clip_norm
        if limit is not None:
            clip_gradients(self._parameters, limit)

    def _rate_after(self, state: TrainingState) -> float:
        training = self.settings.trainer.synthetic
        if training.schedule == "constant":
            return state.learning_rate
        return next_rate(state.learning_rate, state.epoch, training.epochs)

    def snapshot(self, state: TrainingState) -> Checkpoint:
        """The whole state of the training, as copies."""
        moments: dict[str, dict[str, np.ndarray]] = {}
        for name, parameter in self._parameters.items():
            held = self.optimiser.state.get(parameter)
            if held:
                moments[name] = {
                    "exp_avg": _array(held["exp_avg"]),
                    "exp_avg_sq": _array(held["exp_avg_sq"]),
                    "step": np.array(int(held["step"]), dtype=np.int64),
                }
        return Checkpoint(
            weights={name: _array(leaf) for name, leaf in self._leaves.items()},
            optimiser=moments,
            random=random_states(self.settings.general.device),
            state=state,
            settings=to_dict(self.settings),
            versions=versions(),
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Takes over everything that `snapshot` gives."""
        for name, leaf in self._leaves.items():
            leaf.data.copy_(leaf.data.new_tensor(checkpoint.weights[name]))
        for name, parameter in self._parameters.items():
            held = checkpoint.optimiser.get(name)
            if held:
                values = parameter.data
                self.optimiser.state[parameter] = {
                    # torch's Adam counts in a float32.
                    "step": values.new_tensor(float(held["step"])).float().cpu(),
                    "exp_avg": _like(values, held["exp_avg"]),
                    "exp_avg_sq": _like(values, held["exp_avg_sq"]),
                }
        nn.set_learning_rate(self.optimiser, checkpoint.state.learning_rate)
        restore_random_states(checkpoint.random, self.settings.general.device)


def _array(leaf: Any) -> np.ndarray:
    return leaf.detach().cpu().numpy().copy()


def _like(values: Any, array: np.ndarray) -> Any:
    """An array in the memory order of `values`."""
    filled = values.clone()
    filled.copy_(filled.new_tensor(array))
    return filled
