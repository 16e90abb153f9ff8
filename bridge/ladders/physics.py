"""Physical models and the learning of their parameters, P1 to P4."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bridge.harness import (
    Findings,
    Ladder,
    Rung,
    compare,
    exact,
    failed,
    named,
)
from bridge.ladders import observed
from bridge.ladders.cases import CaseName
from bridge.ladders.faults import faults_of
from bridge.ladders.names import ONE_OBJECT
from bridge.ladders.physics_cases import NUDGES, PhysicsCase, physics_names
from bridge.ladders.physics_counterfactuals import (
    TRUNCATED,
    of_coarse,
    of_observed_loss,
    of_terms,
    truncated,
    variants,
)
from bridge.ladders.run_cases import RunCase
from experiment.settings import parameter_ranges
from experiment.training import Unbounded

#: Windows, steps and cells of a loss, in round numbers.
_OF_A_LOSS = 10_000


def step_rung(case: PhysicsCase) -> Findings:
    """One step from several states at once."""
    yield from _rolled(case, 2)


def rollout_rung(case: PhysicsCase) -> Findings:
    """A whole trajectory from several states at once."""
    yield from _rolled(case, case.settings.data.trajectory_length)


def _rolled(case: PhysicsCase, frames: int) -> Findings:
    control, candidate = case.control(), case.candidate()
    if control is candidate:
        yield failed("learner", "identity", ONE_OBJECT)
        return
    dynamic = list(case.plan.dynamic)
    # The change alone: what stands still would hide what moves.
    start = case.states[:, None][..., dynamic]

    def change(learner: Any) -> np.ndarray:
        rolled = learner.rollout(case.parameters, case.states, frames)
        return (rolled[..., dynamic] - start)[:, 1:]

    actual, expected = change(candidate), change(control)
    cells = max(case.equation.resolution.values())
    wrong = {name: lambda m=make: change(m()) for name, make in variants(case)}
    # Made by the reference, as the control has what both sides share.
    coarse = dict(of_coarse(case, change))
    pairs = {"": (actual, expected)}
    if case.name.coarsening > 1:
        reference = change(case.coarse_reference())
        for side, values in (("candidate", actual), ("control", expected)):
            pairs[f", {side} beside the reference"] = values, reference
    for words, (values, reference) in pairs.items():
        where = f"change after {frames - 1} steps (simulation, time, x, ..., vector)"
        finding = compare(
            where + words,
            *(values, reference, reference),
            factor=2,
            depth=case.depth,
            # Where a cell takes its value from is known to eps of the number of cells.
            size=float(np.abs(start).max() * cells * (frames - 1)),
        )
        yield named(finding, values, reference, coarse if words else coarse | wrong)


def gradient_rung(case: PhysicsCase) -> Findings:
    """Loss, and its gradient by every parameter, through every step."""
    control, candidate = case.control(), case.candidate()
    depth = case.depth * _OF_A_LOSS
    # Parameters that vary, so that their gradient counts too.
    ranges = parameter_ranges(case.settings)
    start = {n: ranges[n].unbounded(v) for n, v in case.parameters.items()}
    # Of a window whose first target was not observed, the first step is nothing.
    for steps in (None,) if case.is_observed else (None, 1):
        control.rollout_steps = candidate.rollout_steps = steps
        of = "whole windows" if steps is None else "their first step"
        actual, expected = (np.array([s.loss(start)]) for s in (candidate, control))
        finding = compare(
            f"loss of {of}", *(actual, expected, expected), factor=2, depth=depth
        )
        wrong = of_terms(case, steps)
        losses = {
            name: lambda m=make: np.array([m().loss(start)])
            for name, make in wrong.items()
        }
        take = partial(_loss, start=start, steps=steps)
        every = {**losses, **of_coarse(case, take), **of_observed_loss(case)}
        yield named(finding, actual, expected, every)
        for reference in _references(case, take):
            for side, value in (("candidate", actual), ("control", expected)):
                beside = compare(
                    f"loss of {of}, {side} beside the reference",
                    *(value, reference, reference),
                    factor=2,
                    depth=depth,
                )
                yield named(beside, value, reference, every)
        slopes = candidate.gradient(start)
        for name, reference in control.gradient(start).items():
            actual, expected = np.atleast_1d(slopes[name]), np.atleast_1d(reference)
            finding = compare(
                f"gradient by {name} of {of}",
                *(actual, expected, expected),
                factor=4,
                depth=depth,
            )
            cut = {
                fault: lambda m=make, n=name: np.atleast_1d(m().gradient(start)[n])
                for fault, make in {TRUNCATED: lambda: truncated(case), **wrong}.items()
            }
            yield named(finding, actual, expected, cut)


def _loss(learner: Any, start: Unbounded, steps: int | None) -> np.ndarray:
    """A learner's loss of the first steps of its windows, `(1,)`."""
    learner.rollout_steps = steps
    return np.array([learner.loss(start)])


def _references(
    case: PhysicsCase, take: Callable[[Any], np.ndarray]
) -> list[np.ndarray]:
    """The ladder's own loss of a coarse grid, or over what was observed, if any.

    Args:
        case: The case.
        take: Reads the loss off a learner.
    """
    if case.name.coarsening > 1:
        return [take(case.coarse_reference())]
    if case.name.observed:
        return [np.array([case.observed_loss(observed.masks_of(case.settings))])]
    return []


def optimisation_rung(case: PhysicsCase) -> Findings:
    """Where a round of L-BFGS-B ends, and how many iterations it took."""
    scale = case.control().loss(case.start)
    expected = case.control().minimise(case.start, scale)
    actual = case.candidate().minimise(case.start, scale)
    again = [
        case.control().minimise(
            {n: z * (1 + nudge) for n, z in case.start.items()}, scale
        )
        for nudge in NUDGES
    ]
    for name, values in expected.unbounded.items():
        reference = np.atleast_1d(values)
        yield compare(
            f"{name} after {expected.iterations} iterations (unbounded)",
            *(np.atleast_1d(actual.unbounded[name]), reference, reference),
            factor=10,
            depth=case.depth * _OF_A_LOSS,
            again=[np.atleast_1d(m.unbounded[name]) for m in again],
        )
    counts = [np.array([m.iterations]) for m in (actual, expected)]
    yield exact("iterations", *counts)


def _is_small(name: CaseName | RunCase) -> bool:
    return not isinstance(name, RunCase) or not name.at_own_sizes


LADDER = Ladder(
    "physics",
    physics_names(),
    PhysicsCase,
    (
        Rung("P1", "one step", step_rung),
        Rung("P2", "roll-out", rollout_rung),
        Rung("P3", "loss and gradient by parameter", gradient_rung),
        Rung("P4", "result of the optimisation", optimisation_rung, _is_small),
    ),
    faults=faults_of("physics"),
)
