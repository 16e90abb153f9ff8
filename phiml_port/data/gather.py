"""Takes windows out of arrays of frames by few calls, on NumPy or torch.

PhiML's own gather indexes element by element; the libraries' calls copy whole frames
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


def on_backend(array: np.ndarray, name: str) -> Any:
    """The array as one of the backend `torch` or `numpy`, a view."""
    if name == "numpy":
        return array
    import torch

    with warnings.catch_warnings():
        # The array may be read-only, and nothing here writes.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)


def take(frames: Any, rows: Any, out: Any = None) -> Any:
    """The frames at `rows`, all of one library, in `out` or in a new array."""
    if isinstance(frames, np.ndarray):
        return frames.take(rows, 0, out, "clip")
    import torch

    return torch.index_select(frames, 0, rows, out=out)


def gather(
    arrays: Callable[[int], Any], array: np.ndarray, rows: Any, size: int
) -> Iterator[Any]:
    """Gathers windows, `size` at a time.

    Args:
        arrays: Gives an array of frames `(row, x, y, ..., vector)` by its number.
        array: Number of the array that each window lies in, `(window,)`.
        rows: The frames of each window, `(window, frame)`.
        size: Windows of a batch; the last one may have fewer.

    Yields:
        New arrays `(window, frame, x, y, ..., vector)`.
    """
    every, length = rows.reshape(-1), rows.shape[1]
    only = arrays(array[0]) if (array == array[0]).all() else None
    for first in range(0, len(array), size):
        chosen = every[first * length : (first + size) * length]
        if only is not None:
            frames = take(only, chosen)
        else:
            frames = _from_several(arrays, array[first : first + size], chosen)
        yield frames.reshape(-1, length, *frames.shape[1:])


def _from_several(arrays: Callable[[int], Any], array: np.ndarray, rows: Any) -> Any:
    """The frames of a batch, by one call for each run of windows in one array."""
    length = len(rows) // len(array)
    borders = (np.flatnonzero(np.diff(array)) + 1) * length
    out: Any = None
    for start, stop in pairwise([0, *borders.tolist(), len(rows)]):
        frames = arrays(array[start // length])
        if out is None:
            shape = (len(rows), *frames.shape[1:])
            is_numpy = isinstance(frames, np.ndarray)
            out = np.empty(shape, frames.dtype) if is_numpy else frames.new_empty(shape)
        take(frames, rows[start:stop], out[start:stop])
    return out
