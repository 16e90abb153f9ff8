"""A two-layer network in NumPy, moved to torch; leaves have other names and axes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from bridge import Function, Leaf, Migration, Side


def apply(leaves: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """`(batch, 3)` to `(batch, 2)`."""
    hidden = np.tanh(x @ leaves["w1"] + leaves["b1"])
    return hidden @ leaves["w2"] + leaves["b2"]


def control() -> Function:
    """The network with random weights."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (3, 5), "b1": (5,), "w2": (5, 2), "b2": (2,)}
    return Function(apply, {n: rng.standard_normal(s) for n, s in shapes.items()})


class Candidate(nn.Module):
    """The same in torch, whose weights are `(out, in)`."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, 3)` to `(batch, 2)`."""
        return self.out(torch.tanh(self.hidden(x)))


def batch(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets."""
    return rng.standard_normal((size, 3)), rng.standard_normal((size, 2))


def loss(output: Any, target: Any) -> Any:
    """The mean square error, on arrays of either side."""
    return ((output - target) ** 2).mean()


m = Migration(
    "numpy-to-torch",
    control=Side(control),
    candidate=Side(
        Candidate,
        rename={
            "w1": Leaf("hidden.weight", (1, 0)),
            "b1": "hidden.bias",
            "w2": Leaf("out.weight", (1, 0)),
            "b2": "out.bias",
        },
    ),
    batch=batch,
    loss=loss,
)
