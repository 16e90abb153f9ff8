"""Physical models and learners of both sides on the same Scenes and windows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from phi.field import CenteredGrid, Field
from phiml import math

import bridge._physics_factories as physics
from bridge.verify._cases import CaseName
from bridge.verify._data_cases import DataCase
from bridge.verify._training_cases import run_folder
from experiment.settings import Settings, parameter_ranges
from experiment.system import Progress
from experiment.training import new_states, training_settings
from legacy.physics import compiled_step

# Few, as an optimiser that has all but arrived follows rounding.
ITERATIONS, CYCLES = 3, 2
#: A start that differs by rounding shows how much an optimiser makes of that (A/A).
ROUNDING = 2.0**-52


class PhysicsCase:
    """Both sides' physics on Scenes of an 11 x 13 grid, in float64."""

    def __init__(self, name: CaseName) -> None:
        self._data = DataCase(name)
        base = self._data.settings
        training = base.trainer
        self.settings = replace(
            base,
            general=replace(base.general, mode="hybrid"),
            trainer=replace(
                training,
                physical=replace(training.physical, iterations=ITERATIONS, windows=18),
                hybrid=replace(
                    training.hybrid, warm_up_epochs=1, cycles=CYCLES, epochs=1, rounds=1
                ),
            ),
            migration=replace(base.migration, physics="legacy", hybrid="legacy"),
        )
        self.port_settings = replace(
            self.settings,
            migration=replace(
                base.migration,
                **dict.fromkeys(("model", "trainer", "data"), "phiml"),
                **dict.fromkeys(("physics", "hybrid"), "phiml"),
            ),
        )
        self.ranges = parameter_ranges(self.settings)
        self.start = {n: r.start for n, r in self.ranges.items()}
        generator = np.random.default_rng(3)
        # Away from the guess, and not constant, so that every cell counts.
        self.parameters = {
            n: r.guess * generator.uniform(0.5, 1.5, r.guess.shape)
            for n, r in self.ranges.items()
        }
        self.states = new_states(self.settings, 0)

    def control(self, physical: Any = None) -> Any:
        """The control's learner; with other settings of the equation if given."""
        learner: Any = physics.build_learner(self.settings)
        if physical is not None:
            learner._move = compiled_step(physical)
        return learner

    def candidate(self) -> Any:
        """The candidate's learner."""
        return physics.build_learner(self.port_settings)

    @property
    def depth(self) -> float:
        """Operations in a row of one roll-out."""
        return 8.0 * 12


def gradient_of_control(case: PhysicsCase, learner: Any) -> np.ndarray:
    """The gradient of the loss by the unbounded parameter."""
    (name, values), *_ = case.start.items()
    with math.precision(64):
        native = torch.from_numpy(np.array(values)).requires_grad_()
        dims = (
            [math.spatial(*case.settings.model.physical.domain)] if values.ndim else []
        )
        loss = learner._loss({name: math.wrap(native, *dims)}, learner._windows)
        (gradient,) = torch.autograd.grad(loss.native(), native)
    return gradient.numpy()


def gradient_of_candidate(case: PhysicsCase, learner: Any) -> np.ndarray:
    """The same of the candidate, by its own way."""
    _, gradient = learner.loss_and_gradient(case.start)
    (found,) = gradient.values()
    with math.precision(64):
        order = tuple(case.settings.model.physical.domain) if found.shape else ()
        return found.numpy(order)


def cut(learner: Any) -> Any:
    """The control, whose gradient ends at the beginning of each step."""
    move: Callable[[dict[str, Any]], dict[str, Any]] = learner._move
    fields = learner._plan.fields

    def stopped(value: Any) -> Any:
        if not isinstance(value, Field):
            return value
        inner: Any = math.stop_gradient(value.values)
        return CenteredGrid(inner, value.extrapolation, bounds=value.bounds)

    learner._move = lambda s: move(
        {n: stopped(v) if n in fields else v for n, v in s.items()}
    )
    return learner


class Recorded:
    """A hybrid training, and what was handed over on the way."""

    def __init__(self, settings: Settings, nudge: float = 0.0) -> None:
        self.handed: list[tuple[str, np.ndarray]] = []
        with run_folder(settings) as (run, own):
            torch.manual_seed(own.general.seed)
            trainer = physics.build_hybrid_trainer(training_settings(own))
            for name, value in trainer.physical.unbounded.items():
                trainer.physical.unbounded[name] = value * (1 + nudge)
            with self._watching(trainer):
                trainer.train(run, Progress())
            self.synthetic = trainer.synthetic._log.state.history
            self.physical = trainer.physical.state.history
            self.parameters = trainer.physical.parameters

    @contextmanager
    def _watching(self, trainer: Any) -> Iterator[None]:
        def noting(who: str, augment: Any) -> Any:
            def wrapped(trajectories: Any, access: Any) -> None:
                if trajectories is not None:
                    self.handed.append((who, np.array(trajectories)))
                augment(trajectories, access)

            return wrapped

        loader, learner = trainer._loader, trainer.physical.learner
        with (
            patch.object(loader, "augment", noting("synthetic", loader.augment)),
            patch.object(learner, "augment", noting("physical", learner.augment)),
        ):
            yield
