"""The loss of a roll-out."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from legacy.models import take_channels


def rollout_loss(
    model: nn.Module, windows: torch.Tensor, dynamic: tuple[int, ...]
) -> torch.Tensor:
    """Mean over the steps of the mean squared error of the dynamic channels.

    The model is rolled out from the first frame; gradients flow through every step.

    Args:
        model: Maps a state `(batch, vector, x, ...)` to the next one.
        windows: `(batch, vector, time, x, ...)`: an initial frame and the targets.
        dynamic: Positions of the dynamic channels.

    Returns:
        0-d tensor, in the square of the fields' unit.
    """
    return _rolled_out(model, windows, dynamic, functional.mse_loss)


def rollout_losses(
    model: nn.Module, windows: torch.Tensor, dynamic: tuple[int, ...]
) -> torch.Tensor:
    """`rollout_loss` of every window, `(batch,)`; its mean is that of the batch."""
    return _rolled_out(model, windows, dynamic, _of_each_window)


def _of_each_window(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    error = functional.mse_loss(predicted, target, reduction="none")
    return error.flatten(1).mean(1)


def _rolled_out(
    model: nn.Module,
    windows: torch.Tensor,
    dynamic: tuple[int, ...],
    error: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    state = windows[:, :, 0]
    steps = windows.shape[2] - 1
    total = windows.new_zeros(())
    for step in range(1, steps + 1):
        state = model(state)
        predicted = take_channels(state, dynamic)
        target = take_channels(windows[:, :, step], dynamic)
        total = total + error(predicted, target)
    return total / steps
