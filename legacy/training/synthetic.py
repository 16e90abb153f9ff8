"""The surrogate with its optimiser, in plain PyTorch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from experiment import training
from experiment.data import Observed, channel_plan
from experiment.settings import Settings
from experiment.training import LearnerState, LossCheck
from legacy.models import export_weights, import_weights
from legacy.training.loss import observed_losses, rollout_loss, rollout_losses


class SyntheticLearner(training.SyntheticLearner):
    """Adam on the roll-out loss of batches `(batch, vector, time, x, ...)`.

    Args:
        settings: The settings of the run.
        model: Maps a state to the next one; `model.network` has the weights under
            canonical names.
    """

    def __init__(self, settings: Settings, model: nn.Module) -> None:
        options = settings.trainer.synthetic
        self.model = model
        self._dynamic = channel_plan(settings).dynamic
        self._amp = settings.trainer.amp == "bf16"
        self._clip_norm = options.clip_norm
        self._device = torch.device(settings.general.device)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(),
            lr=options.learning_rate,
            betas=(0.9, 0.999),
            eps=1e-8,
            weight_decay=options.weight_decay,
        )
        model.train()

    @property
    def network(self) -> nn.Module:
        """The part of the model that has the weights, under canonical names."""
        network = self.model.network
        assert isinstance(network, nn.Module)
        return network

    def step(
        self,
        windows: torch.Tensor,
        check: LossCheck,
        observed: Observed | None = None,
        noise: np.ndarray | None = None,
    ) -> float:
        """See `SyntheticLearner.step`."""
        self.optimiser.zero_grad()
        windows = self._to_learn(windows, noise)
        return self._apply(self._loss(windows, observed), check)

    def step_weighted(
        self,
        windows: torch.Tensor,
        weights: np.ndarray,
        check: LossCheck,
        observed: Observed | None = None,
        noise: np.ndarray | None = None,
    ) -> np.ndarray:
        """See `SyntheticLearner.step_weighted`."""
        self.optimiser.zero_grad()
        losses = self._losses(self._to_learn(windows, noise), observed)
        self._apply((losses * torch.from_numpy(weights).to(losses)).mean(), check)
        return losses.detach().cpu().numpy().astype(np.float64)

    def _to_learn(
        self, windows: torch.Tensor, noise: np.ndarray | None
    ) -> torch.Tensor:
        """The steps of windows that are learned from, from noisy initial frames."""
        if self.rollout_steps is not None:
            windows = windows[:, :, : self.rollout_steps + 1]
        if noise is not None:
            added = torch.from_numpy(np.moveaxis(noise, -1, 1)).to(windows)
            first = windows[:, :, :1] + added[:, :, None]
            windows = torch.cat([first, windows[:, :, 1:]], 2)
        return windows

    def _apply(self, loss: torch.Tensor, check: LossCheck) -> float:
        value = loss.item()
        check(value)
        loss.backward()
        if self._clip_norm is not None:
            clip_grad_norm_(self.network.parameters(), self._clip_norm)
        self.optimiser.step()
        return value

    def loss(self, windows: torch.Tensor, observed: Observed | None = None) -> float:
        """See `SyntheticLearner.loss`."""
        with torch.no_grad():
            return self._loss(windows, observed).item()

    def _loss(self, windows: torch.Tensor, observed: Observed | None) -> torch.Tensor:
        if observed is not None:
            return self._losses(windows, observed).mean()
        windows = windows.to(self._device)
        with self._autocast():
            return rollout_loss(self.model, windows, self._dynamic)

    def _losses(self, windows: torch.Tensor, observed: Observed | None) -> torch.Tensor:
        """The loss of every window, `(batch,)`."""
        windows = windows.to(self._device)
        with self._autocast():
            if observed is None:
                return rollout_losses(self.model, windows, self._dynamic)
            steps = observed.steps[:, : windows.shape[2] - 1]
            masks = (
                torch.from_numpy(mask).to(self._device)
                for mask in (steps, observed.cells_of_each())
            )
            return observed_losses(self.model, windows, self._dynamic, *masks)

    def _autocast(self) -> torch.autocast:
        kind = self._device.type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self._amp)

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """See `SyntheticLearner.evaluation`."""
        self.model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.model.train()

    def samples(self, windows: torch.Tensor) -> int:
        """See `SyntheticLearner.samples`."""
        return len(windows)

    def predict(self, states: np.ndarray, frames: int) -> np.ndarray:
        """See `SyntheticLearner.predict`."""
        state = torch.from_numpy(np.moveaxis(states, -1, 1).copy()).to(self._device)
        trajectory = [state]
        with self.evaluation():
            for _ in range(frames - 1):
                trajectory.append(self.model(trajectory[-1]))
        return np.moveaxis(torch.stack(trajectory, 1).cpu().numpy(), 2, -1)

    def state(self) -> LearnerState:
        """See `SyntheticLearner.state`."""
        moments = {}
        for name, parameter in self.network.named_parameters():
            state = self.optimiser.state.get(parameter)
            if state:
                moments[name] = {
                    "exp_avg": _array(state["exp_avg"]),
                    "exp_avg_sq": _array(state["exp_avg_sq"]),
                    "step": np.array(int(state["step"]), dtype=np.int64),
                }
        random = {"torch": torch.get_rng_state().numpy().copy()}
        if self._device.type == "cuda":
            random["torch_cuda"] = torch.cuda.get_rng_state().numpy().copy()
        return LearnerState(export_weights(self.network), moments, random)

    def load(self, state: LearnerState) -> None:
        """See `SyntheticLearner.load`."""
        import_weights(self.network, state.weights)
        for name, parameter in self.network.named_parameters():
            if name in state.optimiser:
                moments = _moments(state.optimiser[name], parameter)
                self.optimiser.state[parameter] = moments
        if "torch" in state.random:
            torch.set_rng_state(torch.from_numpy(state.random["torch"]))
        if self._device.type == "cuda" and "torch_cuda" in state.random:
            torch.cuda.set_rng_state(torch.from_numpy(state.random["torch_cuda"]))

    @property
    def learning_rate(self) -> float:
        """See `SyntheticLearner.learning_rate`."""
        return float(self.optimiser.param_groups[0]["lr"])

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()


def _moments(
    stored: Mapping[str, np.ndarray], parameter: torch.Tensor
) -> dict[str, Any]:
    return {
        # torch's Adam counts in a float32 on the CPU.
        "step": torch.tensor(float(stored["step"]), dtype=torch.float32),
        "exp_avg": torch.from_numpy(stored["exp_avg"]).to(parameter.device),
        "exp_avg_sq": torch.from_numpy(stored["exp_avg_sq"]).to(parameter.device),
    }
