"""Trainers of both sides on the same windows in memory, from the same weights."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

import bridge._factories as factories
from bridge.verify._cases import CaseName, case_settings
from experiment.data import sample_order
from experiment.run import RunFolder
from experiment.settings import Settings
from experiment.system import Progress
from experiment.training import Checkpoint, TrainingState, draw_weights
from legacy import models, training

WINDOWS, BATCH = 8, 3


#: Symmetries of the grid. On swapped or mirrored axes, with its kernels swapped or
#: mirrored, the control computes the same and adds in another order (A/A).
VIEWS = ("swap", "mirror", "swap mirror")


def seen(values: np.ndarray, view: str) -> np.ndarray:
    """Kernels or windows in a view; each view is its own inverse."""
    if values.ndim < 4:
        return values
    if "mirror" in view:
        values = values[..., ::-1, ::-1]
    if "swap" in view:
        values = values.swapaxes(-1, -2)
    # A copy, as NumPy calls a mirrored axis of length 1 contiguous.
    return values.copy(order="C")


class MemoryLoader:
    """Windows `(batch, vector, time, x, ...)` in the order of the semantics."""

    def __init__(self, windows: torch.Tensor, seed: int) -> None:
        self._windows = windows
        self._seed = seed
        self._epoch = self._position = 0

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and the first batch of it."""
        self._epoch, self._position = epoch, position

    def __iter__(self) -> Iterator[torch.Tensor]:
        order = sample_order(self._seed, self._epoch, len(self._windows))
        for start in range(self._position * BATCH, len(order), BATCH):
            yield self._windows[torch.from_numpy(order[start : start + BATCH])]

    def __len__(self) -> int:
        return -(-len(self._windows) // BATCH) - self._position


class TrainingCase:
    """Both trainers, and the control's once more on swapped axes (A/A)."""

    def __init__(self, name: CaseName) -> None:
        self.name = name
        base = case_settings(name)
        synthetic = replace(
            base.trainer.synthetic,
            epochs=4,
            learning_rate=1e-3,
            weight_decay=1e-3,
            clip_norm=None,
        )
        trainer = replace(base.trainer, synthetic=synthetic, batch_size=BATCH)
        migration = replace(base.migration, model="legacy", trainer="legacy")
        self.settings = replace(base, trainer=trainer, migration=migration)
        sizes = self.settings.model.physical.resolution.values()
        self.plan = factories.channel_plan(self.settings)
        shape = (WINDOWS, len(self.plan.names), 3, *sizes)
        values = np.random.default_rng(2).standard_normal(shape)
        self.windows = torch.from_numpy(values)

    @property
    def port_settings(self) -> Settings:
        """The settings with model and trainer on PhiML."""
        migration = replace(self.settings.migration, model="phiml", trainer="phiml")
        return replace(self.settings, migration=migration)

    def control(self, view: str = "") -> training.SyntheticTrainer:
        """A new trainer of the control; `view` as in `VIEWS`."""
        windows = torch.from_numpy(seen(self.windows.numpy(), view))
        trainer = factories.legacy_trainer(self.settings, self.loader(windows))
        if view:
            shapes = models.leaf_shapes(trainer.network)
            weights = draw_weights(shapes, self.settings.general.seed)
            models.import_weights(
                trainer.network, {n: seen(w, view) for n, w in weights.items()}
            )
        return trainer

    def candidate(self) -> Any:
        """A new trainer of the candidate."""
        loader = self.loader(self.windows)
        named = factories.named_batches(self.port_settings, loader)
        return factories.phiml_trainer(self.port_settings, named)

    @cached_property
    def without_signal(self) -> frozenset[str]:
        """Leaves whose gradient is 0 but for rounding, at the control's start."""
        trainer = self.control()
        trainer.model.train()
        trainer._loss(self.windows[:BATCH]).backward()
        sizes = {
            name: float(p.grad.square().mean().sqrt())
            for name, p in trainer.network.named_parameters()
            if p.grad is not None
        }
        largest = max(sizes.values())
        return frozenset(n for n, size in sizes.items() if size < 1e-10 * largest)

    def loader(self, windows: torch.Tensor) -> MemoryLoader:
        """Batches of 3, 3 and 2."""
        return MemoryLoader(windows, self.settings.general.seed)

    @property
    def depth(self) -> float:
        """Operations in a row of one training step."""
        leaves = models.leaf_shapes(factories.build_legacy_model(self.settings).network)
        return float(sum(len(shape) > 2 for shape in leaves.values()) * 3 * 2 * 2)


def steps(trainer: Any, count: int) -> Checkpoint:
    """Takes `count` optimiser steps in the loader's order; the state afterwards."""
    loader = trainer._train_loader
    model = trainer.model
    model.train() if hasattr(model, "train") else model.set_training(True)
    done = epoch = 0
    while done < count:
        loader.set_epoch(epoch)
        for windows in loader:
            trainer.training_step(windows, lambda loss: None)
            done += 1
            if done == count:
                break
        epoch += 1
    return trainer.snapshot(TrainingState())


@contextmanager
def run_folder(settings: Settings) -> Iterator[tuple[RunFolder, Settings]]:
    """A run folder and checkpoints that vanish afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        general = replace(
            settings.general,
            run_dir=f"{folder}/runs",
            checkpoint_dir=f"{folder}/checkpoints",
        )
        own = replace(settings, general=general)
        yield RunFolder(own), own


def trained_control(case: TrainingCase, view: str) -> Checkpoint:
    """The control after 4 epochs, in a view."""
    with run_folder(case.settings) as (run, own):
        trainer = case.control(view)
        trainer.settings = own
        return trainer.snapshot(trainer.train(run, Progress()))


def trained(case: TrainingCase, side: str, stop_after: int | None = None) -> Checkpoint:
    """Trains 4 epochs; with `stop_after` epochs in one trainer, the rest in another."""
    settings = case.settings if side == "control" else case.port_settings
    with run_folder(settings) as (run, own):
        if stop_after is not None:
            first = _trainer(case, side, own)
            _interrupt(first, stop_after * len(case.loader(case.windows)))
            try:
                first.train(run, Progress())
            except KeyboardInterrupt:
                resumed = replace(own, trainer=replace(own.trainer, resume=True))
                last = _trainer(case, side, resumed)
                return last.snapshot(last.train(run, Progress()))
            raise RuntimeError("the training ended before it was interrupted")
        trainer = _trainer(case, side, own)
        return trainer.snapshot(trainer.train(run, Progress()))


def _trainer(case: TrainingCase, side: str, settings: Settings) -> Any:
    loader = case.loader(case.windows)
    if side == "control":
        return factories.legacy_trainer(settings, loader)
    return factories.phiml_trainer(settings, factories.named_batches(settings, loader))


def _interrupt(trainer: Any, after: int) -> None:
    step, done = trainer.training_step, [0]

    def interrupting(*arguments: Any) -> float:
        if done[0] == after:
            raise KeyboardInterrupt
        done[0] += 1
        return step(*arguments)

    trainer.training_step = interrupting
