"""The surrogate with its optimiser, on `phiml.nn`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
from phiml import math, nn
from phiml.math import Tensor, batch, channel, spatial

from experiment import training
from experiment.data import Observed, channel_plan
from experiment.settings import Settings, precision_bits
from experiment.system import TrainingError
from experiment.training import LearnerState, LossCheck
from phiml_port.training.loss import observed_losses, rollout_loss, rollout_losses
from phiml_port.training.optimiser import (
    adam,
    autocast,
    before_each_step,
    clip_gradients,
    load_moments,
    load_random_states,
    moments,
    no_gradient,
    random_states,
)


class Model(Protocol):
    """A surrogate on named dims, with its framework's leaves by canonical name."""

    def __call__(self, state: Tensor) -> Tensor: ...

    def set_training(self, training: bool) -> None: ...

    def parameters(self) -> Mapping[str, Any]: ...

    @property
    def native(self) -> Any: ...


class SyntheticLearner(training.SyntheticLearner):
    """Adam on the roll-out loss of batches `(batch, time, x, ..., vector)`.

    The loss and its step go through `nn.update_weights`.

    Args:
        settings: The settings of the run.
        model: Maps a state to the next one.
    """

    def __init__(self, settings: Settings, model: Model) -> None:
        options = settings.trainer.synthetic
        self.model = model
        self._plan = channel_plan(settings)
        self._axes = settings.model.physical.axes
        self._dims = {"batch", "time", "vector", *self._axes}
        self._device = settings.general.device
        self._amp = settings.trainer.amp == "bf16"
        self._clip_norm = options.clip_norm
        self._precision = precision_bits(settings.general.precision)
        self._leaves = model.parameters()
        self._parameters = {n: p for n, p in self._leaves.items() if p.requires_grad}
        self.optimiser = adam(
            model.native,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
        )
        self._value = float("nan")
        self._losses = np.zeros(0)
        self._check: LossCheck = lambda loss: None
        before_each_step(self.optimiser, self._before_step)
        model.set_training(True)

    def step(
        self,
        windows: Tensor,
        check: LossCheck,
        observed: Observed | None = None,
        noise: np.ndarray | None = None,
    ) -> float:
        """See `SyntheticLearner.step`."""
        self._check = check
        with math.precision(self._precision):
            windows = self._to_learn(windows, noise)
            arguments = (windows, *self._masks(observed))
            nn.update_weights(self.model.native, self.optimiser, self._loss, *arguments)
        return self._value

    def step_weighted(
        self,
        windows: Tensor,
        weights: np.ndarray,
        check: LossCheck,
        observed: Observed | None = None,
        noise: np.ndarray | None = None,
    ) -> np.ndarray:
        """See `SyntheticLearner.step_weighted`."""
        self._check = check
        native, optimiser = self.model.native, self.optimiser
        with math.precision(self._precision):
            windows = self._to_learn(windows, noise)
            factors: Any = math.to_float(math.tensor(weights, batch("batch")))
            arguments = (windows, factors, *self._masks(observed))
            nn.update_weights(native, optimiser, self._weighted, *arguments)
        return self._losses

    def _to_learn(self, windows: Tensor, noise: np.ndarray | None) -> Tensor:
        """The steps of windows that are learned from, from noisy initial frames."""
        frames: Any = windows
        if self.rollout_steps is not None:
            frames = frames.time[: self.rollout_steps + 1]
        if noise is not None:
            dims = (
                batch("batch"),
                spatial(*self._axes),
                channel(vector=self._plan.names),
            )
            first = frames.time[:1] + math.tensor(noise, *dims)
            frames = math.concat([first, frames.time[1:]], "time")
        return cast(Tensor, frames)

    def loss(self, windows: Tensor, observed: Observed | None = None) -> float:
        """See `SyntheticLearner.loss`."""
        with no_gradient(), math.precision(self._precision):
            self._loss(windows, *self._masks(observed))
        return self._value

    def _loss(self, windows: Tensor, *masks: Tensor) -> Tensor:
        if masks:
            loss: Any = math.mean(self._of_each(windows, masks), "batch")
        else:
            self._require_dims(windows)
            with autocast(self._device, self._amp):
                loss = rollout_loss(self.model, windows, self._plan.dynamic)
        self._value = float(cast(Tensor, math.stop_gradient(loss)))
        return loss

    def _weighted(self, windows: Tensor, weights: Tensor, *masks: Tensor) -> Tensor:
        losses: Any = self._of_each(windows, masks)
        detached: Any = math.stop_gradient(losses)
        self._losses = detached.numpy("batch").astype(np.float64)
        loss: Any = math.mean(losses * weights, "batch")
        self._value = float(cast(Tensor, math.stop_gradient(loss)))
        return loss

    def _of_each(self, windows: Tensor, masks: tuple[Tensor, ...]) -> Tensor:
        """The loss of every window, `(batch)`."""
        self._require_dims(windows)
        dynamic = self._plan.dynamic
        with autocast(self._device, self._amp):
            if masks:
                steps: Any = masks[0]
                targets = int(windows.shape.get_size("time") or 0) - 1
                masks = steps.step[:targets], masks[1]
                return observed_losses(self.model, windows, dynamic, *masks)
            return rollout_losses(self.model, windows, dynamic)

    def _masks(self, observed: Observed | None) -> tuple[Tensor, ...]:
        """Observed steps and cells of every window; empty if all was observed."""
        if observed is None:
            return ()
        cells = observed.cells_of_each()
        return (
            cast(Tensor, math.tensor(observed.steps, batch("batch,step"))),
            cast(Tensor, math.tensor(cells, batch("batch"), spatial(*self._axes))),
        )

    def _require_dims(self, windows: Tensor) -> None:
        if set(windows.shape.names) != self._dims:
            raise TrainingError(
                f"the loader gave a batch with the dims {windows.shape}; expected"
                f" {', '.join(sorted(self._dims))}. The last checkpoint is kept."
            )

    def _before_step(self) -> None:
        self._check(self._value)
        if self._clip_norm is not None:
            clip_gradients(self._parameters, self._clip_norm)

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """See `SyntheticLearner.evaluation`."""
        self.model.set_training(False)
        try:
            with no_gradient(), math.precision(self._precision):
                yield
        finally:
            self.model.set_training(True)

    def samples(self, windows: Tensor) -> int:
        """See `SyntheticLearner.samples`."""
        return int(windows.shape.get_size("batch") or 0)

    def predict(self, states: np.ndarray, frames: int) -> np.ndarray:
        """See `SyntheticLearner.predict`."""
        order = ["batch", *self._axes, "vector"]
        dims = batch("batch"), spatial(*self._axes), channel(vector=self._plan.names)
        trajectory = [states]
        with self.evaluation():
            state: Any = math.tensor(states, *dims)
            for _ in range(frames - 1):
                state = self.model(state)
                trajectory.append(state.numpy(order))
        return np.stack(trajectory, 1)

    def state(self) -> LearnerState:
        """See `SyntheticLearner.state`."""
        weights = {
            name: leaf.detach().cpu().numpy().copy()
            for name, leaf in self._leaves.items()
        }
        optimiser = moments(self.optimiser, self._parameters)
        return LearnerState(weights, optimiser, random_states(self._device))

    def load(self, state: LearnerState) -> None:
        """See `SyntheticLearner.load`."""
        for name, leaf in self._leaves.items():
            leaf.data.copy_(leaf.data.new_tensor(state.weights[name]))
        load_moments(self.optimiser, self._parameters, state.optimiser)
        load_random_states(state.random, self._device)

    @property
    def learning_rate(self) -> float:
        """See `SyntheticLearner.learning_rate`."""
        return float(nn.get_learning_rate(self.optimiser))

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        nn.set_learning_rate(self.optimiser, rate)
