"""Takes frames out of a file's array by one call, and names their dims.

PhiML's own gather indexes element by element; the library's call below copies whole
frames and, on torch, on all cores.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from phiml.backend import NUMPY, Backend
from phiml.math import Shape, Tensor
from phiml.math._tensors import Dense


class Frames(ABC):
    """Frames `(simulation, time, x, y, ..., vector)` that batches are taken from.

    Args:
        trajectories: Not copied; rows count simulation by simulation.
    """

    @abstractmethod
    def __init__(self, trajectories: np.ndarray) -> None: ...

    @abstractmethod
    def batches(self, rows: np.ndarray, size: int) -> Iterator[Any]:
        """Gathers `(window, frame)` rows, `size` windows at a time.

        Yields arrays `(window, frame, x, y, ..., vector)`; the last may be smaller.
        """


class NumpyFrames(Frames):
    """Batches are NumPy arrays."""

    def __init__(self, trajectories: np.ndarray) -> None:
        self._frames = trajectories.reshape(-1, *trajectories.shape[2:])

    def batches(self, rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
        """See `Frames.batches`."""
        for first in range(0, len(rows), size):
            yield self._frames.take(rows[first : first + size], axis=0, mode="clip")


class TorchFrames(Frames):
    """Batches are torch tensors, gathered on all of torch's threads."""

    def __init__(self, trajectories: np.ndarray) -> None:
        # Processes that only read Scenes do without torch, which takes seconds.
        import torch

        self._torch = torch
        self._frame = trajectories.shape[2:]
        frames = trajectories.shape[0] * trajectories.shape[1]
        with warnings.catch_warnings():
            # The array can't be written, and nothing here writes.
            warnings.simplefilter("ignore", UserWarning)
            self._flat = torch.from_numpy(trajectories.reshape(frames, -1))

    def batches(self, rows: np.ndarray, size: int) -> Iterator[Any]:
        """See `Frames.batches`."""
        shape = (-1, rows.shape[1], *self._frame)
        every = self._torch.from_numpy(rows.reshape(-1))
        for chosen in every.split(size * rows.shape[1]):
            yield self._flat.index_select(0, chosen).view(shape)


FRAMES: dict[str, type[Frames]] = {"numpy": NumpyFrames, "torch": TorchFrames}


def backend_named(name: str) -> Backend:
    """PhiML's backend `torch` or `numpy`."""
    if name == "numpy":
        return NUMPY
    # torch takes seconds to import; processes that only read Scenes do without it.
    from phiml.backend.torch import TORCH

    return TORCH


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
