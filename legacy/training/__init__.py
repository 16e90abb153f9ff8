"""The trainers of the control."""

from legacy.training.loss import rollout_loss
from legacy.training.trainer import Loader, SyntheticTrainer

__all__ = ["Loader", "SyntheticTrainer", "rollout_loss"]
