"""Faults that a migration of the trainer plants by hand, rungs R4 to R9."""

from typing import Any
from unittest.mock import patch

import torch
from phiml import math, nn

import phiml_port.training.optimiser
import phiml_port.training.trainer
from bridge.verify import CaseName, climb_training
from bridge.verify import _training_rungs as names
from phiml_port.models import take_channels
from phiml_port.training import SyntheticTrainer
from tests.planted._fault import Fault
from tests.planted.models import _wrapped

_CASE = CaseName("burgers", "unet", "float64", batch_norm=False)


def _roll(model: Any, windows: Any, dynamic: Any, steps: int, judge: Any) -> Any:
    state, total = windows.time[0], 0.0
    for step in range(1, steps + 1):
        state = model(state)
        target = take_channels(windows.time[step], dynamic)
        total = total + judge(take_channels(state, dynamic) - target)
    return total / steps


def _half_sum(_: Any) -> Any:
    def faulty(model: Any, windows: Any, dynamic: Any) -> Any:
        judge = lambda e: math.mean(math.l2_loss(e), "batch")  # noqa: E731
        return _roll(model, windows, dynamic, windows.time.size - 1, judge)

    return faulty


def _summed(_: Any) -> Any:
    def faulty(model: Any, windows: Any, dynamic: Any) -> Any:
        def judge(e: Any) -> Any:
            return math.sum(math.mean(e**2, "batch,x,y"), "vector")

        return _roll(model, windows, dynamic, windows.time.size - 1, judge)

    return faulty


def _one_step(_: Any) -> Any:
    def faulty(model: Any, windows: Any, dynamic: Any) -> Any:
        return _roll(model, windows, dynamic, 1, lambda e: math.mean(e**2, e.shape))

    return faulty


def _decoupled(adam: Any) -> Any:
    def faulty(network: Any, *, learning_rate: float, weight_decay: float) -> Any:
        groups = network.parameters()
        return torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay)

    return faulty


def _without_decay(adam: Any) -> Any:
    return lambda network, *, learning_rate, weight_decay: adam(
        network, learning_rate=learning_rate, weight_decay=0.0
    )


def _per_batch(_: Any) -> Any:
    from math import cos, pi

    def faulty(rate: float, epoch: int, epochs: int) -> float:
        return 1e-3 / 2 * (1 + cos(pi * 3 * (epoch + 1) / epochs))

    return faulty


def _recreated(set_rate: Any) -> Any:
    def faulty(optimiser: Any, rate: float) -> None:
        optimiser.state.clear()
        set_rate(optimiser, rate)

    return faulty


def _no_moments(restore: Any) -> Any:
    def faulty(self: Any, checkpoint: Any) -> None:
        restore(self, checkpoint)
        self.optimiser.state.clear()

    return faulty


_TRAINER = phiml_port.training.trainer


def _fault(name: str, rung: str, owner: Any, attribute: str, wrap: Any) -> Fault:
    return Fault(name, rung, _CASE, _wrapped(owner, attribute, wrap), climb_training)


TRAINING_FAULTS = (
    _fault(names.HALF_SUM, "R4", _TRAINER, "rollout_loss", _half_sum),
    _fault(names.SUMMED, "R4", _TRAINER, "rollout_loss", _summed),
    _fault(names.ROLLOUT, "R4", _TRAINER, "rollout_loss", _one_step),
    Fault(
        names.EPSILON,
        "R6",
        _CASE,
        lambda: patch.object(phiml_port.training.optimiser, "EPSILON", 1e-7),
        climb_training,
    ),
    _fault(names.DECOUPLED, "R6", _TRAINER, "adam", _decoupled),
    _fault(names.NO_DECAY, "R6", _TRAINER, "adam", _without_decay),
    _fault(names.NO_SCHEDULE, "R7", _TRAINER, "next_rate", lambda _: lambda r, *__: r),
    _fault(names.PER_BATCH, "R7", _TRAINER, "next_rate", _per_batch),
    _fault(names.RECREATED, "R9", nn, "set_learning_rate", _recreated),
    _fault(names.NO_MOMENTS, "R9", SyntheticTrainer, "restore", _no_moments),
)
