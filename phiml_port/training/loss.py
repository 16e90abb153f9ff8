"""The loss of a roll-out."""

from collections.abc import Callable
from typing import Any, cast

from phiml import math
from phiml.math import Tensor

from phiml_port.models import take_channels


def rollout_loss(
    model: Callable[[Tensor], Tensor], windows: Tensor, dynamic: tuple[int, ...]
) -> Tensor:
    """Mean over the steps of the mean squared error of the dynamic channels.

    The model is rolled out from the first frame; gradients flow through every step.
    Not `math.l2_loss`, which is half the sum over all but batch dims.

    Args:
        model: Maps a state `(batch, x, ..., vector)` to the next one.
        windows: `(batch, time, x, ..., vector)`: an initial frame and the targets.
        dynamic: Positions of the dynamic channels.

    Returns:
        Scalar, in the square of the fields' unit.
    """
    return _rolled_out(model, windows, dynamic, lambda e: math.mean(e**2, e.shape))


def rollout_losses(
    model: Callable[[Tensor], Tensor], windows: Tensor, dynamic: tuple[int, ...]
) -> Tensor:
    """`rollout_loss` of every window, `(batch)`; its mean is that of the batch."""

    def of_each_window(error: Any) -> Any:
        return math.mean(error**2, error.shape.without("batch"))

    return _rolled_out(model, windows, dynamic, of_each_window)


def observed_losses(
    model: Callable[[Tensor], Tensor],
    windows: Tensor,
    dynamic: tuple[int, ...],
    steps: Tensor,
    cells: Tensor,
) -> Tensor:
    """`rollout_losses` over what was observed.

    The mean over a window's observed steps of the mean squared error over its observed
    cells and the dynamic channels. What was not observed is never looked at.

    Args:
        model: Maps a state `(batch, x, ..., vector)` to the next one.
        windows: `(batch, time, x, ..., vector)`: an initial frame and the targets.
        dynamic: Positions of the dynamic channels.
        steps: Observed steps, bool `(batch, step)`; at least one of each window.
        cells: Observed cells, bool `(batch, x, ...)`; at least one of each window.

    Returns:
        `(batch)`, in the square of the fields' unit.
    """
    masks: Any = cells
    seen: Any = steps
    values: Any = math.sum(masks, masks.shape.spatial) * len(dynamic)
    frames: Any = windows.time
    state = cast(Tensor, frames[0])
    total: Any = 0.0
    for step in range(int(steps.shape.get_size("step") or 0)):
        state = model(state)
        target = cast(Tensor, frames[step + 1])
        error: Any = take_channels(state, dynamic) - take_channels(target, dynamic)
        error = math.where(masks & seen.step[step], error, 0.0)
        total = total + math.sum(error**2, error.shape.without("batch")) / values
    return total / math.sum(seen, "step")


def _rolled_out(
    model: Callable[[Tensor], Tensor],
    windows: Tensor,
    dynamic: tuple[int, ...],
    judge: Callable[[Any], Any],
) -> Tensor:
    frames: Any = windows.time
    state = cast(Tensor, frames[0])
    steps = int(windows.shape.get_size("time") or 0) - 1
    total: Any = 0.0
    for step in range(1, steps + 1):
        state = model(state)
        target = cast(Tensor, frames[step])
        error = take_channels(state, dynamic) - take_channels(target, dynamic)
        total = total + judge(error)
    return total / steps
