"""Hybrid trainings of both sides and of the reference, recorded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from unittest.mock import patch

import numpy as np

import legacy.assemble
from bridge.assemble import MixedParts
from bridge.ladders.cases import CaseName, run_folder
from bridge.ladders.physics_cases import ROUNDING, PhysicsCase
from bridge.ladders.reference import Epochs, hybrid_reference
from bridge.ladders.training_cases import epoch_losses
from experiment.run import build_hybrid_training
from experiment.settings import Settings, parameter_ranges
from experiment.system import Progress
from experiment.training import HybridTraining

CYCLES = 2
#: What was handed over, and to whom: `synthetic` or `physical`.
HandOvers = Sequence[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Recording:
    """A hybrid training.

    Attributes:
        handed: What was handed over, and to whom.
        curves: Losses and parameters by their names.
        epochs: Loss and samples of every batch, by epoch; the reference's alone.
    """

    handed: HandOvers
    curves: Mapping[str, np.ndarray]
    epochs: Epochs


def recorded(settings: Settings, nudge: float = 0.0) -> Recording:
    """A hybrid training of one side; its parameters begin at `1 + nudge` times theirs.

    Validation losses come last, as the reference has none.
    """
    with run_folder(settings) as (run, in_folder):
        training = build_hybrid_training(in_folder, MixedParts())
        for name, value in training.physical.unbounded.items():
            training.physical.unbounded[name] = value * (1 + nudge)
        with _watched(training) as handed:
            training.train(run, Progress())
    rows = training.synthetic.state.history
    curves = _curves(
        np.array([row["train_loss"] for row in rows]),
        np.array([row["loss"] for row in training.physical.state.history]),
        training.physical.parameters,
    )
    validation = np.array([row["val_loss"] for row in rows])
    curves["validation losses of the synthetic model (epoch)"] = validation
    return Recording(handed, curves, [])


def _curves(
    synthetic: np.ndarray, physical: np.ndarray, parameters: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    ends = {f"{n} at the end": np.atleast_1d(v) for n, v in parameters.items()}
    return {
        "losses of the synthetic model (epoch)": synthetic,
        "losses of the physical model (round)": physical,
        **ends,
    }


@contextmanager
def _watched(training: HybridTraining) -> Iterator[HandOvers]:
    """Notes what the models of a training are given."""
    handed: list[tuple[str, np.ndarray]] = []

    def noting(whom: str, augment: Callable[..., None]) -> Callable[..., None]:
        def wrapped(trajectories: np.ndarray | None, access: Any) -> None:
            if trajectories is not None:
                handed.append((whom, np.array(trajectories)))
            augment(trajectories, access)

        return wrapped

    loader, learner = training.synthetic.train_loader, training.physical.learner
    with (
        patch.object(loader, "augment", noting("synthetic", loader.augment)),
        patch.object(learner, "augment", noting("physical", learner.augment)),
    ):
        yield handed


class HybridCase(PhysicsCase):
    """Hybrid trainings of both sides, each recorded once."""

    def __init__(self, name: CaseName) -> None:
        super().__init__(name)
        hybrid = replace(
            self.settings.trainer.hybrid,
            warm_up_epochs=1,
            cycles=CYCLES,
            epochs=1,
            rounds=1,
        )
        trainer = replace(self.settings.trainer, hybrid=hybrid)
        self.settings = replace(self.settings, trainer=trainer)
        self.port_settings = replace(self.port_settings, trainer=trainer)

    @cached_property
    def control_run(self) -> Recording:
        """The control's training."""
        return recorded(self.settings)

    @cached_property
    def nudged_run(self) -> Recording:
        """The control's, from parameters that differ by rounding (A/A)."""
        return recorded(self.settings, ROUNDING)

    @cached_property
    def candidate_run(self) -> Recording:
        """The candidate's."""
        return recorded(self.port_settings)

    @cached_property
    def reference_run(self) -> Recording:
        """The reference's, over new learners of the control."""
        return self.reference([self.initial_states(cycle) for cycle in range(CYCLES)])

    def reference(self, starts: Sequence[np.ndarray]) -> Recording:
        """The reference's training from given initial states of every cycle."""
        hybrid = self.settings.trainer.hybrid
        epochs = hybrid.warm_up_epochs + hybrid.cycles * hybrid.epochs
        trainer = self.settings.trainer
        synthetic = replace(trainer.synthetic, epochs=epochs)
        settings = replace(self.settings, trainer=replace(trainer, synthetic=synthetic))
        handed, epochs, rounds, parameters = hybrid_reference(
            settings,
            legacy.assemble.build_synthetic_learner(
                settings, legacy.assemble.build_model(settings)
            ),
            legacy.assemble.build_loader(settings, trainer.train_sim, shuffle=True),
            legacy.assemble.build_physical_learner(settings),
            parameter_ranges(settings),
            starts,
        )
        curves = _curves(epoch_losses(epochs), np.array(rounds), parameters)
        return Recording(handed, curves, epochs)

    def initial_states(self, cycle: int) -> np.ndarray:
        """Initial states of a cycle `(simulation, x, y, ..., vector)`, drawn here."""
        settings = self.settings
        share = settings.trainer.hybrid.alpha * len(settings.trainer.train_sim)
        count = max(1, round(share))
        first = settings.data.num_simulations + cycle * count
        shape = (*self.equation.resolution.values(), -1)
        states = []
        for number in range(first, first + count):
            fields = self.equation.initial_state(settings.data.seed, number)
            columns = [fields[n].reshape(shape) for n in settings.data.fields]
            states.append(np.concatenate(columns, -1))
        return np.stack(states).astype(settings.general.precision)
