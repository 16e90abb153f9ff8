"""A training loop and a loader of one's own, moved from NumPy to torch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bridge import Migration, Side

DATA = np.random.default_rng(0).standard_normal((10, 3))
RATE, SIZE = 0.1, 4


def order(epoch: int) -> np.ndarray:
    """The order of samples in an epoch."""
    return np.random.default_rng(epoch).permutation(len(DATA))


class NumpyTrainer:
    """Gradient descent on a linear model, with momentum."""

    def __init__(self) -> None:
        self.w, self.momentum = np.ones(3), np.zeros(3)

    def step(self, x: np.ndarray, target: np.ndarray) -> float:
        """One step on the mean square error; the loss before it."""
        error = x @ self.w - target
        self.momentum = 0.9 * self.momentum + 2 * x.T @ error / len(error)
        self.w = self.w - RATE * self.momentum
        return float((error**2).mean())

    def batches(self, epoch: int) -> Iterator[np.ndarray]:
        """The batches of an epoch; the last may be short."""
        places = order(epoch)
        for start in range(0, len(places), SIZE):
            yield DATA[places[start : start + SIZE]]


class TorchTrainer:
    """The same with torch's optimiser and loader."""

    def __init__(self) -> None:
        self.w = torch.ones(3, dtype=torch.float64, requires_grad=True)
        self.optimiser = torch.optim.SGD([self.w], RATE, momentum=0.9)

    def step(self, x: np.ndarray, target: np.ndarray) -> float:
        """One step on the mean square error; the loss before it."""
        self.optimiser.zero_grad()
        error = torch.from_numpy(x) @ self.w - torch.from_numpy(target)
        loss = (error**2).mean()
        loss.backward()
        self.optimiser.step()
        return float(loss)

    def batches(self, epoch: int) -> Any:
        """The batches of an epoch; the last may be short."""
        rows = torch.from_numpy(DATA[order(epoch)])
        return torch.utils.data.DataLoader(rows, SIZE)  # type: ignore[arg-type]


def numpy_state(trainer: NumpyTrainer) -> dict[str, np.ndarray]:
    """Weights and momentum."""
    return {"w": trainer.w, "momentum": trainer.momentum}


def torch_state(trainer: TorchTrainer) -> dict[str, Any]:
    """The same; before the first step torch has no momentum."""
    state = trainer.optimiser.state[trainer.w]
    zero = torch.zeros_like(trainer.w)
    return {"w": trainer.w, "momentum": state.get("momentum_buffer", zero)}


def step(trainer: Any, x: np.ndarray, target: np.ndarray) -> float:
    """A step of either side."""
    return trainer.step(x, target)


def batches(trainer: Any, epoch: int) -> Any:
    """The batches of either side."""
    return trainer.batches(epoch)


def batch(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `(batch, 3)` and targets `(batch,)`."""
    return rng.standard_normal((size, 3)), rng.standard_normal(size)


m = Migration(
    "own-trainer",
    control=Side(NumpyTrainer, step=step, state=numpy_state, batches=batches),
    candidate=Side(TorchTrainer, step=step, state=torch_state, batches=batches),
    batch=batch,
    precisions=("float64",),
)
