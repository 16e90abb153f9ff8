"""The trainers of the candidate."""

from phiml_port.training.hybrid import HybridTrainer
from phiml_port.training.loss import rollout_loss
from phiml_port.training.optimiser import next_rate
from phiml_port.training.trainer import Loader, Model, SyntheticTrainer

__all__ = [
    "HybridTrainer",
    "Loader",
    "Model",
    "SyntheticTrainer",
    "next_rate",
    "rollout_loss",
]
