"""Faults of the way to a coarser grid and back, for the physics and hybrid ladders."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import numpy as np

import experiment.data.coarse
import phiml_port.physics.learner
from bridge.ladders.coarse import CONSTANT, EVERY_SECOND, Between
from bridge.ladders.faults.planting import Plant, wrapped
from experiment.data import CoarseGrid


def _picking(restrict: Any) -> Any:
    def faulty(self: Any, values: np.ndarray) -> np.ndarray:
        if self.factor == 1:
            return restrict(self, values)
        return Between(self.factor, picked=True).down(values)

    return faulty


def _constant(_: Any) -> Any:
    def faulty(values: np.ndarray, factor: int, axes: Sequence[int]) -> np.ndarray:
        for axis in axes:
            values = values.repeat(factor, axis)
        return values

    return faulty


class _Picking(CoarseGrid):
    restrict = _picking(CoarseGrid.restrict)


#: Of what both sides share, by name.
SHARED: dict[str, Plant] = {
    EVERY_SECOND: wrapped(CoarseGrid, "restrict", _picking),
    CONSTANT: wrapped(experiment.data.coarse, "linear_in_cells", _constant),
}


def of_the_candidate() -> Any:
    """The candidate alone takes every second cell."""
    return patch.object(phiml_port.physics.learner, "CoarseGrid", _Picking)
