"""Takes frames out of a file's array by one call, and names their dims.

PhiML's own gather indexes element by element; the library's call below copies whole
frames and, on torch, on all cores.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from phiml.backend import NUMPY, Backend
from phiml.math import Shape, Tensor
from phiml.math._tensors import Dense

#: From rows `(window, frame)` to an array `(window, frame, x, y, ..., vector)`.
Gather = Callable[[np.ndarray], Any]


def backend_named(name: str) -> Backend:
    """PhiML's backend `torch` or `numpy`."""
    if name == "numpy":
        return NUMPY
    # torch takes seconds to import; processes that only read Scenes do without it.
    from phiml.backend.torch import TORCH

    return TORCH


def gather_on(backend: str, trajectories: np.ndarray) -> Gather:
    """What gathers frames of `(simulation, time, x, y, ..., vector)`.

    Args:
        backend: `torch` or `numpy`.
        trajectories: Not copied; rows count simulation by simulation.
    """
    simulations, frames, *frame = trajectories.shape
    flat = trajectories.reshape(simulations * frames, -1)
    if backend == "numpy":
        return lambda rows: np.take(flat, rows, axis=0, mode="clip").reshape(
            *rows.shape, *frame
        )
    import torch

    with warnings.catch_warnings():
        # The array can't be written, and nothing here writes.
        warnings.simplefilter("ignore", UserWarning)
        source = torch.from_numpy(flat)

    def gather(rows: np.ndarray) -> torch.Tensor:
        chosen = torch.from_numpy(rows.reshape(-1))
        return torch.index_select(source, 0, chosen).view(*rows.shape, *frame)

    return gather


def to_device(native: Any, device: str) -> Any:
    """A torch tensor on a device; NumPy data stay."""
    return (
        native
        if device == "cpu" or isinstance(native, np.ndarray)
        else native.to(device)
    )


def named(native: Any, shape: Shape, backend: Backend) -> Tensor:
    """A PhiML tensor on an array that has the sizes of `shape`, in its order.

    The class itself, as `math.wrap` takes 15 us for checks that hold here, half of the
    time that a batch takes to gather.
    """
    return Dense(native, shape.names, shape, backend)
