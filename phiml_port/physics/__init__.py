"""The physical models of the candidate, on PhiML tensors."""

from phiml_port.physics.advection import AdvectionModel
from phiml_port.physics.burgers import BurgersModel
from phiml_port.physics.learner import TensorLearner
from phiml_port.physics.model import PhysicalModel, physics_backend
from phiml_port.physics.simulator import SceneSimulator

__all__ = [
    "AdvectionModel",
    "BurgersModel",
    "PhysicalModel",
    "SceneSimulator",
    "TensorLearner",
    "physics_backend",
]
