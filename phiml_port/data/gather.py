"""Takes windows out of arrays of frames by few calls, on NumPy or torch.

PhiML's gather indexes element by element; the libraries' calls copy whole frames
and, on torch, on all cores.
"""

import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from phiml.backend import NUMPY, Backend


def backend_named(name: str) -> Backend:
    """PhiML's backend `torch` or `numpy`."""
    if name == "numpy":
        return NUMPY
    # torch takes seconds to import; processes that only read Scenes do without it.
    from phiml.backend.torch import TORCH

    return TORCH


class Frames:
    """The frames of some trajectories, as an array of NumPy and of a backend.

    Attributes:
        values: `(row, values)`; rows are counted trajectory by trajectory.
        native: The same memory as an array of the backend `torch` or `numpy`.
    """

    def __init__(self, trajectories: np.ndarray, backend: str) -> None:
        count = trajectories.shape[0] * trajectories.shape[1]
        self.values = self.native = trajectories.reshape(count, -1)
        if backend == "torch":
            import torch

            with warnings.catch_warnings():
                # The array may be read-only, and nothing here writes.
                warnings.simplefilter("ignore", UserWarning)
                self.native: Any = torch.from_numpy(self.values)

    def empty(self, rows: int) -> Any:
        """A new native array for some rows."""
        shape = rows, self.values.shape[1]
        if self.native is self.values:
            return np.empty(shape, self.values.dtype)
        return self.native.new_empty(shape)


def gather(
    arrays: Callable[[int], Frames], array: np.ndarray, rows: np.ndarray, size: int
) -> Iterator[Any]:
    """Gathers windows, `size` at a time.

    Args:
        arrays: Gives an array of frames by its number.
        array: Number of the array that each window lies in, `(window,)`.
        rows: The frames of each window, `(window, frame)`.
        size: Windows of a batch; the last one may have fewer.

    Yields:
        New native arrays `(window * frame, values)`.
    """
    frames = arrays(array[0])
    if frames.native is frames.values or (array != array[0]).any():
        yield from _gather_runs(arrays, array, rows, size)
        return
    import torch

    every = torch.from_numpy(rows.reshape(-1))
    for chosen in every.split(size * rows.shape[1]):
        yield frames.native.index_select(0, chosen)


def _gather_runs(
    arrays: Callable[[int], Frames], array: np.ndarray, rows: np.ndarray, size: int
) -> Iterator[Any]:
    """`gather` from several arrays: a call for each run of windows in one of them."""
    batch = np.arange(len(rows)) // size
    ends = np.flatnonzero((np.diff(array) != 0) | (np.diff(batch) != 0)) + 1
    native, out = None, np.empty(0)
    for start, stop in pairwise([0, *ends.tolist(), len(rows)]):
        frames, first = arrays(array[start]), start // size * size
        if start == first:
            shape = rows[first : first + size].shape
            native = frames.empty(shape[0] * shape[1])
            # NumPy's call for torch too: its views cost less.
            out = np.asarray(native).reshape(*shape, -1)
        chosen = rows[start:stop]
        frames.values.take(chosen, 0, out[start - first : stop - first], "clip")
        if stop == first + len(out):
            yield native
