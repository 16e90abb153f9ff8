"""What the builders of several cases share."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np

_NUMBERS = itertools.count()


def initial_velocities(physical: Any, count: int) -> np.ndarray:
    """Velocities of different simulations in m/s, float32 `(batch, x, y, vector)`."""
    states = [physical.initial_state(0, i)["velocity"] for i in range(count)]
    return np.stack(states).astype(np.float32)


def window_work(windows: Any) -> dict[str, int]:
    """Samples and roll-out steps of a batch of windows.

    Args:
        windows: A torch tensor `(batch, vector, time, x, y)`, or PhiML's
            `(batch, time, x, y, vector)` in any order.
    """
    import torch

    if isinstance(windows, torch.Tensor):
        samples, frames = windows.shape[0], windows.shape[2]
    else:
        samples, frames = (int(windows.shape.get_size(d)) for d in ("batch", "time"))
    return {"samples": samples, "steps": frames - 1}


def learned_numbers(model: Any) -> dict[str, int]:
    """The numbers that training moves, of a model in torch or in PhiML.

    Args:
        model: Has `parameters()`: leaves, or a mapping of leaves by name.
    """
    leaves = model.parameters()
    leaves = leaves.values() if hasattr(leaves, "values") else leaves
    return {"parameters": sum(p.numel() for p in leaves if p.requires_grad)}


def any_loss(loss: float) -> None:
    """Accepts any loss."""


def fresh_folder(folder: Path) -> Path:
    """A new folder below `folder`; the one before is removed.

    Removed here and not behind the work, as its outcome may still be read.
    """
    number = next(_NUMBERS)
    for earlier in folder.glob("run-*"):
        shutil.rmtree(earlier)
    path = folder / f"run-{number}"
    path.mkdir(parents=True)
    return path
