"""The learner of the control's surrogate."""

from legacy.training.loss import observed_losses, rollout_loss, rollout_losses
from legacy.training.synthetic import SyntheticLearner

__all__ = ["SyntheticLearner", "observed_losses", "rollout_loss", "rollout_losses"]
