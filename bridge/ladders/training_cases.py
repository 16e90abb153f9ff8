"""Learners of both sides and the reference on the same windows, from one start."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

import legacy.assemble
import phiml_port.assemble
from bridge.convert import PhimlLoader
from bridge.ladders.cases import CaseName, case_settings, run_folder
from bridge.ladders.observed import cells_of, with_holes
from bridge.ladders.reference import Epochs, Reference
from experiment.data import Observed, channel_plan
from experiment.system import Progress
from experiment.training import (
    SyntheticLearner,
    SyntheticTraining,
    TrainingState,
    draw_weights,
)
from legacy import models
from legacy.training import rollout_loss

WINDOWS, BATCH, EPOCHS, STEPS = 8, 3, 4, 2
#: Symmetries of the grid. On swapped or mirrored axes, with its kernels swapped or
#: mirrored, a model computes the same and adds in another order (A/A).
VIEWS = ("swap", "mirror", "swap mirror")
#: Rates, lengths of the roll-out and noise of other kinds than the experiments have.
CURRICULA = (
    CaseName(
        *("advection", "convnet", "float64"),
        batch_norm=False,
        also=(
            *("trainer.synthetic.schedule=step", "trainer.synthetic.decay_epochs=2"),
            *("trainer.rollout_schedule=linear", "trainer.synthetic.input_noise=0.1"),
        ),
    ),
    CaseName(
        *("burgers", "resnet", "float64"),
        batch_norm=False,
        also=(
            *("trainer.synthetic.schedule=exponential", "general.seed=3"),
            *("trainer.synthetic.decay=0.3", "trainer.rollout_schedule=exponential"),
        ),
    ),
)
Arrays = Mapping[str, np.ndarray]


def viewed(values: np.ndarray, view: str) -> np.ndarray:
    """Kernels or windows in a view; each view is its own inverse."""
    if values.ndim < 4:
        return values
    if "mirror" in view:
        values = values[..., ::-1, ::-1]
    if "swap" in view:
        values = values.swapaxes(-1, -2)
    # A copy, as NumPy calls a mirrored axis of length 1 contiguous.
    return values.copy(order="C")


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


class MemoryLoader:
    """Windows in memory, in an order of its own for each epoch."""

    def __init__(
        self, windows: torch.Tensor, seed: int, observed: Observed | None = None
    ) -> None:
        self._windows = windows
        self._observed = observed
        self._seed = seed
        self._epoch = self._position = 0

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and its first batch."""
        self._epoch, self._position = epoch, position

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Batches `(batch, vector, time, x, ...)` of 3, 3 and 2."""
        for chosen in torch.from_numpy(self._left()).split(BATCH):
            yield self._windows[chosen]

    def observed(self) -> Observed | None:
        """What was observed of the windows that are left of the epoch."""
        seen, left = self._observed, self._left()
        if seen is None:
            return None
        return replace(seen, steps=seen.steps[left], generated=seen.generated[left])

    def _left(self) -> np.ndarray:
        generator = np.random.default_rng([self._seed, self._epoch])
        return generator.permutation(len(self._windows))[self._position * BATCH :]

    def __len__(self) -> int:
        return -(-len(self._windows) // BATCH) - self._position


class TrainingCase:
    """Both learners and the reference, from the same weights, on 8 windows."""

    def __init__(self, name: CaseName) -> None:
        self.name = name
        base = case_settings(name)
        synthetic = replace(
            base.trainer.synthetic,
            epochs=EPOCHS,
            learning_rate=1e-3,
            weight_decay=1e-3,
            # Bites in every step.
            clip_norm=0.1 if name.architecture == "convnet" else None,
        )
        trainer = replace(
            base.trainer, synthetic=synthetic, batch_size=BATCH, rollout_steps=STEPS
        )
        self.settings = replace(base, trainer=trainer)
        sizes = self.settings.model.physical.resolution.values()
        self.plan = channel_plan(self.settings)
        self.rank = len(sizes)
        shape = (WINDOWS, len(self.plan.names), STEPS + 1, *sizes)
        values = np.random.default_rng(2).standard_normal(shape)
        self.windows = torch.from_numpy(values)

    def observed(self, view: str = "") -> Observed | None:
        """What was observed of the windows, in a view; None if everything was.

        Of some the first target, of some the second; two were made by a model.
        """
        if not self.name.observed:
            return None
        generated = np.isin(np.arange(WINDOWS), (2, 7))
        seen = np.array([(True, True), (True, False), (False, True)] * WINDOWS)
        steps = seen[:WINDOWS] | generated[:, None]
        cells = viewed(cells_of(self.settings)[None, None], view)[0, 0]
        return Observed(steps, cells, generated)

    def seen_windows(self) -> torch.Tensor:
        """The windows, with NaN in the place of targets that were not observed."""
        seen = self.observed()
        if seen is None:
            return self.windows
        cells = seen.cells | seen.generated[:, None, None]
        masks = seen.steps[..., None, None] & cells[:, None]
        return with_holes(self.windows.numpy(), masks)

    def model(self, view: str = "") -> models.Surrogate:
        """The control's model at the start, in a view."""
        model = legacy.assemble.build_model(self.settings)
        start = {n: viewed(w, view) for n, w in self.start.items()}
        models.import_weights(model.network, start)
        return model.train()

    @cached_property
    def start(self) -> dict[str, np.ndarray]:
        """The weights that every training begins with."""
        model = legacy.assemble.build_model(self.settings)
        shapes = models.leaf_shapes(model.network)
        return draw_weights(shapes, self.settings.general.seed)

    def control(self, view: str = "") -> SyntheticLearner:
        """A new learner of the control."""
        return legacy.assemble.build_synthetic_learner(self.settings, self.model(view))

    def candidate(self) -> SyntheticLearner:
        """A new learner of the candidate."""
        model = phiml_port.assemble.build_model(self.settings)
        return phiml_port.assemble.build_synthetic_learner(self.settings, model)

    def learner(self, side: str) -> SyntheticLearner:
        """A new learner of `control` or `candidate`."""
        return self.control() if side == "control" else self.candidate()

    def loader(self, side: str = "control") -> Any:
        """The windows, in the language of a side."""
        seed = self.settings.general.seed
        loader = MemoryLoader(self.windows, seed, self.observed())
        if side == "control":
            return loader
        return PhimlLoader(loader, self.plan.names, rank=self.rank, device="cpu")

    def reference(
        self, view: str = "", kind: Callable[..., Reference] = Reference, **options: Any
    ) -> Reference:
        """A new reference training in a view; of another kind for a counterfactual."""
        windows = torch.from_numpy(viewed(self.seen_windows().numpy(), view))
        reference = kind(self.model(view), windows, self.settings, **options)
        reference.turned = lambda states: torch.from_numpy(viewed(states.numpy(), view))
        return reference

    @cached_property
    def without_signal(self) -> frozenset[str]:
        """Leaves whose gradient is 0 but for rounding, at the start."""
        model = self.model()
        rollout_loss(model, self.windows[:BATCH], self.plan.dynamic).backward()
        sizes = {
            name: float(p.grad.square().mean().sqrt())
            for name, p in model.network.named_parameters()
            if p.grad is not None
        }
        largest = max(sizes.values())
        return frozenset(n for n, size in sizes.items() if size < 1e-10 * largest)

    def follows_rounding(self, leaf: str) -> bool:
        """Whether a leaf has no gradient but rounding, or follows leaves without one.

        What only shifts the input of a batch norm has none; weight decay and Adam turn
        the rounding into steps. Nothing depends on it in training, and the running
        means follow it.
        """
        return leaf in self.without_signal or (
            bool(self.without_signal) and leaf.endswith("running_mean")
        )

    @property
    def depth(self) -> float:
        """Operations in a row of one training step."""
        return float(sum(w.ndim > 2 for w in self.start.values()) * 3 * 2 * 2)


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
