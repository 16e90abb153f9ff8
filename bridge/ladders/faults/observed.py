"""Faults of masks and noise, for the ladders of trainers, data, physics and hybrid."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from phiml import math
from phiml.math import batch, spatial

import phiml_port.physics.learner
import phiml_port.training.synthetic
from bridge.ladders import observed as names
from bridge.ladders.faults.planting import Plant
from experiment.data import Observed, Windows
from phiml_port.training import rollout_losses

_TRAINER = phiml_port.training.synthetic


def _in_the_loss(fault: str) -> Plant:
    """Plants a fault of a mask into the loss of the candidate's surrogate."""

    def wrap(losses: Any) -> Any:
        def faulty(model: Any, windows: Any, dynamic: Any, steps: Any, cells: Any) -> Any:
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
