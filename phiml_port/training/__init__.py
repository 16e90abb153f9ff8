"""The learner of the candidate's surrogate."""

from phiml_port.training.loss import observed_losses, rollout_loss, rollout_losses
from phiml_port.training.synthetic import Model, SyntheticLearner

__all__ = [
    "Model",
    "SyntheticLearner",
    "observed_losses",
    "rollout_loss",
    "rollout_losses",
]
