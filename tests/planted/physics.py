"""Faults that a migration of the physics and of the hybrid training plants by hand."""

from typing import Any
from unittest.mock import patch

from phiml import math
from phiml.math import extrapolation

import phiml_port.physics.advection
import phiml_port.physics.burgers
from bridge.verify import CaseName, climb_hybrid, climb_physics
from bridge.verify import _physics_rungs as names
from bridge.verify._diagnosis import BOUNDARY
from phiml_port.physics import BurgersModel, PhysicalModel
from phiml_port.training import HybridTrainer
from tests.planted._fault import Fault

_BURGERS = CaseName("burgers", "convnet", "float64", batch_norm=False)
_ADVECTION = CaseName("advection", "convnet", "float64", batch_norm=False)


def _walled(_: Any) -> Any:
    def faulty(values: Any, velocity: Any, dt: float, cells: Any) -> Any:
        steps = math.wrap(
            [dt / size for size in cells.values()], velocity.shape.channel
        )
        sizes: Any = {axis: values.shape.get_size(axis) for axis in cells}
        places = math.meshgrid(**sizes) - velocity * steps
        return math.grid_sample(values, places, extrapolation.ZERO)

    return faulty


def _other_substeps(make: Any) -> Any:
    def faulty(self: Any, *, diffusion_substeps: int, **options: Any) -> None:
        make(self, diffusion_substeps=diffusion_substeps - 2, **options)

    return faulty


def _half_advection(carried: Any) -> Any:
    return lambda values, velocity, dt, cells: carried(values, velocity, dt / 2, cells)


def _cut(step: Any) -> Any:
    def faulty(self: Any, state: Any, parameters: Any) -> Any:
        return step(
            self, {n: math.stop_gradient(v) for n, v in state.items()}, parameters
        )

    return faulty


def _crossed(teach: Any) -> Any:
    def faulty(self: Any, states: Any, cycle: int) -> None:
        frames = self.settings.trainer.rollout_steps + 1
        predicted = self.synthetic.predict(states, frames)
        self._loader.augment(predicted, self.settings.trainer.data_access)

    return faulty


def _fault(
    name: str, rung: str, case: CaseName, owner: Any, attribute: str, faulty: Any
) -> Fault:
    def plant() -> Any:
        return patch.object(owner, attribute, faulty(getattr(owner, attribute)))

    climb = climb_hybrid if rung.startswith("H") else climb_physics
    return Fault(name, rung, case, plant, climb)


PHYSICS_FAULTS = (
    _fault(
        BOUNDARY,
        "P1",
        _ADVECTION,
        phiml_port.physics.advection,
        "carried",
        _walled,
    ),
    _fault(names.SUBSTEPS, "P1", _BURGERS, BurgersModel, "__init__", _other_substeps),
    _fault(
        names.DT, "P1", _BURGERS, phiml_port.physics.burgers, "carried", _half_advection
    ),
    _fault(names.TRUNCATED, "P3", _BURGERS, PhysicalModel, "step", _cut),
    _fault(names.HANDED, "H1", _ADVECTION, HybridTrainer, "teach_synthetic", _crossed),
)
