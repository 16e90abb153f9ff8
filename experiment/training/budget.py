"""Equal budgets: what each model alone has to do to match a hybrid training.

Two kinds of work are counted. The surrogate's is its optimiser steps, one a batch. The
physical model's is the steps of the PDE, one for each window and roll-out step of a
loss that L-BFGS-B asks for together with its gradient, and one for each frame of the
trajectories that it rolls out for the surrogate.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiment.data import Windows
from experiment.settings import Settings
from experiment.training.checkpoints import SYNTHETIC
from experiment.training.hybrid import generated_count, generated_frames
from experiment.training.terms import access_of


@dataclass(frozen=True)
class Budget:
    """What the models alone do to match a hybrid training of the same settings.

    Attributes:
        epochs: Epochs of the synthetic model alone: as few as make at least as many
            optimiser steps as in the hybrid training.
        steps: Its optimiser steps in them.
        hybrid_steps: Optimiser steps of the synthetic model in the hybrid training.
        rounds: Rounds of the physical model alone, as many as in the hybrid training,
            each of `trainer.physical.iterations` at most.
    """

    epochs: int
    steps: int
    hybrid_steps: int
    rounds: int


def equal_budget(settings: Settings) -> Budget:
    """The budget of a hybrid training, for each model alone.

    Args:
        settings: The settings of the hybrid training.
    """
    hybrid, size = settings.trainer.hybrid, settings.trainer.batch_size
    real = Windows.of(settings, settings.trainer.train_sim)
    taught = replace(
        real,
        generated=(generated_count(settings), generated_frames(settings)),
        access=access_of(settings, SYNTHETIC),
    )
    batches = math.ceil(len(real) / size)
    steps = hybrid.warm_up_epochs * batches
    steps += hybrid.cycles * hybrid.epochs * math.ceil(len(taught) / size)
    epochs = math.ceil(steps / batches)
    return Budget(epochs, epochs * batches, steps, hybrid.cycles * hybrid.rounds)


def pde_steps(settings: Settings, history: Sequence[Mapping[str, Any]]) -> int:
    """Steps of the PDE that a training of the physical model took.

    Args:
        settings: The settings of the training.
        history: Its rows, one a round.
    """
    total = sum(
        row["evaluations"]
        * (row["real_windows"] + row["interaction_windows"])
        * row["rollout_steps"]
        for row in history
    )
    if settings.general.mode == "hybrid":
        frames = generated_frames(settings) - 1
        cycles = settings.trainer.hybrid.cycles
        total += cycles * generated_count(settings) * frames
    return total
