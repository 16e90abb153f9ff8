"""The trainer of the synthetic model."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from experiment.data import ChannelPlan
from experiment.run import RunFolder
from experiment.settings import Settings, to_dict
from experiment.system import Progress, versions
from experiment.training import Checkpoint, StopSignal, TrainingLog, TrainingState
from legacy.models import export_weights, import_weights
from legacy.training.loss import rollout_loss


class Loader(Protocol):
    """Batches `(batch, vector, time, x, ...)` in an order that the epoch gives."""

    def set_epoch(self, epoch: int, position: int = 0) -> None: ...

    def __iter__(self) -> Iterator[torch.Tensor]: ...

    def __len__(self) -> int: ...


class SyntheticTrainer:
    """Adam with cosine annealing on the roll-out loss.

    Args:
        settings: The settings of the run.
        model: Maps a state to the next one; `model.network` holds the weights under
            canonical names.
        plan: The channels and their roles.
        train_loader: Training windows.
        val_loader: Validation windows, or None.
    """

    def __init__(
        self,
        settings: Settings,
        model: nn.Module,
        plan: ChannelPlan,
        *,
        train_loader: Loader,
        val_loader: Loader | None,
    ) -> None:
        training = settings.trainer.synthetic
        self.settings = settings
        self.model = model
        self.plan = plan
        self._train_loader = train_loader
        self._val_loader = val_loader
        self._log: TrainingLog | None = None
        self._device = torch.device(settings.general.device)
        #: Batches that went through the model in this process, validation included.
        self.batches_seen = 0
        self.optimiser = torch.optim.Adam(
            self.network.parameters(),
            lr=training.learning_rate,
            betas=(0.9, 0.999),
            eps=1e-8,
            weight_decay=training.weight_decay,
        )
        self._schedule: LRScheduler | None = None
        if training.schedule == "cosine":
            self._schedule = CosineAnnealingLR(self.optimiser, T_max=training.epochs)

    @property
    def network(self) -> nn.Module:
        """The part of the model that holds the weights, under canonical names."""
        network = self.model.network
        assert isinstance(network, nn.Module)
        return network

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
            TrainingError: The loss is not finite, or a signal asked to stop.
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
                self.model.train()
                for windows in self._train_loader:
                    loss = self.training_step(windows.to(self._device), log.check_loss)
                    log.count_batch(loss, len(windows))
                    bar.step(epoch=log.state.epoch + 1, loss=loss)
                    if stop.name is not None:
                        log.stop(stop.name)
                if self._schedule is not None:
                    self._schedule.step()
                rate = float(self.optimiser.param_groups[0]["lr"])
                log.end_epoch(self.validation_loss(), rate)
                # A signal that came during validation; epochs may be left to others.
                whole = self.settings.trainer.synthetic.epochs
                if stop.name is not None and log.state.epoch < whole:
                    log.stop(stop.name)
        return log.state

    def training_step(
        self, windows: torch.Tensor, check: Callable[[float], None]
    ) -> float:
        """One optimiser step on `(batch, vector, time, x, ...)`; returns the loss.

        `check` gets the loss before it is applied, and raises to refuse it.
        """
        self.optimiser.zero_grad()
        loss = self._loss(windows)
        value = loss.item()
        check(value)
        loss.backward()
        limit = self.settings.trainer.synthetic.clip_norm
        if limit is not None:
            clip_grad_norm_(self.network.parameters(), limit)
        self.optimiser.step()
        return value

    @torch.no_grad()
    def validation_loss(self) -> float | None:
        """Mean loss of all validation windows in evaluation mode; None without any."""
        if self._val_loader is None:
            return None
        self.model.eval()
        self._val_loader.set_epoch(0)
        total, samples = 0.0, 0
        for windows in self._val_loader:
            total += self._loss(windows.to(self._device)).item() * len(windows)
            samples += len(windows)
        self.model.train()
        return total / samples

    @torch.no_grad()
    def predict(self, states: np.ndarray, frames: int) -> np.ndarray:
        """Rolls states out in evaluation mode.

        Args:
            states: `(simulation, x, y, ..., vector)`.
            frames: Frames of each trajectory, the initial one included.

        Returns:
            `(simulation, time, x, y, ..., vector)`.
        """
        was_training = self.model.training
        self.model.eval()
        state = torch.from_numpy(np.moveaxis(states, -1, 1).copy()).to(self._device)
        trajectory = [state]
        for _ in range(frames - 1):
            trajectory.append(self.model(trajectory[-1]))
        self.model.train(was_training)
        return np.moveaxis(torch.stack(trajectory, 1).cpu().numpy(), 2, -1)

    def _loss(self, windows: torch.Tensor) -> torch.Tensor:
        self.batches_seen += 1
        with torch.autocast(
            self._device.type,
            dtype=torch.bfloat16,
            enabled=self.settings.trainer.amp == "bf16",
        ):
            return rollout_loss(self.model, windows, self.plan.dynamic)

    def snapshot(self, state: TrainingState) -> Checkpoint:
        """The whole state of the training, as copies."""
        moments: dict[str, dict[str, np.ndarray]] = {}
        for name, parameter in self.network.named_parameters():
            held = self.optimiser.state.get(parameter)
            if held:
                moments[name] = {
                    "exp_avg": _array(held["exp_avg"]),
                    "exp_avg_sq": _array(held["exp_avg_sq"]),
                    "step": np.array(int(held["step"]), dtype=np.int64),
                }
        random = {"torch": torch.get_rng_state().numpy().copy()}
        if self._device.type == "cuda":
            random["torch_cuda"] = torch.cuda.get_rng_state().numpy().copy()
        return Checkpoint(
            weights=export_weights(self.network),
            optimiser=moments,
            random=random,
            state=state,
            settings=to_dict(self.settings),
            versions=versions(),
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Takes over everything that `snapshot` gives."""
        import_weights(self.network, checkpoint.weights)
        for name, parameter in self.network.named_parameters():
            held = checkpoint.optimiser.get(name)
            if held:
                self.optimiser.state[parameter] = _moments(held, parameter)
        for group in self.optimiser.param_groups:
            group["lr"] = checkpoint.state.learning_rate
        if self._schedule is not None:
            self._schedule.load_state_dict(
                {
                    **self._schedule.state_dict(),
                    "last_epoch": checkpoint.state.epoch,
                    "_step_count": checkpoint.state.epoch + 1,
                    "_last_lr": [checkpoint.state.learning_rate],
                }
            )
        if "torch" in checkpoint.random:
            torch.set_rng_state(torch.from_numpy(checkpoint.random["torch"]))
        if self._device.type == "cuda" and "torch_cuda" in checkpoint.random:
            torch.cuda.set_rng_state(torch.from_numpy(checkpoint.random["torch_cuda"]))


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()


def _moments(held: Mapping[str, np.ndarray], parameter: torch.Tensor) -> dict[str, Any]:
    return {
        # torch's Adam counts in a float32 on the CPU.
        "step": torch.tensor(float(held["step"]), dtype=torch.float32),
        "exp_avg": torch.from_numpy(held["exp_avg"]).to(parameter.device),
        "exp_avg_sq": torch.from_numpy(held["exp_avg_sq"]).to(parameter.device),
    }
