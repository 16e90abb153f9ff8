"""The physical models of the control, on PhiFlow's torch backend."""

from legacy.physics.advection import AdvectionModel
from legacy.physics.burgers import BurgersModel
from legacy.physics.learner import FieldLearner
from legacy.physics.simulator import SceneSimulator, centred_grid, compiled_step

__all__ = [
    "AdvectionModel",
    "BurgersModel",
    "FieldLearner",
    "SceneSimulator",
    "centred_grid",
    "compiled_step",
]
