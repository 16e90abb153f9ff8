"""The physical models of the control, on PhiFlow's torch backend."""

from legacy.physics.learner import PhysicalLearner
from legacy.physics.model import PhysicalModel
from legacy.physics.simulator import SceneSimulator

__all__ = ["PhysicalLearner", "PhysicalModel", "SceneSimulator"]
