"""Faults of a trainer's migration, reported by R4 to R9.

Those of the candidate, and those of the loop that both sides share: only the reference
sees these.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import cos, pi
from typing import Any
from unittest.mock import patch

import torch
from phiml import math, nn

import experiment.training.noise
import experiment.training.synthetic
import phiml_port.training.optimiser
import phiml_port.training.synthetic
from bridge.harness import Fault
from bridge.ladders import training_counterfactuals as names
from bridge.ladders.cases import CaseName
from bridge.ladders.faults.observed import OF_A_LOSS
from bridge.ladders.faults.planting import Plant, wrapped
from bridge.ladders.names import LAST_BATCH
from bridge.ladders.training_cases import CURRICULA
from experiment.training import LearnerState, SyntheticTraining
from phiml_port.models import take_channels
from phiml_port.training import SyntheticLearner

_CASE = CaseName("burgers", "unet", "float64", batch_norm=False)
_STEPPED, _EXPONENTIAL = CURRICULA
_CLIPPED = CaseName("burgers", "convnet", "float64")
_OBSERVED = CaseName("advection", "convnet", "float64", observed="known")
_REFERENCE = "beside the reference"
_NOISE = experiment.training.noise
_LOOP = experiment.training.synthetic
_LEARNER = phiml_port.training.synthetic


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


def _recreated(set_rate: Any) -> Any:
    def faulty(optimiser: Any, rate: float) -> None:
        optimiser.state.clear()
        set_rate(optimiser, rate)

    return faulty


def _no_moments(load: Any) -> Any:
    def faulty(self: Any, state: LearnerState) -> None:
        load(self, LearnerState(state.weights, random=state.random))

    return faulty


def _per_batch(_: Any) -> Any:
    def faulty(settings: Any, rate: float, epoch: int) -> float:
        training = settings.trainer.synthetic
        share = (1 + cos(pi * 3 * (epoch + 1) / training.epochs)) / 2
        return training.learning_rate * share

    return faulty


def _early(_: Any) -> Any:
    def faulty(settings: Any, rate: float, epoch: int) -> float:
        training = settings.trainer.synthetic
        share = (1 + cos(pi * (epoch + 2) / training.epochs)) / 2
        return training.learning_rate * share

    return faulty


def _without_noise(shortened: Any) -> Any:
    return lambda self, windows, noise: shortened(self, windows, None)


def _same_noise(drawn: Any) -> Any:
    return lambda settings, epoch, batch, windows: drawn(settings, 0, batch, windows)


def _all_dynamic(plan: Any) -> Any:
    def faulty(settings: Any) -> Any:
        right = plan(settings)
        return replace(right, dynamic_fields=tuple(right.fields))

    return faulty


def _averaged(count: Any) -> Any:
    return lambda self, loss, samples: count(self, loss, 1)


class _Proxy:
    """Passes everything on to a loader or a learner."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __len__(self) -> int:
        return len(self._inner)


class _SameOrder(_Proxy):
    def set_epoch(self, epoch: int, position: int = 0) -> None:
        self._inner.set_epoch(0, position)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inner)


class _WithoutLastBatch(_Proxy):
    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._inner)[:-1])


class _Late(_Proxy):
    """A learner that gets the learning rate of the epoch before."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "learning_rate":
            # The first epoch's rate is the learner's own.
            waiting = self.__dict__.get("_next", self._inner.learning_rate)
            self.__dict__["_next"] = value
            self._inner.learning_rate = waiting
        else:
            super().__setattr__(name, value)


def _loop_with(
    learner: Callable[[Any], Any] = lambda x: x,
    loader: Callable[[Any], Any] = lambda x: x,
) -> Plant:
    """The shared loop, which gets another learner or loader."""

    def wrap(make: Any) -> Any:
        def faulty(self: Any, settings: Any, own: Any, train: Any, val: Any) -> None:
            make(self, settings, learner(own), loader(train), val)

        return faulty

    return wrapped(SyntheticTraining, "__init__", wrap)


def _fault(name: str, rung: str, owner: Any, attribute: str, wrap: Any) -> Fault:
    return Fault(name, rung, _CASE, wrapped(owner, attribute, wrap))


def _shared(name: str, rung: str, plant: Plant) -> Fault:
    return Fault(name, rung, _CASE, plant, _REFERENCE)


FAULTS = (
    _fault(names.HALF_SUM, "R4", _LEARNER, "rollout_loss", _half_sum),
    _fault(names.SUMMED, "R4", _LEARNER, "rollout_loss", _summed),
    _fault(names.ROLLOUT, "R4", _LEARNER, "rollout_loss", _one_step),
    *(Fault(name, "R4", _OBSERVED, plant) for name, plant in OF_A_LOSS.items()),
    Fault(
        names.EPSILON,
        "R6",
        _CASE,
        lambda: patch.object(phiml_port.training.optimiser, "EPSILON", 1e-7),
    ),
    _fault(names.DECOUPLED, "R6", _LEARNER, "adam", _decoupled),
    _fault(names.NO_DECAY, "R6", _LEARNER, "adam", _without_decay),
    Fault(
        names.NO_CLIPPING,
        "R6",
        _CLIPPED,
        lambda: patch.object(_LEARNER, "clip_gradients", lambda *_: None),
    ),
    _fault(names.RECREATED, "R9", nn, "set_learning_rate", _recreated),
    _fault(names.NO_MOMENTS, "R9", SyntheticLearner, "load", _no_moments),
    _shared(
        names.NO_SCHEDULE,
        "R7",
        wrapped(_LOOP, "next_rate", lambda _: lambda settings, rate, epoch: rate),
    ),
    _shared(names.PER_BATCH, "R7", wrapped(_LOOP, "next_rate", _per_batch)),
    _shared(names.EARLY, "R7", wrapped(_LOOP, "next_rate", _early)),
    _shared(names.LATE, "R9", _loop_with(learner=_Late)),
    _shared(names.SAME_ORDER, "R9", _loop_with(loader=_SameOrder)),
    _shared(LAST_BATCH, "R9", _loop_with(loader=_WithoutLastBatch)),
    *(
        Fault(
            names.NO_SCHEDULE,
            "R7",
            case,
            wrapped(_LOOP, "next_rate", lambda _: lambda settings, rate, epoch: rate),
            _REFERENCE,
        )
        for case in CURRICULA
    ),
    *(
        Fault(
            names.NO_CURRICULUM,
            "R9",
            case,
            wrapped(_LOOP, "rollout_steps", lambda _: lambda s, steps, *_: steps),
            _REFERENCE,
        )
        for case in CURRICULA
    ),
    Fault(
        names.NO_CURRICULUM,
        "R9",
        _EXPONENTIAL,
        wrapped(SyntheticLearner, "_to_learn", lambda _: lambda self, w, noise: w),
    ),
    *(
        Fault(name, "R9", _STEPPED, plant, where)
        for name, plant, where in (
            (
                names.NO_NOISE,
                wrapped(SyntheticLearner, "_to_learn", _without_noise),
                "",
            ),
            (names.SAME_NOISE, wrapped(_LOOP, "input_noise", _same_noise), _REFERENCE),
            (
                names.ALL_NOISY,
                wrapped(_NOISE, "channel_plan", _all_dynamic),
                _REFERENCE,
            ),
        )
    ),
    _shared(names.AVERAGED, "R9", wrapped(SyntheticTraining, "_count", _averaged)),
    _fault(
        names.NO_MOMENTS,
        "R9",
        _LOOP,
        "LearnerState",
        lambda kind: lambda weights, *_: kind(weights),
    ),
)
