"""What is kept of an array or a text: its hash, and how large its numbers are."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

#: Hash, shape, dtype and `float` (sum and norm), which only sizes a difference;
#: `memory` where a network gets it, `text` where a person wants to read it.
Entry = dict[str, Any]
Entries = Iterator[tuple[str, Entry]]
Recording = dict[str, Entry]
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")


def array_entry(array: np.ndarray) -> Entry:
    """An array by its values in the order of its dims, whatever its memory order."""
    array = np.asarray(array)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(array.tobytes())
    entry = {
        "sha256": digest.hexdigest(),
        "shape": list(array.shape),
        "dtype": str(array.dtype),
    }
    if array.dtype.kind in "biuf":
        entry["float"] = _size(array.astype(np.float64))
    return entry


def batch_entry(values: np.ndarray, native: torch.Tensor, layout: str) -> Entry:
    """A batch in the common layout, with the memory order that the network gets."""
    return {**array_entry(values), "memory": memory_order(native, layout.split())}


def text_entry(text: str) -> Entry:
    """A text, with the sum and norm of the numbers that stand in it."""
    numbers = np.array([float(n) for n in _NUMBER.findall(text)], np.float64)
    return {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "shape": [len(text.splitlines())],
        "dtype": "text",
        "float": _size(numbers),
    }


def memory_order(tensor: torch.Tensor, names: list[str]) -> str:
    """The dims from the outermost to the innermost in memory.

    Dims of one element have no place; repeated ones come first. A tensor with gaps
    says so, as other kernels run on it.
    """
    sized = [i for i, size in enumerate(tensor.shape) if size > 1]
    order = sorted(sized, key=lambda i: -tensor.stride(i) if tensor.stride(i) else 0)
    repeated = [i for i in sized if tensor.stride(i) == 0]
    order = repeated + [i for i in order if i not in repeated]
    expected, dense = 1, not repeated
    for i in reversed(order):
        dense = dense and tensor.stride(i) == expected
        expected *= tensor.shape[i]
    return " ".join(names[i] for i in order) + ("" if dense else " (with gaps)")


def write_recording(path: Path, recording: Recording) -> None:
    """One entry a line, sorted by name."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(recording[name], sort_keys=True)}"
        for name in sorted(recording)
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read_recording(path: Path) -> Recording:
    """What `write_recording` wrote."""
    return json.loads(path.read_text())


def _size(values: np.ndarray) -> dict[str, str]:
    # Not by a library that could add up in another order on another day.
    flat = [float(v) for v in values.ravel()]
    return {
        "sum": repr(float(sum(flat))),
        "norm": repr(float(sum(v * v for v in flat) ** 0.5)),
    }
