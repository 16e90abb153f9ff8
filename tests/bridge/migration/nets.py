"""Small pairs that the tests of the public door share."""

from typing import Any

import numpy as np
import torch
from torch import nn

from bridge import Migration, Side


class Net(nn.Module):
    """Two convolutions with a batch norm between them, and a residual."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.GELU(approximate)
        self.last = nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.last(self.act(self.norm(self.first(x))))


def batch(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    shape = (size, 2, 5, 3)
    return rng.standard_normal(shape), rng.standard_normal(shape)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, 1e-3)


def pair(control: Any = Net, candidate: Any = Net, **fields: Any) -> Migration:
    """A migration of two builders or sides, in float64 and with few steps."""
    sides = [s if isinstance(s, Side) else Side(s) for s in (control, candidate)]
    given: dict[str, Any] = {
        "batch": batch,
        "loss": nn.functional.mse_loss,
        "optimiser": adam,
        "precisions": ("float64",),
        "steps": 3,
    }
    return Migration("pair", sides[0], sides[1], **(given | fields))


def quiet(line: str) -> None:
    """Reports nothing."""


def worst(proof: Any) -> tuple[str, str, str]:
    """Rung, place and hint of the first rung that didn't pass."""
    for result in proof.results:
        rung = result.first_failure
        if rung is not None:
            assert rung.worst is not None
            return rung.rung, rung.worst.where, rung.worst.hint
    return "", "", ""
