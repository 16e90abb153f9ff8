"""Builds the parts of a run: the only file that knows how the installed code does it.

Every function imports what it needs when it is called: asv runs the cases on other
commits, and a part that a commit lacks has to skip its case and no other.
"""

from typing import Any

from benchmarks.harness.machine import device


def side_model(settings: Any, side: str) -> Any:
    """The surrogate of a side in its own language, with its initial weights."""
    from bridge import assemble

    return assemble.side(side).build_model(settings)


def model(settings: Any) -> Any:
    """The surrogate that is on, in the language of the trainer that is on."""
    from bridge.assemble import MixedParts

    return MixedParts().build_model(settings)


def learner(settings: Any, surrogate: Any = None) -> Any:
    """The synthetic learner that is on.

    Args:
        settings: The settings of the run.
        surrogate: What it trains; by default a new `model`.
    """
    from bridge.assemble import MixedParts

    surrogate = model(settings) if surrogate is None else surrogate
    return MixedParts().build_synthetic_learner(settings, surrogate)


def load_checkpoint(synthetic_learner: Any, checkpoint: Any) -> None:
    """Takes over weights, moments, random states and rate of a checkpoint."""
    from experiment.training import LearnerState

    synthetic_learner.load(
        LearnerState(checkpoint.weights, checkpoint.optimiser, checkpoint.random)
    )
    synthetic_learner.learning_rate = checkpoint.state.learning_rate


def loader(settings: Any) -> Any:
    """The shuffled training windows, in the language of the trainer that is on."""
    from bridge.assemble import MixedParts

    simulations = settings.trainer.train_sim
    return MixedParts().build_loader(settings, simulations, shuffle=True)


def first_batch(settings: Any) -> Any:
    """The first batch of epoch 0, on the device."""
    import torch

    batches = loader(settings)
    batches.set_epoch(0)
    windows = next(iter(batches))
    # PhiML's loader puts its batches there itself.
    return windows.to(device()) if isinstance(windows, torch.Tensor) else windows


def trajectories(settings: Any) -> Any:
    """The training simulations `(simulation, time, x, y, ..., vector)` as stored."""
    import numpy as np

    from experiment.data import read_trajectory

    simulations = settings.trainer.train_sim
    return np.stack([read_trajectory(settings, i) for i in simulations])


def innermost(state: Any) -> Any:
    """A torch state `(batch, vector, x, y)` in the memory order of the port."""
    from phiml_port.models.memory import channels_last

    return channels_last(state)


def rollout_loss(settings: Any, surrogate: Any, windows: Any) -> Any:
    """The control's loss of a torch model on windows."""
    from experiment.data import channel_plan
    from legacy.training.loss import rollout_loss

    return rollout_loss(surrogate, windows, channel_plan(settings).dynamic)


def control_simulator(settings: Any) -> Any:
    """The control's simulator, which makes the data of all sides."""
    from bridge import assemble

    return assemble.side("legacy").build_simulator(settings)


def simulator(settings: Any) -> Any:
    """The simulator that is on."""
    from bridge.assemble import MixedParts

    return MixedParts().build_simulator(settings)


def physical_learner(settings: Any) -> Any:
    """The physical model that is on, with its training windows."""
    from bridge.assemble import MixedParts

    return MixedParts().build_physical_learner(settings)


def physical_model(equation: Any, side: str) -> Any:
    """The PDE of a side in its own language: `.step`, `.rollout`, `.parameters`."""
    if side == "legacy":
        from legacy.physics import PhysicalModel
    else:
        from phiml_port.physics import PhysicalModel
    return PhysicalModel(equation)


def eager_step(equation: Any) -> Any:
    """The control's step without compiling."""
    from experiment.settings import SIDES, load_class

    kind = load_class(f"{SIDES['legacy']}.{equation.source}", "model.physical.name")
    return kind(equation).step


def port_backend(name: str) -> Any:
    """PhiML's backend `torch` or `jax`, to be entered."""
    from phiml_port.physics.model import physics_backend

    return physics_backend(name)


def physical_training(settings: Any) -> Any:
    """The training of the physical model: `.train(run, progress)`, `.parameters`."""
    from experiment.training import PhysicalTraining, physical_rounds

    learner = physical_learner(settings)
    return PhysicalTraining(settings, learner, physical_rounds(settings))


def train(settings: Any) -> None:
    """The task `train`, on simulations that are there."""
    from bridge.assemble import build_components
    from experiment.run import RunFolder
    from experiment.system import Progress

    build_components(settings).train(RunFolder(settings), Progress())


def run_all(settings: Any, progress: Any) -> None:
    """All tasks of a run, as `run.py` does them."""
    from bridge.assemble import build_components
    from experiment.run import run_tasks

    run_tasks(settings, build_components(settings), progress)


def conversions() -> Any:
    """The counters of what crosses between torch and PhiML."""
    from bridge.convert import CONVERSIONS

    return CONVERSIONS


def unproved(ladder: str) -> list[str]:
    """Why the evidence for a ladder doesn't count, a sentence each; none if it does."""
    from bridge.harness.evidence import promotion_blockers
    from bridge.harness.project import Project

    return promotion_blockers(Project.find(), ladder)
