"""HYCO's own boundaries through the public door: `bridge verify hyco.migrations:...`.

`surrogate` is step 1, `training` is steps 2 and 3, of Burgers' equation at a small
size. The ladders (`bridge verify step1`) compare more; this is what they are through
the door that is open to every pipeline.
"""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bridge import Migration, Side
from experiment.data import channel_plan
from experiment.settings import (
    COMPONENTS,
    Settings,
    check_settings,
    to_dict,
)

#: Cells along x and y, windows of a batch, and steps of a roll-out.
GRID, BATCH, STEPS = (12, 8), 3, 2
_WORDS = (
    *("general.mode=synthetic", "general.precision=float64", "data.num_simulations=3"),
    f"model.physical.resolution={{x: {GRID[0]}, y: {GRID[1]}}}",
    f"model.physical.domain={{x: {GRID[0] / 2}, y: {GRID[1] / 2}}}",
    *("trainer.train_sim=[0,2]", "trainer.val_sim=[1]", "evaluation.test_sim=[1]"),
    *(f"trainer.batch_size={BATCH}", f"trainer.rollout_steps={STEPS}"),
    *("data.trajectory_length=7", "evaluation.num_frames=7"),
    "model.synthetic.architecture.levels=2",
    "model.synthetic.architecture.filters=4",
)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Holds the simulations; vanishes with the process."""
    return tempfile.TemporaryDirectory()


@cache
def _settings(side: str) -> Settings:
    """A small run with every component on a side."""
    from bridge.configuration import composed
    from bridge.ladders.nested import settle

    values = to_dict(composed(None, _WORDS))
    settle(values, Path(_folder().name), {c.name: side for c in COMPONENTS})
    return check_settings(values)


@cache
def _simulated() -> None:
    """Makes the simulations, by the control's physics."""
    from bridge.assemble import MixedParts
    from experiment.data import generate
    from experiment.system import Progress

    settings = _settings("legacy")
    generate(settings, MixedParts().build_simulator(settings), Progress())


def _surrogate(side: str) -> Any:
    """The surrogate as torch's trainers call it; `(batch, vector, x, y)`."""
    from dataclasses import replace

    from bridge.assemble import MixedParts

    settings = _settings("legacy")
    migration = replace(settings.migration, model=side)
    return MixedParts().build_model(replace(settings, migration=migration))


def _rolled_out(model: Any, state: Any) -> Any:
    """`(batch, steps, vector, x, y)` from the state before."""
    import torch

    states = [state]
    for _ in range(STEPS):
        states.append(model(states[-1]))
    return torch.stack(states[1:], 1)


def _states(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """States and the frames that follow."""
    states = rng.standard_normal((size, 2, *GRID))
    return states, rng.standard_normal((size, STEPS, 2, *GRID))


def _mean_square(output: Any, target: Any) -> Any:
    return ((output - target) ** 2).mean()


def _adam(parameters: Any) -> Any:
    import torch

    return torch.optim.Adam(parameters, lr=1e-3)


class _Training:
    """The learner and the loader of a side."""

    def __init__(self, side: str) -> None:
        from bridge.assemble import MixedParts

        self.settings, self.parts = _settings(side), MixedParts()
        model = self.parts.build_model(self.settings)
        self.learner = self.parts.build_synthetic_learner(self.settings, model)

    def step(self, windows: np.ndarray, _: Any) -> float:
        """A step of the learner on windows `(batch, time, x, y, vector)`."""
        import torch

        from bridge.convert.converters import to_phiml, window_layout

        given: Any = torch.from_numpy(np.moveaxis(windows, -1, 1).copy())
        if self.settings.migration.trainer != "legacy":
            names = channel_plan(self.settings).names
            given = to_phiml(given, window_layout(2), components=names, boundary="door")
        return self.learner.step(given, lambda loss: None)

    def state(self) -> dict[str, np.ndarray]:
        """Weights and moments by name."""
        state = self.learner.state()
        found = {f"weights/{n}": v for n, v in state.weights.items()}
        for name, moments in state.optimiser.items():
            found |= {f"{kind}/{name}": v for kind, v in moments.items()}
        return found

    def batches(self, epoch: int) -> Iterator[np.ndarray]:
        """The batches of an epoch, `(batch, time, x, y, vector)`."""
        from bridge.convert.converters import to_torch, window_layout

        _simulated()
        loader = self.parts.build_loader(
            self.settings, self.settings.trainer.train_sim, shuffle=True
        )
        loader.set_epoch(epoch)
        for windows in loader:
            if self.settings.migration.data != "legacy":
                # PhiML's own `numpy()` casts to its precision of the moment.
                windows = to_torch(windows, window_layout(2), boundary="door")
            yield np.moveaxis(windows.numpy(), 1, -1)


def _windows(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows to learn from; they are their own targets."""
    windows = rng.standard_normal((size, STEPS + 1, *GRID, 2))
    return windows, np.zeros(size)


def _side(name: str) -> Side:
    return Side(
        lambda: _Training(name),
        step=_Training.step,
        state=_Training.state,
        batches=_Training.batches,
    )


surrogate = Migration(
    "hyco-surrogate",
    control=Side(lambda: _surrogate("legacy"), call=_rolled_out),
    candidate=Side(lambda: _surrogate("phiml"), call=_rolled_out),
    batch=_states,
    loss=_mean_square,
    optimiser=_adam,
    # PhiML computes in the precision of the run.
    precisions=("float64",),
)
training = Migration(
    "hyco-training",
    control=_side("legacy"),
    candidate=_side("phiml"),
    batch=_windows,
    precisions=("float64",),
)
