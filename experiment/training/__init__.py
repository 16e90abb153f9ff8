"""Training loops over small learners, their log, and checkpoints."""

from experiment.training.budget import Budget, equal_budget, pde_steps
from experiment.training.checkpoints import (
    BEST,
    KEPT,
    LAST,
    PHYSICAL,
    PHYSICAL_BEST,
    PHYSICAL_KEPT,
    PHYSICAL_LAST,
    SYNTHETIC,
    Checkpoint,
    checkpoint_folder,
    checkpoint_path,
    load_checkpoint,
    load_for_model,
)
from experiment.training.hybrid import (
    HybridTraining,
    new_states,
    physical_rounds,
    training_settings,
)
from experiment.training.initial_weights import (
    draw_weights,
    has_rule,
    initial_weights,
)
from experiment.training.learners import (
    TV_EDGE,
    LearnerState,
    LossCheck,
    Minimum,
    PhysicalLearner,
    SyntheticLearner,
    Unbounded,
)
from experiment.training.physical import (
    PhysicalTraining,
    load_parameters,
    physical_settings,
)
from experiment.training.resuming import check_resumable
from experiment.training.schedule import next_rate, rollout_lengths
from experiment.training.state import TrainingState
from experiment.training.synthetic import SyntheticTraining
from experiment.training.terms import INTERACTION, REAL, term_weights

__all__ = [
    "BEST",
    "Budget",
    "Checkpoint",
    "HybridTraining",
    "INTERACTION",
    "KEPT",
    "LAST",
    "LearnerState",
    "LossCheck",
    "Minimum",
    "PHYSICAL",
    "PHYSICAL_BEST",
    "PHYSICAL_KEPT",
    "PHYSICAL_LAST",
    "PhysicalLearner",
    "PhysicalTraining",
    "REAL",
    "SYNTHETIC",
    "SyntheticLearner",
    "SyntheticTraining",
    "TV_EDGE",
    "TrainingState",
    "Unbounded",
    "check_resumable",
    "checkpoint_folder",
    "checkpoint_path",
    "draw_weights",
    "equal_budget",
    "has_rule",
    "initial_weights",
    "load_checkpoint",
    "load_for_model",
    "load_parameters",
    "new_states",
    "next_rate",
    "pde_steps",
    "physical_rounds",
    "physical_settings",
    "rollout_lengths",
    "term_weights",
    "training_settings",
]
