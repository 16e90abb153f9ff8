"""The control's physics with a fault, by the fault's name."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import numpy as np
from phi.field import CenteredGrid, Field, stagger
from phi.physics import diffuse
from phiml import math
from phiml.math import extrapolation

from bridge.harness import Counterfactuals
from bridge.ladders import observed
from bridge.ladders.coarse import CONSTANT, EVERY_SECOND
from bridge.ladders.names import BOUNDARY
from bridge.ladders.physics_cases import DIVERGENCE, LAPLACIAN, PhysicsCase
from experiment.training import PhysicalLearner

SUBSTEPS = "diffusion substeps changed"
DT = "dt off by a factor of two in one branch"
LAPLACIAN_FOR_DIVERGENCE = "laplacian for divergence"
DIVERGENCE_FOR_LAPLACIAN = "divergence for laplacian"
MEAN = "mean for minimum at a face"
AXIS = "an axis left out"
IGNORED = "a factor ignored"
TRUNCATED = "gradient truncated between roll-out steps"
WHOLE = "whole windows in place of their first steps"
NO_REGULARISATION = "regularisation missing"
OTHER_REGULARISATION = {"l2": "tv for l2", "tv": "l2 for tv"}
_OTHER_FORM = {
    DIVERGENCE: (LAPLACIAN_FOR_DIVERGENCE, LAPLACIAN),
    LAPLACIAN: (DIVERGENCE_FOR_LAPLACIAN, DIVERGENCE),
}
State = Mapping[str, Any]


def _same(state: State) -> State:
    return state


class ChangedModel:
    """The control's physical model, with something done before and after each step."""

    def __init__(
        self,
        model: Any,
        *,
        before: Callable[[State], State] = _same,
        after: Callable[[State], State] = _same,
        parameters: Callable[[State], State] = _same,
    ) -> None:
        self._model = model
        self._before, self._after, self._parameters = before, after, parameters

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def rollout(self, state: State, parameters: State, frames: int) -> Iterator[State]:
        """All fields 1, 2, ... `frames` frames later."""
        for _ in range(frames):
            known = self._parameters(parameters)
            state = self._after(self._model.step(self._before(state), known))
            yield state


def of_observed_loss(case: PhysicsCase) -> Counterfactuals:
    """The loss of all windows with a fault of its masks; none where all was seen."""
    if not case.name.observed:
        return {}
    masks = observed.masks_of(case.settings)
    rows, cells = masks.any((2, 3), keepdims=True), observed.cells_of(case.settings)
    later = np.roll(rows, 1, 1) & cells
    wrong = {
        observed.IGNORED: np.ones_like(masks),
        observed.OTHER_AXIS: rows & observed.other_axis(cells),
        observed.SHIFTED: later,
    }
    found = {n: lambda m=m: np.array([case.observed_loss(m)]) for n, m in wrong.items()}
    share = float(cells.mean())
    return {
        **found,
        observed.OVER_ALL: lambda: np.array([case.observed_loss(masks) * share]),
    }


def of_coarse(case: PhysicsCase, take: Callable[[Any], np.ndarray]) -> Counterfactuals:
    """What `take` reads off a learner with a wrong way to its coarse grid."""
    if case.name.coarsening == 1:
        return {}
    return {
        EVERY_SECOND: lambda: take(case.coarse_reference(picked=True)),
        CONSTANT: lambda: take(case.coarse_reference(constant=True)),
    }


def variants(case: PhysicsCase) -> Iterator[tuple[str, Callable[[], PhysicalLearner]]]:
    """Learners of the control whose roll-outs have a fault."""
    equation = case.equation
    yield BOUNDARY, lambda: walled(case)
    for factor in (0.5, 2.0):
        other = replace(equation, dt=equation.dt * factor)
        yield f"{DT} (all of it, {factor:g})", lambda e=other: case.control(e)
        for name in equation.parameters:
            # The term with the parameter, or all others: what one gains in dt, the
            # parameter can take back.
            for what, scale, kind in (
                (name, factor, None),
                (f"all but {name}", 1 / factor, other),
            ):
                yield (
                    f"{DT} ({what}, {factor:g})",
                    lambda n=name, s=scale, e=kind: scaled(case.control(e), n, s),
                )
    for axis in equation.axes:
        # Where a cell is that long, nothing happens along it.
        domain = {**equation.domain, axis: 1e12}
        other = replace(equation, domain=domain)
        yield f"{AXIS} ({axis})", lambda e=other: case.control(e)
    for name in equation.parameters:
        # A parameter without a unit is a factor.
        if equation.units[name] == "1":
            yield f"{IGNORED} ({name})", lambda n=name: ignoring(case, n)
    params: Any = getattr(equation, "pde_params", None)
    form = getattr(params, "diffusion", None)
    if form is not None:
        name, other = _OTHER_FORM[form]
        changed = replace(equation, pde_params=replace(params, diffusion=other))
        yield name, lambda e=changed: case.control(e)
    if form == DIVERGENCE:
        yield MEAN, lambda: averaged(case)
    # Numbers of substeps and the like.
    for field in fields(params) if params else ():
        value = getattr(params, field.name)
        for count in range(1, 11) if type(value) is int else ():
            if count != value:
                changed = replace(params, **{field.name: count})
                other = replace(equation, pde_params=changed)
                words = field.name.replace("_", " ")
                yield f"{words} changed ({count})", lambda e=other: case.control(e)


class AveragingModel:
    """The control's physical model, with the mean of two cells at the face between."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def rollout(self, state: State, parameters: State, frames: int) -> Iterator[State]:
        """All fields 1, 2, ... `frames` frames later."""

        def mean(lower: Any, upper: Any) -> Any:
            return (lower + upper) / 2

        def with_mean(coefficient: Any, _: Any, boundary: Any) -> Any:
            return stagger(coefficient, mean, boundary)

        # Where PhiFlow's operator takes the coefficient to the faces.
        with patch.object(diffuse, "stagger", with_mean):
            later = list(self._model.rollout(state, parameters, frames))
        yield from later


def averaged(case: PhysicsCase) -> PhysicalLearner:
    """The control with the mean coefficient of both cells at a face."""
    learner: Any = case.control()
    learner.model = AveragingModel(learner.model)
    return learner


def of_terms(
    case: PhysicsCase, steps: int | None
) -> dict[str, Callable[[], PhysicalLearner]]:
    """Learners of the control whose loss has other terms.

    Args:
        case: The case.
        steps: Steps of the windows that are learned from.
    """
    wrong: dict[str, Callable[[], PhysicalLearner]] = {}
    kind = case.settings.trainer.physical.regularisation
    if steps is not None:
        wrong[WHOLE] = case.control
    if kind is not None:
        other = {"l2": "tv", "tv": "l2"}[kind]
        for name, faulty in (
            (NO_REGULARISATION, None),
            (OTHER_REGULARISATION[kind], other),
        ):
            wrong[name] = lambda k=faulty: _shortened(_regularised(case, k), steps)
    return wrong


def _shortened(learner: PhysicalLearner, steps: int | None) -> PhysicalLearner:
    learner.rollout_steps = steps
    return learner


@lru_cache(maxsize=2)
def _regularised(case: PhysicsCase, kind: str | None) -> PhysicalLearner:
    """A learner of the control; kept, as its first loss is compiled."""
    return case.control(regularisation=kind)


def walled(case: PhysicsCase) -> PhysicalLearner:
    """The control with zeros around the grid."""

    def with_boundary(kind: Any) -> Callable[[State], State]:
        def change(value: Any) -> Any:
            if not isinstance(value, Field):
                return value
            return CenteredGrid(value.values, kind, bounds=value.bounds)

        return lambda state: {name: change(value) for name, value in state.items()}

    learner: Any = case.control()
    learner.model = ChangedModel(
        learner.model,
        before=with_boundary(extrapolation.ZERO),
        after=with_boundary(extrapolation.PERIODIC),
        parameters=with_boundary(extrapolation.ZERO),
    )
    return learner


def scaled(learner: Any, name: str, factor: float) -> PhysicalLearner:
    """A learner of the control, a parameter of whose equation is scaled."""

    def scale(parameters: State) -> State:
        return {**parameters, name: parameters[name] * factor}

    learner.model = ChangedModel(learner.model, parameters=scale)
    return learner


def ignoring(case: PhysicsCase, name: str) -> PhysicalLearner:
    """The control with 1 in place of a parameter."""

    def without(parameters: State) -> State:
        return {**parameters, name: math.ones()}

    learner: Any = case.control()
    learner.model = ChangedModel(learner.model, parameters=without)
    return learner


def truncated(case: PhysicsCase) -> PhysicalLearner:
    """The control, whose gradient ends at the beginning of each step."""

    def stopped(state: State) -> State:
        return {
            name: CenteredGrid(
                math.stop_gradient(field.values),
                field.extrapolation,
                bounds=field.bounds,
            )
            for name, field in state.items()
        }

    learner: Any = case.control()
    learner.model = ChangedModel(learner.model, before=stopped)
    return learner
