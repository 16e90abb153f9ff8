"""Faults of masks and noise, for the ladders of trainers, data, physics and hybrid."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
from phiml import math
from phiml.math import batch, spatial

import experiment.data.observations
import experiment.run.assembly
import phiml_port.training.synthetic
from bridge.ladders import observed as names
from bridge.ladders.faults.planting import Plant, wrapped
from experiment.data import ObservationPlan, Observed
from experiment.settings import Settings
from experiment.training import SyntheticTraining
from phiml_port.physics import PhysicalLearner
from phiml_port.training import rollout_losses

_TRAINER = phiml_port.training.synthetic


def _in_the_loss(fault: str) -> Plant:
    """Plants a fault of a mask into the loss of the candidate's surrogate."""

    def wrap(losses: Any) -> Any:
        def faulty(
            model: Any, windows: Any, dynamic: Any, steps: Any, cells: Any
        ) -> Any:
            if fault == names.IGNORED:
                return rollout_losses(model, windows, dynamic)
            if fault == names.OVER_ALL:
                share = math.mean(math.to_float(cells), cells.shape.spatial)
                return losses(model, windows, dynamic, steps, cells) * share
            if fault == names.OTHER_AXIS:
                cells = _each(cells, names.other_axis)
            if fault == names.ON_GENERATED:
                cells = math.all(cells, "batch")
                cells = math.expand(cells, steps.shape["batch"])
            if fault == names.SHIFTED:
                later = np.roll(steps.numpy("batch,step"), 1, 1)
                steps = math.tensor(later, batch("batch,step"))
            return losses(model, windows, dynamic, steps, cells)

        return faulty

    return lambda: patch.object(
        _TRAINER, "observed_losses", wrap(_TRAINER.observed_losses)
    )


def _each(cells: Any, change: Any) -> Any:
    axes = cells.shape.spatial.names
    arrays = [change(one) for one in cells.numpy(["batch", *axes])]
    return math.tensor(np.stack(arrays), batch("batch"), spatial(*axes))


#: Faults of the loss of the candidate's surrogate, by name.
OF_A_LOSS = {
    name: _in_the_loss(name)
    for name in (
        names.IGNORED,
        names.OVER_ALL,
        names.OTHER_AXIS,
        names.ON_GENERATED,
        names.SHIFTED,
    )
}


def _later(observed: Any) -> Any:
    def faulty(self: Any, generated: Any, start: Any, steps: int) -> Observed:
        later = replace(self, frames=np.roll(self.frames, -1))
        return observed(later, generated, start, steps)

    return faulty


def _nothing_hidden(observed: Any) -> Any:
    def faulty(self: Any, generated: Any, start: Any, steps: int) -> Observed:
        seen = observed(self, generated, start, steps)
        return names.faulty_masks(seen)[names.IGNORED]

    return faulty


def _on_all(_: Any) -> Any:
    return lambda self: np.broadcast_to(
        self.cells, (len(self.steps), *self.cells.shape)
    )


def _transposed(cells: Any) -> Any:
    return lambda settings: names.other_axis(cells(settings))


def _noise_stays(without: Any) -> Any:
    def faulty(settings: Settings) -> Settings:
        noise, complete = settings.data.observations.noise, without(settings)
        seen = replace(complete.data.observations, noise=noise)
        return replace(complete, data=replace(complete.data, observations=seen))

    return faulty


def _in_the_physics(fault: str) -> Plant:
    """Plants a fault of a mask into the loss of the candidate's physical model."""

    def wrap(loss: Any) -> Any:
        # PhiML finds the parameters by this argument's name.
        def faulty(
            self: Any, windows: Any, steps: Any, cells: Any, unbounded: Any
        ) -> Any:
            if fault == names.IGNORED:
                return self._loss(windows, unbounded)
            share = math.mean(math.to_float(cells), cells.shape)
            return loss(self, windows, steps, cells, unbounded) * share

        return faulty

    return wrapped(PhysicalLearner, "_observed_loss", wrap)


def _read(fault: str) -> Plant:
    """Plants it where the physical model reads its masks."""

    def wrap(read: Any) -> Any:
        def faulty(self: Any) -> Any:
            steps, cells = read(self)
            if fault == names.OTHER_AXIS:
                return steps, _each(cells, names.other_axis)
            later = np.roll(steps.numpy("batch,step"), 1, 1)
            return math.tensor(later, batch("batch,step")), cells

        return faulty

    return wrapped(PhysicalLearner, "_read_masks", wrap)


#: Faults of the loss of the candidate's physical model, by name.
OF_THE_PHYSICS = {
    names.IGNORED: _in_the_physics(names.IGNORED),
    names.OVER_ALL: _in_the_physics(names.OVER_ALL),
    names.OTHER_AXIS: _read(names.OTHER_AXIS),
    names.SHIFTED: _read(names.SHIFTED),
}


def _loop_ignores(make: Any) -> Any:
    def faulty(self: Any, *arguments: Any) -> None:
        make(self, *arguments)
        self._masked = False

    return faulty


#: The loop of the synthetic model never asks what was observed.
IGNORED_BY_THE_LOOP = wrapped(SyntheticTraining, "__init__", _loop_ignores)

#: Faults of what both sides share, by name.
SHARED = {
    names.IGNORED: wrapped(ObservationPlan, "observed", _nothing_hidden),
    names.OTHER_AXIS: wrapped(
        experiment.data.observations, "observed_cells", _transposed
    ),
    names.ON_GENERATED: wrapped(Observed, "cells_of_each", _on_all),
    names.SHIFTED: wrapped(ObservationPlan, "observed", _later),
}
NOISY_VALIDATION = wrapped(
    experiment.run.assembly, "without_observations", _noise_stays
)
