"""What holds of any network: its control in other orders, its size, its precision."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Turn = Callable[[torch.Tensor], torch.Tensor]
TurnArray = Callable[[np.ndarray], np.ndarray]


def _same(values: Any) -> Any:
    return values


@dataclass(frozen=True)
class View:
    """The control once more, computing the same with other rounding (A/A).

    Attributes:
        model: The control.
        there: Turns states or windows into the view.
        back: Turns what is computed of them back.
        leaf: Turns a leaf's gradient back.
    """

    model: Any
    there: Turn = _same
    back: TurnArray = _same
    leaf: TurnArray = _same


def general_views(build: Callable[[], Any]) -> list[View]:
    """Views that every network has: its batch in another order, and its input and
    weights one unit in the last place off.

    Args:
        build: A new control with the case's weights.
    """
    off = build()
    nudge_leaves(off.network)
    return [
        View(build(), lambda x: x.flip(0), lambda y: y[::-1]),
        View(off, nudged),
    ]


def nudged(values: torch.Tensor) -> torch.Tensor:
    """Values one unit in the last place up or down, in turn."""
    if values.is_complex():
        return torch.view_as_complex(nudged(torch.view_as_real(values)))
    values = values.detach()
    # In float64, as a random sign would need a generator of its own.
    signs = torch.arange(values.numel(), device=values.device).reshape(values.shape) % 2
    towards = torch.where(signs.bool(), torch.inf, -torch.inf).to(values.dtype)
    return torch.nextafter(values, towards)


@torch.no_grad()
def nudge_leaves(network: nn.Module) -> None:
    """Moves every parameter by one unit in the last place."""
    for leaf in network.parameters():
        leaf.copy_(nudged(leaf))


def widened(values: Any) -> Any:
    """A tensor in float64, or complex128; what is none stays."""
    if not isinstance(values, torch.Tensor):
        return values
    if values.is_complex():
        return values.to(torch.complex128)
    return values.double() if values.is_floating_point() else values


class OtherGelu(TorchFunctionMode):
    """Inside, GELU is computed by tanh where it is exact, and exactly where by tanh."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is functional.gelu:
            now = kwargs.get("approximate", "none")
            kwargs["approximate"] = "none" if now == "tanh" else "tanh"
        return func(*args, **kwargs)
