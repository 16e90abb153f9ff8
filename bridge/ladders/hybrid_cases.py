"""Hybrid trainings of both sides and of the reference, recorded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import legacy.assemble
from bridge.ladders.cases import CaseName, run_folder
from bridge.ladders.hybrid_reference import INTERACTION, REAL, HybridReference
from bridge.ladders.observed import masks_of, with_holes
from bridge.ladders.physics_cases import NUDGES, PhysicsCase
from bridge.ladders.reference import Epochs
from bridge.ladders.run_cases import RunCase
from bridge.ladders.started import StartedParts
from bridge.ladders.training_states import epoch_losses
from experiment.run import build_hybrid_training
from experiment.settings import Settings, parameter_ranges
from experiment.settings.schema import HybridWeights, TermWeights
from experiment.system import Progress
from experiment.training import HybridTraining

CYCLES = 2
#: The curve of each model's loss.
LOSSES = {
    "synthetic": "losses of the synthetic model (epoch)",
    "physical": "losses of the physical model (round)",
}
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


def recorded(
    settings: Settings, nudge: float = 0.0, noise_to: str | None = None
) -> Recording:
    """A hybrid training of one side.

    Validation losses come last, as the reference has none.

    Args:
        settings: The settings of the side.
        nudge: Its parameters begin at `1 + nudge` times theirs.
        noise_to: The model, `synthetic` or `physical`, that gets noise in place of what
            the other one made.
    """
    with run_folder(settings) as (run, in_folder):
        training = build_hybrid_training(in_folder, StartedParts())
        for name, value in training.physical.unbounded.items():
            training.physical.unbounded[name] = value * (1 + nudge)
        with _watched(training, noise_to) as handed:
            training.train(run, Progress())
    rows = training.synthetic.state.history
    curves = _curves(
        np.array([row["train_loss"] for row in rows]),
        np.array([row["loss"] for row in training.physical.state.history]),
        _terms([(row["real_loss"], row["interaction_loss"]) for row in rows]),
        training.physical.parameters,
    )
    validation = np.array([row["val_loss"] for row in rows])
    curves["validation losses of the synthetic model (epoch)"] = validation
    return Recording(handed, curves, [])


def _curves(
    synthetic: np.ndarray,
    physical: np.ndarray,
    terms: np.ndarray,
    parameters: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    ends = {f"{n} at the end": np.atleast_1d(v) for n, v in parameters.items()}
    return {
        LOSSES["synthetic"]: synthetic,
        LOSSES["physical"]: physical,
        "terms of the synthetic model (epoch, real and made)": terms,
        **ends,
    }


def _terms(rows: Sequence[tuple[float, float | None]]) -> np.ndarray:
    """Means over windows of each kind `(epoch, kind)`; 0 without windows."""
    return np.array([[real, made or 0.0] for real, made in rows])


def noise_like(trajectories: np.ndarray) -> np.ndarray:
    """Gaussian noise of the same shape, dtype and root mean square, always the same."""
    drawn = np.random.default_rng(6).standard_normal(trajectories.shape)
    size = np.sqrt(np.mean(np.square(trajectories)))
    return (drawn * size).astype(trajectories.dtype)


@contextmanager
def _watched(training: HybridTraining, noise_to: str | None) -> Iterator[HandOvers]:
    """Notes what the models of a training are given; one may get noise instead."""
    handed: list[tuple[str, np.ndarray]] = []

    def noting(whom: str, augment: Callable[..., None]) -> Callable[..., None]:
        def wrapped(trajectories: np.ndarray | None, access: Any) -> None:
            if trajectories is not None:
                if whom == noise_to:
                    trajectories = noise_like(trajectories)
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

    def __init__(self, name: CaseName | RunCase) -> None:
        super().__init__(name)
        hybrid = replace(
            self.settings.trainer.hybrid,
            warm_up_epochs=1,
            cycles=CYCLES,
            epochs=1,
            rounds=1,
        )
        if isinstance(name, CaseName):
            hybrid = replace(
                hybrid,
                # All different, so that no weight can be taken for another.
                weights=HybridWeights(TermWeights(0.8, 0.3), TermWeights(1.2, 0.5)),
                proportional=name.experiment == "burgers",
            )
        trainer = replace(self.settings.trainer, hybrid=hybrid)
        self.settings = replace(self.settings, trainer=trainer)
        self.port_settings = replace(self.port_settings, trainer=trainer)

    @property
    def has_reference(self) -> bool:
        """Whether the reference has all that the settings ask for."""
        trainer = self.settings.trainer
        plain = trainer.data_access == "both" and not trainer.hybrid.keep_best
        known = bool(self.name.observed) or not self.is_observed
        return plain and known

    @cached_property
    def control_run(self) -> Recording:
        """The control's training."""
        return recorded(self.settings)

    @cached_property
    def nudged_runs(self) -> list[Recording]:
        """The control's, from parameters that differ by rounding (A/A)."""
        return [recorded(self.settings, nudge) for nudge in NUDGES]

    @cached_property
    def candidate_run(self) -> Recording:
        """The candidate's."""
        return recorded(self.port_settings)

    @cached_property
    def reference_run(self) -> Recording:
        """The reference's, over new learners of the control."""
        return self.reference([self.initial_states(cycle) for cycle in range(CYCLES)])

    def noisy_run(self, side: str, taker: str) -> Recording:
        """The training of `control` or `candidate` with noise handed to a model."""
        settings = self.settings if side == "control" else self.port_settings
        return recorded(settings, noise_to=taker)

    def reference(
        self,
        starts: Sequence[np.ndarray],
        kind: type[HybridReference] = HybridReference,
        *,
        masked: bool = True,
        fault: Mapping[str, bool] | None = None,
    ) -> Recording:
        """The reference's training.

        Args:
            starts: Initial states of every cycle.
            kind: Another reference, for a counterfactual.
            masked: Whether it knows what was not observed.
            fault: Of the way to a coarse grid, see `Between`.
        """
        hybrid = self.settings.trainer.hybrid
        epochs = hybrid.warm_up_epochs + hybrid.cycles * hybrid.epochs
        synthetic = replace(self.settings.trainer.synthetic, epochs=epochs)
        trainer = replace(self.settings.trainer, synthetic=synthetic)
        settings = replace(self.settings, trainer=trainer)
        build = legacy.assemble
        loader = build.build_loader(settings, trainer.train_sim, shuffle=True)
        every = [loader.dataset[i] for i in range(len(loader.dataset))]
        windows = torch.stack(every)
        if self.name.observed and masked:
            windows = with_holes(windows.numpy(), masks_of(settings))
        reference = kind(
            StartedParts().build_model(settings),
            windows,
            settings,
            {kind: self._physical(fault or {}) for kind in (REAL, INTERACTION)},
            ranges=parameter_ranges(settings),
        )
        reference.cycles(starts)
        terms = _terms([(t[REAL], t.get(INTERACTION)) for t in reference.terms])
        losses = epoch_losses(reference.losses), np.array(reference.rounds)
        curves = _curves(*losses, terms, reference.known)
        return Recording(reference.handed, curves, reference.losses)

    def _physical(self, fault: Mapping[str, bool]) -> Any:
        if self.name.coarsening > 1:
            return self.coarse_reference(**fault)
        return self.control(regularisation=None)

    def initial_states(self, cycle: int) -> np.ndarray:
        """Initial states of a cycle `(simulation, x, y, ..., vector)`, drawn here."""
        settings = self.settings
        share = settings.trainer.hybrid.alpha * len(settings.trainer.train_sim)
        count = settings.trainer.hybrid.trajectories or max(1, round(share))
        first = settings.data.num_simulations + cycle * count
        equation, states = settings.model.physical, []
        shape = (*equation.resolution.values(), -1)
        for number in range(first, first + count):
            fields = equation.initial_state(settings.data.seed, number)
            columns = [fields[n].reshape(shape) for n in settings.data.fields]
            states.append(np.concatenate(columns, -1))
        return np.stack(states).astype(settings.general.precision)
