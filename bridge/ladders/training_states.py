"""Where trainings of both sides and of the reference stand."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bridge.ladders.cases import run_folder
from bridge.ladders.reference import Epochs, Reference
from bridge.ladders.training_cases import Arrays, TrainingCase, viewed
from experiment.system import Progress
from experiment.training import SyntheticLearner, SyntheticTraining, TrainingState
from legacy import models


@dataclass(frozen=True)
class Trained:
    """Where a training stands.

    Attributes:
        weights: Parameters and buffers by canonical name.
        moments: `exp_avg`, `exp_avg_sq` and `step` by parameter.
        rates: The learning rate of every epoch.
        losses: The mean loss of every epoch.
        steps: Optimiser steps.
    """

    weights: Arrays
    moments: Mapping[str, Arrays]
    rates: np.ndarray
    losses: np.ndarray
    steps: int

    def viewed(self, view: str) -> "Trained":
        """The same, its kernels in a view."""
        weights = {n: viewed(w, view) for n, w in self.weights.items()}
        moments = {
            n: {kind: viewed(m, view) for kind, m in kinds.items()}
            for n, kinds in self.moments.items()
        }
        return replace(self, weights=weights, moments=moments)


def stepped(case: TrainingCase, side: str, count: int) -> Trained:
    """The state after `count` optimiser steps in the loader's order."""
    loader, learner = case.loader(side), case.learner(side)
    done = epoch = 0
    while done < count:
        loader.set_epoch(epoch)
        seen, first = loader.observed(), 0
        for windows in loader:
            last = first + learner.samples(windows)
            part = None if seen is None else seen[first:last]
            learner.step(windows, lambda loss: None, part)
            first, done = last, done + 1
            if done == count:
                break
        epoch += 1
    return _trained(learner, TrainingState(iteration=done))


def trained(case: TrainingCase, side: str, stop_after: int | None = None) -> Trained:
    """Trains all epochs; with `stop_after`, those behind it in a resumed training."""
    with run_folder(case.settings) as (run, settings):
        if stop_after is not None:
            first = SyntheticTraining(
                settings, case.learner(side), case.loader(side), None
            )
            first.train(run, Progress(), until=stop_after)
            settings = replace(settings, trainer=replace(settings.trainer, resume=True))
        learner = case.learner(side)
        training = SyntheticTraining(settings, learner, case.loader(side), None)
        return _trained(learner, training.train(run, Progress()))


def _trained(learner: SyntheticLearner, state: TrainingState) -> Trained:
    rows, arrays = state.history, learner.state()
    return Trained(
        arrays.weights,
        arrays.optimiser,
        np.array([row["learning_rate"] for row in rows]),
        np.array([row["train_loss"] for row in rows]),
        state.iteration,
    )


def take_steps(reference: Reference, count: int) -> None:
    """Some steps of the reference at the first learning rate."""
    every = len(reference.batches(0))
    for done in range(count):
        reference.step(reference.batches(done // every)[done % every])


def of_reference(reference: Reference, view: str = "") -> Trained:
    """Where a reference training stands, its kernels turned back from a view."""
    network, states = reference.model.network, reference.optimiser.state
    moments = {
        name: {kind: value.numpy().copy() for kind, value in states[p].items()}
        for name, p in network.named_parameters()
        if p in states
    }
    for kinds in moments.values():
        kinds["step"] = kinds["step"].astype(np.int64)
    return Trained(
        models.export_weights(network),
        moments,
        np.array(reference.rates),
        epoch_losses(reference.losses),
        sum(map(len, reference.losses)),
    ).viewed(view)


def epoch_losses(epochs: Epochs) -> np.ndarray:
    """The mean loss of every epoch, over its samples."""
    sums = [sum(loss * n for loss, n in epoch) for epoch in epochs]
    return np.array(sums) / [sum(n for _, n in epoch) for epoch in epochs]
