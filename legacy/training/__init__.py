"""The learner of the control's surrogate."""

from legacy.training.loss import rollout_loss, rollout_losses
from legacy.training.synthetic import SyntheticLearner

__all__ = ["SyntheticLearner", "rollout_loss", "rollout_losses"]
