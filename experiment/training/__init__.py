"""Training loops over small learners, their log, and checkpoints."""

from experiment.training.checkpoints import (
    BEST,
    LAST,
    PHYSICAL,
    PHYSICAL_BEST,
    PHYSICAL_LAST,
    SYNTHETIC,
    Checkpoint,
    TrainingState,
    first_leaf_that_differs,
    load_checkpoint,
    load_for_model,
    save_checkpoint,
)
from experiment.training.hybrid import (
    hybrid_epochs,
    new_states,
    physical_rounds,
    training_settings,
)
from experiment.training.initial_weights import draw_weights
from experiment.training.log import StopSignal, TrainingLog
from experiment.training.physical import (
    Minimum,
    PhysicalLearner,
    PhysicalTrainer,
    Unbounded,
)

__all__ = [
    "BEST",
    "Checkpoint",
    "LAST",
    "Minimum",
    "PHYSICAL",
    "PHYSICAL_BEST",
    "PHYSICAL_LAST",
    "PhysicalLearner",
    "PhysicalTrainer",
    "SYNTHETIC",
    "StopSignal",
    "TrainingLog",
    "TrainingState",
    "Unbounded",
    "draw_weights",
    "first_leaf_that_differs",
    "hybrid_epochs",
    "load_checkpoint",
    "load_for_model",
    "new_states",
    "physical_rounds",
    "save_checkpoint",
    "training_settings",
]
