"""neuraloperator's FNO, unmodified: eager beside `torch.compile`."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from neuralop.models import FNO

from bridge import Migration, Side


def eager() -> torch.nn.Module:
    """Two layers of 8 channels; works on any grid."""
    return FNO(
        n_modes=(4, 4), in_channels=1, out_channels=1, hidden_channels=8, n_layers=2
    )


def compiled() -> Any:
    """The same module, compiled."""
    return torch.compile(eager())


def batch(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets `(batch, channel, x, y)`."""
    shape = (size, 1, 12, 10)
    return rng.standard_normal(shape), rng.standard_normal(shape)


def call_with_gradients(module: Any, x: torch.Tensor) -> torch.Tensor:
    """Calls it with gradients on, whatever is on around it."""
    with torch.enable_grad():
        return module(x)


m = Migration(
    "fno",
    control=Side(eager),
    candidate=Side(compiled),
    batch=batch,
    loss=torch.nn.functional.mse_loss,
    optimiser=lambda parameters: torch.optim.Adam(parameters, 1e-3),
    sizes=(1, 3),
    steps=20,
)

with_gradients = replace(
    m,
    name="fno-with-gradients",
    candidate=Side(compiled, call=call_with_gradients),
)
