"""The trainers of the control."""

from legacy.training.hybrid import HybridTrainer
from legacy.training.loss import rollout_loss
from legacy.training.trainer import Loader, SyntheticTrainer

__all__ = ["HybridTrainer", "Loader", "SyntheticTrainer", "rollout_loss"]
