"""The learner of the candidate's surrogate."""

from phiml_port.training.loss import rollout_loss, rollout_losses
from phiml_port.training.synthetic import Model, SyntheticLearner

__all__ = ["Model", "SyntheticLearner", "rollout_loss", "rollout_losses"]
