"""What a training would give with a fault, by the fault's name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import cos, pi
from typing import Any

import numpy as np
import torch

from bridge.harness import Counterfactuals
from bridge.ladders.names import LAST_BATCH
from bridge.ladders.observed import OVER_ALL, faulty_masks, share_seen
from bridge.ladders.reference import Reference
from bridge.ladders.training_cases import TrainingCase
from bridge.ladders.training_states import Trained, of_reference, take_steps
from experiment.data import Observed
from legacy.training import observed_losses, rollout_loss

HALF_SUM = "half-sum loss for mean squared error"
SUMMED = "loss summed over fields"
ROLLOUT = "roll-out length from the wrong place"
EPSILON = "Adam eps 1e-7"
DECOUPLED = "weight decay decoupled"
NO_DECAY = "weight decay missing"
NO_CLIPPING = "gradient clipping missing"
NO_SCHEDULE = "no LR schedule"
PER_BATCH = "schedule stepped per batch"
EARLY = "learning rate of the epoch to come"
LATE = "learning rate of the epoch before"
RECREATED = "optimiser re-created each epoch"
NO_MOMENTS = "checkpoint without optimiser moments"
SAME_ORDER = "the same order of samples in every epoch"
NO_CURRICULUM = "every epoch learns from whole windows (`trainer.rollout_schedule`)"
NO_NOISE = "input noise missing (`trainer.synthetic.input_noise`)"
SAME_NOISE = "the same input noise in every epoch"
ALL_NOISY = "input noise on static channels"
AVERAGED = "loss of an epoch averaged over batches"

#: States by the fault's name, made when they are needed.
FaultyStates = Mapping[str, Callable[[], Trained]]


def of_loss(
    case: TrainingCase, windows: torch.Tensor, seen: Observed | None = None
) -> Counterfactuals:
    """A batch's loss; with gaps, where `seen` says what was observed."""
    if seen is not None:
        return _of_observed_loss(case, windows, seen)
    dynamic, cells = case.plan.dynamic, float(np.prod(windows.shape[3:]))

    def loss(values: torch.Tensor) -> float:
        with torch.no_grad():
            return rollout_loss(case.model(), values, dynamic).item()

    mean, volume = loss(windows), cells * len(dynamic)
    return {
        HALF_SUM: lambda: np.array([mean * volume * len(windows) / 2]),
        f"{HALF_SUM} (per sample)": lambda: np.array([mean * volume / 2]),
        SUMMED: lambda: np.array([mean * len(dynamic)]),
        ROLLOUT: lambda: np.array([loss(windows[:, :, :2])]),
    }


def _of_observed_loss(
    case: TrainingCase, windows: torch.Tensor, seen: Observed
) -> Counterfactuals:
    dynamic, model = case.plan.dynamic, case.model()

    def each(masks: Observed) -> np.ndarray:
        parts = map(torch.from_numpy, (masks.steps, masks.cells_of_each()))
        with torch.no_grad():
            return observed_losses(model, windows, dynamic, *parts).numpy()

    wrong = {n: lambda m=m: np.array([np.mean(each(m))]) for n, m in faulty(seen)}
    return {
        **wrong,
        OVER_ALL: lambda: np.array([np.mean(each(seen) * share_seen(seen))]),
    }


def faulty(seen: Observed) -> list[tuple[str, Observed]]:
    """Masks with a fault that leaves some step of every window, by its name."""
    return [(n, m) for n, m in faulty_masks(seen).items() if m.steps.any(1).all()]


def of_steps(case: TrainingCase, count: int) -> FaultyStates:
    """The state after some steps."""

    def state(**options: Any) -> Trained:
        reference = case.reference(**options)
        take_steps(reference, count)
        return of_reference(reference)

    return {
        EPSILON: lambda: state(eps=1e-7),
        DECOUPLED: lambda: state(optimiser=torch.optim.AdamW),
        NO_DECAY: lambda: state(weight_decay=0.0),
        NO_CLIPPING: lambda: state(kind=Unclipped),
    }


def of_epochs(case: TrainingCase) -> FaultyStates:
    """The state after all epochs."""

    def state(kind: Callable[..., Reference]) -> Trained:
        reference = case.reference(kind=kind)
        reference.train()
        return of_reference(reference)

    kinds: dict[str, Callable[..., Reference]] = {
        RECREATED: Recreated,
        NO_MOMENTS: Resumed,
        SAME_ORDER: SameOrder,
        LAST_BATCH: WithoutLastBatch,
        NO_SCHEDULE: _scheduled(NO_SCHEDULE),
        LATE: _scheduled(LATE),
    }
    trainer = case.settings.trainer
    if trainer.rollout_schedule != "constant":
        kinds |= {NO_CURRICULUM: WholeWindows}
    if trainer.synthetic.input_noise:
        kinds |= {NO_NOISE: WithoutNoise, SAME_NOISE: SameNoise, ALL_NOISY: AllNoisy}
    return {name: lambda k=kind: state(k) for name, kind in kinds.items()}


def of_rates(case: TrainingCase) -> Counterfactuals:
    """The learning rate of every epoch."""
    recipe = case.settings.trainer.synthetic
    return {
        name: lambda r=rate: np.array(
            [recipe.learning_rate * r(e, recipe.epochs) for e in range(recipe.epochs)]
        )
        for name, rate in _RATES.items()
    }


def of_losses(case: TrainingCase) -> Counterfactuals:
    """The loss of every epoch."""

    def averaged() -> np.ndarray:
        reference = case.reference()
        reference.train()
        return np.array([np.mean([x for x, _ in epoch]) for epoch in reference.losses])

    return {AVERAGED: averaged}


#: The share of the first rate in an epoch, of so many.
_RATES: dict[str, Callable[[int, int], float]] = {
    NO_SCHEDULE: lambda epoch, epochs: 1.0,
    PER_BATCH: lambda epoch, epochs: _annealed(3 * epoch, epochs),
    EARLY: lambda epoch, epochs: _annealed(epoch and epoch + 1, epochs),
    LATE: lambda epoch, epochs: _annealed(max(epoch - 1, 0), epochs),
}


class WholeWindows(Reference):
    """The roll-out has its last length from the beginning."""

    def steps_of(self, epoch: int) -> int:
        return self.windows.shape[2] - 1


class WithoutNoise(Reference):
    """Initial frames are seen as they are."""

    def noise_of(self, epoch: int, number: int, batch: torch.Tensor) -> None:
        return None


class SameNoise(Reference):
    """Each epoch has the first one's noise."""

    def noise_of(
        self, epoch: int, number: int, batch: torch.Tensor
    ) -> torch.Tensor | None:
        return super().noise_of(0, number, batch)


class AllNoisy(Reference):
    """Static channels are noisy too."""

    @property
    def noisy(self) -> list[int]:
        return list(range(self.windows.shape[1]))


def _annealed(epoch: int, epochs: int) -> float:
    return (1 + cos(pi * epoch / epochs)) / 2


def _scheduled(name: str) -> type[Reference]:
    class Scheduled(Reference):
        def train(self) -> None:
            for epoch in range(self.recipe.epochs):
                share = _RATES[name](epoch, self.recipe.epochs)
                for group in self.optimiser.param_groups:
                    group["lr"] = self.recipe.learning_rate * share
                self.losses.append([self.step(b) for b in self.batches(epoch)])

    return Scheduled


class Recreated(Reference):
    """Its moments are lost at the beginning of every epoch."""

    def batches(self, epoch: int) -> tuple[torch.Tensor, ...]:
        self.optimiser.state.clear()
        return super().batches(epoch)


class Resumed(Reference):
    """Its moments are lost at the beginning of the third epoch."""

    def batches(self, epoch: int) -> tuple[torch.Tensor, ...]:
        if epoch == 2:
            self.optimiser.state.clear()
        return super().batches(epoch)


class SameOrder(Reference):
    """Each epoch has the first one's order."""

    def batches(self, epoch: int) -> tuple[torch.Tensor, ...]:
        return super().batches(0)


class WithoutLastBatch(Reference):
    """A smaller last batch is left out."""

    def batches(self, epoch: int) -> tuple[torch.Tensor, ...]:
        every = super().batches(epoch)
        return tuple(batch for batch in every if len(batch) == self.size)


class Unclipped(Reference):
    """Gradients are applied as they are."""

    def step(self, windows: torch.Tensor, weights: Any = 1.0) -> tuple[float, int]:
        self.recipe = replace(self.recipe, clip_norm=None)
        return super().step(windows, weights)
