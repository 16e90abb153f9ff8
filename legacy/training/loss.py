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


def observed_losses(
    model: nn.Module,
    windows: torch.Tensor,
    dynamic: tuple[int, ...],
    steps: torch.Tensor,
    cells: torch.Tensor,
) -> torch.Tensor:
    """`rollout_losses` over what was observed.

    The mean over a window's observed steps of the mean squared error over its observed
    cells and the dynamic channels. What was not observed is never looked at.

    Args:
        model: Maps a state `(batch, vector, x, ...)` to the next one.
        windows: `(batch, vector, time, x, ...)`: an initial frame and the targets.
        dynamic: Positions of the dynamic channels.
        steps: Observed steps, bool `(batch, step)`; at least one of each window.
        cells: Observed cells, bool `(batch, x, ...)`; at least one of each window.

    Returns:
        `(batch,)`, in the square of the fields' unit.
    """
    state, total = windows[:, :, 0], windows.new_zeros(len(windows))
    values = cells.flatten(1).sum(1) * len(dynamic)
    for step in range(1, windows.shape[2]):
        state = model(state)
        target = take_channels(windows[:, :, step], dynamic)
        seen = steps[:, step - 1].reshape(-1, *(1,) * (cells.ndim - 1)) & cells
        error = take_channels(state, dynamic) - target
        error = torch.where(seen.unsqueeze(1), error, 0)
        total = total + error.square().flatten(1).sum(1) / values
    return total / steps.sum(1)


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
