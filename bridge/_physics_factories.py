"""Puts the physical and the hybrid components of a run together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bridge._factories as factories
from bridge._sources import load_source, source_of
from experiment.evaluation import Forecast, RecoveredParameter
from experiment.settings import Settings, parameter_ranges
from experiment.system import Progress
from experiment.training import Checkpoint, PHYSICAL, PHYSICAL_BEST, PHYSICAL_LAST, PhysicalLearner, load_checkpoint, physical_rounds


def implementation(settings: Settings, component: str, name: str) -> Any:
    """The class that the registry has for a component on the side that is on."""
    side = getattr(settings.migration, component)
    path = source_of(settings, component, side, name)
    return load_source(path, f"migration.{component}")


def build_simulator(settings: Settings) -> Any:
    """The physical model as the task `generate` wants it."""
    return implementation(settings, "physics", "scenes")(settings)


def build_learner(
    settings: Settings, progress: Progress | None = None
) -> PhysicalLearner:
    """The physical model with its training windows, on the side that is on.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
        SettingsError: JAX is asked for and not installed.
    """
    simulations = settings.trainer.train_sim
    if settings.migration.physics == "legacy":
        dataset: Any = factories.data.WindowDataset(settings, simulations)
    else:
        dataset = factories.port_data.PhiMLDataset(settings, simulations, progress)
    return implementation(settings, "physics", "learner")(settings, dataset)


def build_physical_trainer(
    settings: Settings, progress: Progress | None = None
) -> PhysicalTrainer:
    """The trainer of the physical model, with the learner of the side that is on."""
    learner = build_learner(settings, progress)
    return PhysicalTrainer(settings, learner, physical_rounds(settings))


def build_hybrid_trainer(settings: Settings, progress: Progress | None = None) -> Any:
    """The hybrid trainer of the side that is on, whatever the sides of its parts."""
    train, validate = factories.build_loaders(settings, progress)
    build = factories.legacy_trainer
    if settings.migration.trainer == "phiml":
        build = factories.phiml_trainer
    return implementation(settings, "hybrid", "hybrid")(
        settings,
        build(settings, train, validate),
        train,
        build_physical_trainer(settings, progress),
    )


def physical_checkpoint(settings: Settings) -> tuple[Path, Checkpoint]:
    """The checkpoint of the physical model that `evaluation.checkpoint` names.

    Raises:
        CheckpointError: It is missing, torn, or of the other model.
    """
    last = settings.evaluation.checkpoint == "last"
    path = Path(settings.general.checkpoint_dir)
    path = path / (PHYSICAL_LAST if last else PHYSICAL_BEST)
    return path, load_checkpoint(path, PHYSICAL)


def physical_forecast(settings: Settings, checkpoint: Checkpoint) -> Forecast:
    """The roll-out of the physical model with the parameters that it learned."""
    learner = build_learner(settings)

    def forecast(state: np.ndarray, steps: int) -> np.ndarray:
        states = np.moveaxis(state, 0, -1)[None]
        trajectory = learner.rollout(checkpoint.weights, states, steps + 1)[0]
        return np.moveaxis(trajectory, -1, 1)

    return forecast


def recovered_parameters(
    settings: Settings, checkpoint: Checkpoint
) -> Sequence[RecoveredParameter]:
    """What was learned, beside the truth that the data were simulated with."""
    found: Mapping[str, np.ndarray] = checkpoint.weights
    rows = []
    for name, held in parameter_ranges(settings).items():
        truth = settings.model.physical.true_parameter(name)
        guess, learned = np.asarray(held.guess), np.asarray(found[name])
        # A scalar that stands for a field is judged as the constant field that it is.
        shape = truth.shape if truth.ndim > guess.ndim else guess.shape
        rows.append(
            RecoveredParameter(
                name,
                held.unit,
                np.broadcast_to(truth, shape),
                np.broadcast_to(guess, shape),
                np.broadcast_to(learned, shape),
            )
        )
    return rows
