"""Settings and small things that the builders of several rooms share."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._machine import device

#: One window's roll-out and two simulations: enough for a batch, little to simulate.
FEW = (
    *("data.num_simulations=2", "data.trajectory_length=13"),
    *("trainer.train_sim=[0]", "trainer.val_sim=[]", "evaluation.test_sim=[1]"),
    "evaluation.num_frames=13",
)
_NUMBERS = itertools.count()


def grid_of(edge: int) -> tuple[str, ...]:
    """Overrides for a square grid of cells of 0.5 m, as the experiment has them."""
    return (
        f"model.physical.resolution={{x: {edge}, y: {edge}}}",
        f"model.physical.domain={{x: {edge / 2}, y: {edge / 2}}}",
    )


def settings_of(folder: Path, *overrides: str) -> Any:
    """The `burgers` experiment on the chosen device, all its files below `folder`."""
    from benchmarks.settings import experiment_settings

    own = f"general.device={device()}"
    return experiment_settings(folder, "burgers", own, *overrides)


def simulated_settings(folder: Path, *overrides: str) -> Any:
    """The same, with all simulations on disk, made by the control's physics."""
    from benchmarks.settings import simulated

    return simulated(settings_of(folder, *overrides))


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


def moved_parameters(optimiser: Any) -> dict[str, int]:
    """The numbers that an optimiser of torch moves."""
    leaves = [leaf for group in optimiser.param_groups for leaf in group["params"]]
    return {"parameters": sum(leaf.numel() for leaf in leaves)}


def fresh_folder(folder: Path) -> Path:
    """A folder below `folder` that no run had before; the last one is removed.

    Removed here and not behind the work, as its outcome may still be read.
    """
    number = next(_NUMBERS)
    for earlier in folder.glob("run-*"):
        shutil.rmtree(earlier)
    path = folder / f"run-{number}"
    path.mkdir(parents=True)
    return path
