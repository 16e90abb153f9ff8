"""The rungs of physics, P1 to P4, and of the hybrid training, H1 and H2."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from phi.field import CenteredGrid, Field
from phiml.math import extrapolation

from bridge.verify import _diagnosis as names
from bridge.verify._compare import Finding, Verdict, compare
from bridge.verify._diagnosis import diagnose
from bridge.verify._physics_cases import (
    ROUNDING,
    PhysicsCase,
    Recorded,
    cut,
    gradient_of_candidate,
    gradient_of_control,
)
from bridge.verify._rungs import Findings, Rung
from experiment.equations.burgers import Burgers

SUBSTEPS = "diffusion substeps changed"
DT = "dt off by a factor of two in one branch"
TRUNCATED = "gradient truncated between roll-out steps"
HANDED = "augmentation handed over in the wrong order"


def step_rung(case: PhysicsCase) -> Findings:
    """One step from several states at once."""
    yield _rolled(case, 2)


def rollout_rung(case: PhysicsCase) -> Findings:
    """A whole trajectory from several states at once."""
    yield _rolled(case, case.settings.data.trajectory_length)


def _rolled(case: PhysicsCase, frames: int) -> Finding:
    control, candidate = case.control(), case.candidate()
    if control is candidate:
        return Finding(
            Verdict.FAILED, np.inf, 0.0, "learner", "identity", names.ONE_OBJECT
        )
    arguments = (case.parameters, case.states, frames)
    dynamic = list(control._plan.dynamic)
    # The change alone: what stands still would hide what moves.
    start = case.states[:, None][..., dynamic]
    expected = control.rollout(*arguments)[..., dynamic] - start
    found = candidate.rollout(*arguments)[..., dynamic] - start
    cells = max(case.settings.model.physical.resolution.values())
    where = f"change after {frames - 1} steps (simulation, time, x, y, vector)"
    finding = compare(
        where,
        found[:, 1:],
        expected[:, 1:],
        expected[:, 1:],
        factor=2,
        depth=case.depth,
        # Where a cell takes its value from is known to eps of the number of cells.
        size=float(np.abs(start).max() * cells * (frames - 1)),
    )
    wrong = {
        name: lambda m=make: (m().rollout(*arguments)[..., dynamic] - start)[:, 1:]
        for name, make in _variants(case)
    }
    return _named(finding, found[:, 1:], expected[:, 1:], wrong)


def _variants(case: PhysicsCase) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The control with a fault, by the fault's name."""
    physical = case.settings.model.physical
    yield names.BOUNDARY, lambda: _zero_boundary(case.control())
    for factor in (0.5, 2.0):
        other = replace(physical, dt=physical.dt * factor)
        yield f"{DT} (all of it, {factor:g})", lambda p=other: case.control(p)
        if isinstance(physical, Burgers):
            yield (
                f"{DT} (advection, {factor:g})",
                lambda f=factor: _other_advection(case, f),
            )
            yield (
                f"{DT} (diffusion, {factor:g})",
                lambda f=factor: _other_diffusion(case, f),
            )
    if isinstance(physical, Burgers):
        for count in range(1, 11):
            if count == physical.pde_params.diffusion_substeps:
                continue
            params = replace(physical.pde_params, diffusion_substeps=count)
            changed = replace(physical, pde_params=params)
            yield f"{SUBSTEPS} ({count})", lambda p=changed: case.control(p)


def _zero_boundary(learner: Any) -> Any:
    move = learner._move

    def walled(value: Any) -> Any:
        if not isinstance(value, Field):
            return value
        return CenteredGrid(value.values, extrapolation.ZERO, bounds=value.bounds)

    learner._move = lambda s: {
        n: CenteredGrid(v.values, extrapolation.PERIODIC, bounds=v.bounds)
        for n, v in move({k: walled(f) for k, f in s.items()}).items()
    }
    return learner


def _other_advection(case: PhysicsCase, factor: float) -> Any:
    """dt times a factor, with the viscosity over it: only advection differs."""
    physical = case.settings.model.physical
    return _scaled(case.control(replace(physical, dt=physical.dt * factor)), 1 / factor)


def _other_diffusion(case: PhysicsCase, factor: float) -> Any:
    return _scaled(case.control(), factor)


def _scaled(learner: Any, factor: float) -> Any:
    move = learner._move
    learner._move = lambda s: move({**s, "viscosity": s["viscosity"] * factor})
    return learner


def gradient_rung(case: PhysicsCase) -> Findings:
    """Loss, and its gradient by the parameter, through every step."""
    control, candidate = case.control(), case.candidate()
    found, expected = (
        np.array([side.loss(case.start)]) for side in (candidate, control)
    )
    yield compare(
        "loss of all windows",
        found,
        expected,
        expected,
        factor=2,
        depth=case.depth * 10_000,
    )
    expected = np.atleast_1d(gradient_of_control(case, control))
    found = np.atleast_1d(gradient_of_candidate(case, candidate))
    finding = compare(
        "gradient by the parameter",
        found,
        expected,
        expected,
        factor=4,
        depth=case.depth * 10_000,
    )
    wrong = {
        TRUNCATED: lambda: np.atleast_1d(gradient_of_control(case, cut(case.control())))
    }
    yield _named(finding, found, expected, wrong)


def optimisation_rung(case: PhysicsCase) -> Findings:
    """Where a round of L-BFGS-B ends, and how many iterations it took."""
    scale = case.control().loss(case.start)
    expected = case.control().minimise(case.start, scale)
    found = case.candidate().minimise(case.start, scale)
    again = [
        case.control().minimise(
            {n: z * (1 + nudge) for n, z in case.start.items()}, scale
        )
        for nudge in (-8 * ROUNDING, -ROUNDING, ROUNDING, 8 * ROUNDING)
    ]
    for name, reference in expected.unbounded.items():
        yield compare(
            f"{name} after {expected.iterations} iterations (unbounded)",
            np.atleast_1d(found.unbounded[name]),
            np.atleast_1d(reference),
            np.atleast_1d(reference),
            factor=10,
            depth=case.depth * 10_000,
            again=[np.atleast_1d(m.unbounded[name]) for m in again],
        )
    counts = [np.array([float(m.iterations)]) for m in (found, expected)]
    yield compare("iterations", counts[0], counts[1], counts[1], factor=1, depth=1)


def handover_rung(case: PhysicsCase) -> Findings:
    """What each model hands to the other in two cycles, and in which order."""
    control, candidate = _recordings(case)
    again = Recorded(case.settings, ROUNDING)
    whom = [[who for who, _ in side.handed] for side in (candidate, control)]
    if whom[0] != whom[1]:
        yield Finding(
            Verdict.FAILED, np.inf, 0.0, "hand-overs", "exact", f"{HANDED}: {whom[0]}"
        )
        return
    for number, (who, expected) in enumerate(control.handed):
        found = candidate.handed[number][1]
        where = f"hand-over {number}, to the {who} model"
        finding = compare(
            where,
            found,
            expected,
            expected,
            factor=10,
            depth=case.depth * 10_000,
            again=[again.handed[number][1]],
        )
        other = [a for w, a in control.handed if w != who]
        if finding.verdict is Verdict.FAILED and (
            found.shape == other[0].shape
            or np.array_equal(found[::-1].shape, expected.shape)
            and np.allclose(found[::-1], expected)
        ):
            finding = replace(finding, hint=HANDED)
        yield finding


def cycles_rung(case: PhysicsCase) -> Findings:
    """Losses of both models in two cycles, and the parameters at the end."""
    control, candidate = _recordings(case)
    again = Recorded(case.settings, ROUNDING)

    def curves(side: Recorded) -> dict[str, np.ndarray]:
        keys = ("train_loss", "val_loss")
        return {
            "losses of the synthetic model (epoch, kind)": np.array(
                [[row[k] for k in keys] for row in side.synthetic]
            ),
            "losses of the physical model (round)": np.array(
                [row["loss"] for row in side.physical]
            ),
            **{
                f"{name} at the end": np.atleast_1d(value)
                for name, value in side.parameters.items()
            },
        }

    found, expected, nudged = curves(candidate), curves(control), curves(again)
    for where, reference in expected.items():
        yield compare(
            where,
            found[where],
            reference,
            reference,
            factor=10,
            depth=case.depth * 10_000,
            again=[nudged[where]],
        )


def _recordings(case: PhysicsCase) -> tuple[Recorded, Recorded]:
    return Recorded(case.settings), Recorded(case.port_settings)


def _named(
    finding: Finding,
    found: np.ndarray,
    expected: np.ndarray,
    counterfactuals: names.Counterfactuals,
) -> Finding:
    if finding.verdict is not Verdict.FAILED or finding.hint:
        return finding
    return replace(finding, hint=diagnose(found, expected, counterfactuals))


PHYSICS_RUNGS = (
    Rung("P1", "one step", step_rung),
    Rung("P2", "roll-out", rollout_rung),
    Rung("P3", "loss and gradient by parameter", gradient_rung),
    Rung("P4", "result of the optimisation", optimisation_rung),
)
HYBRID_RUNGS = (
    Rung("H1", "augmentation handed over", handover_rung),
    Rung("H2", "losses of two cycles", cycles_rung),
)
