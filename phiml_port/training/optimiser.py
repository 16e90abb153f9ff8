"""Adam and its schedule, as the reference semantics have them, on `phiml.nn`."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from phiml import nn
from torch.nn.utils import clip_grad_norm_

BETAS = (0.9, 0.999)
EPSILON = 1e-8


def adam(network: Any, *, learning_rate: float, weight_decay: float) -> Any:
    """`phiml.nn.adam` with eps 1e-8 (PhiML's default is 1e-7) and torch's decay.

    PhiML's function takes no weight decay. Its torch optimiser reads it from its
    groups at every step, where it is added to the gradient (L2, not decoupled).
    """
    optimiser: Any = nn.adam(network, learning_rate, betas=BETAS, epsilon=EPSILON)
    for group in optimiser.param_groups:
        group["weight_decay"] = weight_decay
        # One call for each leaf in place of ten.
        group["fused"] = True
    return optimiser


def before_each_step(optimiser: Any, act: Callable[[], None]) -> None:
    """Calls `act` between the gradient and the step of `phiml.nn.update_weights`.

    An exception in it leaves the weights as they are.
    """
    optimiser.register_step_pre_hook(lambda *_: act())


def clip_gradients(parameters: Mapping[str, Any], limit: float) -> None:
    """Scales all gradients so that their global norm is at most `limit`.

    PhiML has no clipping; torch's adds the leaves' norms in the order of `parameters`.
    """
    clip_grad_norm_(list(parameters.values()), limit)


def next_rate(rate: float, epoch: int, epochs: int) -> float:
    """The learning rate after epoch `epoch` (from 0), by cosine annealing.

    In the recursive form of torch's CosineAnnealingLR with the lowest rate 0, so that
    every epoch's rate is the same number on both sides.
    """
    done = epoch + 1
    fraction = 1 + math.cos(math.pi * done / epochs)
    return fraction / (1 + math.cos(math.pi * (done - 1) / epochs)) * rate
