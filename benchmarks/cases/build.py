"""Builds the parts of a run: the only file that knows how the installed code does it.

Every function imports what it needs when it is called: asv runs the cases on other
commits, and a part that a commit lacks has to skip its case and no other.
"""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.harness.machine import device


class Learner:
    """A synthetic model with its optimiser.

    Attributes:
        model: The model that it trains.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self.model = trainer.model
        model = self.model
        model.train() if hasattr(model, "train") else model.set_training(True)

    def step(self, windows: Any, check: Callable[[float], None]) -> float:
        """One optimiser step; the loss from before it, which `check` gets too."""
        return self._trainer.training_step(windows, check)

    def load(self, checkpoint: Any) -> None:
        """Takes over the weights, moments and random states of a checkpoint."""
        self._trainer.restore(checkpoint)


def side_model(settings: Any, side: str) -> Any:
    """The surrogate of a side in its own language, with its initial weights."""
    import bridge

    if side == "legacy":
        return bridge.build_legacy_model(settings)
    return bridge.build_phiml_model(settings)


def model(settings: Any) -> Any:
    """The surrogate that is switched on, as the trainer that is on wants it."""
    import bridge

    if settings.migration.trainer == "legacy":
        return bridge.build_model(settings)
    return bridge.build_named_model(settings)


def learner(settings: Any, own: Any = None) -> Learner:
    """The synthetic learner that is switched on, in training mode.

    Args:
        settings: The settings of the run.
        own: A model to be trained in place of a new one.
    """
    import legacy.training
    import phiml_port.training
    from experiment.data import channel_plan

    sides: dict[str, Any] = {
        "legacy": legacy.training.SyntheticTrainer,
        "phiml": phiml_port.training.SyntheticTrainer,
    }
    trainer = sides[settings.migration.trainer](
        settings,
        own if own is not None else model(settings),
        channel_plan(settings),
        train_loader=(),
        val_loader=None,
    )
    return Learner(trainer)


def loader(settings: Any, simulations: Sequence[int] | None = None) -> Any:
    """The shuffled loader that is switched on, as the trainer that is on wants it."""
    import bridge

    chosen = settings.trainer.train_sim if simulations is None else simulations
    return bridge.build_loader(settings, chosen, True)


def on_device(windows: Any) -> Any:
    """A batch on the chosen device; PhiML's loader puts its own there."""
    import torch

    return windows.to(device()) if isinstance(windows, torch.Tensor) else windows


def innermost(state: Any) -> Any:
    """A torch state `(batch, vector, x, y)` in the memory order of the port."""
    from phiml_port.models.memory import channels_last

    return channels_last(state)


def rollout_loss(settings: Any, model: Any, windows: Any) -> Any:
    """The control's loss of a torch model on windows."""
    from experiment.data import channel_plan
    from legacy.training import rollout_loss

    return rollout_loss(model, windows, channel_plan(settings).dynamic)


def control_simulator(settings: Any) -> Any:
    """The control's simulator, which makes the data of all sides."""
    from legacy.physics import SceneSimulator

    return SceneSimulator(settings)


def simulator(settings: Any) -> Any:
    """The simulator that is switched on."""
    from bridge._physics_factories import build_simulator

    return build_simulator(settings)


def physical_learner(settings: Any) -> Any:
    """The physical model with its training windows, on the side that is on."""
    from bridge._physics_factories import build_learner

    return build_learner(settings)


def parameter_gradient(learner: Any, settings: Any, start: Any) -> Callable[[], Any]:
    """The gradient of the physical loss by the unbounded parameters, by their name.

    Args:
        learner: The physical learner of the settings.
        settings: The settings of the run, with its side of the physics.
        start: The unbounded parameters at which it is taken.
    """
    if settings.migration.physics == "legacy":
        return _gradient_on_fields(learner, start)

    def call() -> Any:
        _, gradient = learner.loss_and_gradient(start)
        return {n: v.numpy(list(v.shape.names)) for n, v in gradient.items()}

    return call


def _gradient_on_fields(learner: Any, start: Any) -> Callable[[], Any]:
    import numpy as np
    import torch
    from phiml import math

    ((name, value),) = start.items()
    values = np.array(value, np.float32)

    def call() -> Any:
        native = torch.from_numpy(values).requires_grad_()
        loss = learner._loss(
            {name: math.wrap(native, math.spatial("x,y"))}, learner._windows
        )
        (gradient,) = torch.autograd.grad(loss.native(), native)
        return {name: gradient.numpy()}

    return call


def train(settings: Any) -> None:
    """The task `train`, on simulations that are there."""
    import bridge
    from experiment.run import RunFolder
    from experiment.system import Progress

    bridge.build_components(settings).train(RunFolder(settings), Progress())


def run_all(settings: Any, progress: Any) -> None:
    """All tasks of a run, as `run.py` does them."""
    import bridge
    from experiment.run import run_tasks

    run_tasks(settings, bridge.build_components(settings), progress)


def physical_training(settings: Any) -> Any:
    """The training of the physical model: `.train(run, progress)`, `.parameters`."""
    from bridge._physics_factories import build_physical_trainer

    return build_physical_trainer(settings)


def conversions() -> Any:
    """The counters of what crosses between torch and PhiML."""
    from bridge import CONVERSIONS

    return CONVERSIONS


def unproved(ladder: str) -> list[str]:
    """Why the evidence for a ladder doesn't count, a sentence each; none if it does."""
    from bridge._evidence import problems

    return problems(ladder)
