"""Physical learners of both sides on the same Scenes and windows."""

from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np

import legacy.assemble
import phiml_port.assemble
from bridge.ladders.cases import CANDIDATE, EXPERIMENTS, CaseName, switched
from bridge.ladders.coarse import Between, CoarseLearner
from bridge.ladders.data_cases import DataCase, windows_of
from bridge.ladders.run_cases import RunCase, limited
from experiment import training
from experiment.data import channel_plan
from experiment.equations import DiffusionForm, Equation
from experiment.settings import (
    parameter_ranges,
    physics_equation,
    without_observations,
)
from legacy.physics import PhysicalLearner, PhysicalModel

#: Forms of diffusion; the first is every experiment's own.
DIVERGENCE, LAPLACIAN = get_args(DiffusionForm)
#: Few, as an optimiser that has all but arrived follows rounding.
ITERATIONS, WINDOWS = 3, 18
#: A start times 1 and one of these differs by rounding; it shows how much an optimiser
#: makes of that (A/A).
NUDGES = tuple(n * 2.0**-52 for n in (-8, -1, 1, 8))


#: Lengths, numbers and terms that are neither the experiments' nor each other's.
CURRICULUM = CaseName(
    *("burgers", "convnet", "float64"),
    batch_norm=False,
    also=(
        *("trainer.rollout_schedule=linear", "trainer.physical.rollout_steps=3"),
        *("trainer.hybrid.trajectories=3", "trainer.hybrid.generated_frames=6"),
        *("trainer.hybrid.predicted_frames=5", "trainer.physical.regularisation=tv"),
        *("trainer.physical.regularisation_weight=0.5", "general.seed=2"),
    ),
)
#: Heat with the square of the conductivity's gradient in the loss.
SMOOTH = CaseName(
    *("heat", "convnet", "float64"),
    batch_norm=False,
    also=(
        *("trainer.physical.regularisation=l2", "trainer.physical.rollout_steps=1"),
        "trainer.physical.regularisation_weight=0.5",
    ),
)


#: The physics on half as many cells along each axis; of advection, with static fields.
COARSE = tuple(
    CaseName(e, "convnet", "float64", batch_norm=False, coarsening=2)
    for e in EXPERIMENTS
)


def case_names() -> list[CaseName]:
    """Every equation with its forms of diffusion; a curriculum; a coarse grid."""
    others = [("burgers", LAPLACIAN), ("heat", ""), ("heat", LAPLACIAN)]
    every = [*((e, "") for e in EXPERIMENTS), *others]
    return [*(_case(e, form) for e, form in every), CURRICULUM, *COARSE]


def physics_names() -> list[CaseName]:
    """Those of `case_names`, other dimensions, other parameters, incomplete data."""
    more = ("burgers_1d", "burgers_3d", "advection_modulation")
    seen = replace(_case("burgers"), observed="known")
    return [*case_names(), *map(_case, more), SMOOTH, seen]


def _case(experiment: str, diffusion: str = "") -> CaseName:
    return CaseName(
        experiment, "convnet", "float64", batch_norm=False, diffusion=diffusion
    )


class PhysicsCase:
    """Both sides' physics on Scenes of an 11 x 13 grid, in float64.

    Attributes:
        equation: The equation on the grid that physics is solved on.
    """

    def __init__(self, name: CaseName | RunCase) -> None:
        self.name = name
        # Kept, as its Scenes vanish with it.
        self._data = DataCase(name)
        base = self._data.settings
        physical = base.trainer.physical
        iterations, windows = physical.iterations, physical.windows
        physical = replace(
            physical,
            iterations=min(limited(name, iterations, ITERATIONS), ITERATIONS),
            windows=limited(name, windows, WINDOWS),
        )
        self.settings = replace(
            base,
            general=replace(base.general, mode="hybrid"),
            trainer=replace(base.trainer, physical=physical),
        )
        self.port_settings = switched(self.settings, CANDIDATE)
        self.plan = channel_plan(self.settings)
        self.equation = physics_equation(self.settings)
        ranges = parameter_ranges(self.settings)
        self.start = {n: r.start for n, r in ranges.items()}
        generator = np.random.default_rng(3)
        # Away from the guess, and not constant, so that every cell counts.
        self.parameters = {
            n: r.guess * generator.uniform(0.5, 1.5, r.guess.shape)
            for n, r in ranges.items()
        }
        self.states = training.new_states(self.settings, 0)

    @property
    def is_observed(self) -> bool:
        """Whether not all of the data was observed."""
        return self.settings != without_observations(self.settings)

    def observed_loss(self, masks: np.ndarray) -> float:
        """The loss of all windows, in NumPy, of a roll-out without masks.

        Args:
            masks: What is taken for observed, `(window, step, x, y)`.
        """
        windows = np.moveaxis(np.stack(windows_of(self._data.control())), 1, -1)
        states, dynamic = windows[:, 0], list(self.plan.dynamic)
        rolled = self.control().rollout(self.parameters, states, windows.shape[1])
        errors = np.square((rolled - windows)[..., dynamic])[:, 1:]
        pairs = zip(errors, masks, strict=True)
        return float(np.mean([error[mask].mean() for error, mask in pairs]))

    def control(
        self, equation: Equation | None = None, **options: Any
    ) -> PhysicalLearner:
        """A new learner of the control.

        Args:
            equation: Another equation than the case's.
            options: Other values in `trainer.physical`.
        """
        settings = training.physical_settings(self.settings)
        physical = replace(settings.trainer.physical, **options)
        trainer = replace(settings.trainer, physical=physical)
        settings = replace(settings, trainer=trainer)
        learner = legacy.assemble.build_physical_learner(settings)
        if equation is not None:
            # Of this project's own: what a fault would make of it.
            assert isinstance(learner, PhysicalLearner)
            learner.model = PhysicalModel(equation)
        return cast(PhysicalLearner, learner)

    def coarse_reference(self, **fault: bool) -> CoarseLearner:
        """A new learner of a coarse grid that shares no way to it with either side.

        Args:
            fault: See `Between`.
        """
        settings = training.physical_settings(self.settings)
        between = Between(self.name.coarsening, **fault)
        return CoarseLearner(settings, self.plan.dynamic, between)

    def candidate(self) -> training.PhysicalLearner:
        """A new learner of the candidate."""
        settings = training.physical_settings(self.port_settings)
        return phiml_port.assemble.build_physical_learner(settings)

    @property
    def depth(self) -> float:
        """Operations in a row of one roll-out."""
        return 8.0 * 12
