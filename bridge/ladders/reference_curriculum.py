"""The reference's rates, lengths of the roll-out and input noise, in plain torch."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler


def scheduler(recipe: Any, optimiser: Any) -> Any:
    """torch's own scheduler of the learning rate."""
    if recipe.schedule == "step":
        return lr_scheduler.StepLR(optimiser, recipe.decay_epochs, recipe.decay)
    if recipe.schedule == "exponential":
        each = recipe.decay ** (1 / recipe.decay_epochs)
        return lr_scheduler.ExponentialLR(optimiser, each)
    if recipe.schedule == "constant":
        return lr_scheduler.ConstantLR(optimiser, 1.0)
    return lr_scheduler.CosineAnnealingLR(optimiser, T_max=recipe.epochs)


def stages(trainer: Any, steps: int) -> list[int]:
    """Lengths of the roll-out one after another, the last one `steps`."""
    lengths, length = [], trainer.rollout_start
    while trainer.rollout_schedule != "constant" and length < steps:
        lengths.append(length)
        length += length if trainer.rollout_schedule == "exponential" else 1
    return [*lengths, steps]


def at(lengths: Sequence[int], done: float) -> int:
    """The length after a share of the training: each lasts as long."""
    return lengths[int(done * len(lengths) + 1e-9)]


def noise(
    states: torch.Tensor,
    seeds: Sequence[int],
    noisy: Sequence[int],
    turned: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Gaussian noise of standard deviation 1 on states `(batch, vector, x, ...)`.

    Args:
        states: The states, as they are seen in a view.
        seeds: Of the run, the epoch, the batch.
        noisy: Channels that get noise.
        turned: Turns states from the view, and back.
    """
    shape = turned(states).movedim(1, -1).shape
    generator = np.random.default_rng([*seeds, 1])
    drawn = torch.from_numpy(generator.standard_normal(tuple(shape)))
    for channel in range(shape[-1]):
        drawn[..., channel] *= channel in noisy
    return turned(drawn.movedim(-1, 1))
