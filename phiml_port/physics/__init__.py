"""The physical models of the candidate, on PhiML tensors."""

from phiml_port.physics.learner import PhysicalLearner
from phiml_port.physics.model import PhysicalModel
from phiml_port.physics.simulator import SceneSimulator

__all__ = ["PhysicalLearner", "PhysicalModel", "SceneSimulator"]
