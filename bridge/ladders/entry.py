"""The entry point: E1 whole runs, every number that they write; with goldens first."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bridge.harness import (
    Fault,
    Finding,
    Findings,
    Ladder,
    Rung,
    Verdict,
    compare,
    exact,
    failed,
)
from bridge.ladders.covering.factors import SIDE, STOPPED
from bridge.ladders.entry_cases import EntryCase, EntryRuns, case_names, silent_leaves
from bridge.ladders.entry_runs import NEVER
from experiment.settings import COMPONENTS

#: What a run of some epochs makes of rounding at most; a wrong formula shows as 1e-6.
#: Ten times it, the ceiling of float64, is the limit.
_ROUNDING = 1e-10
#: Of a training's columns and states: counted or computed without sums.
_EXACT = ("learning_rate", "epoch", "iteration", "position", "samples", "windows")


def parts_rung(runs: EntryRuns) -> Findings:
    """What was built is of the sides that are on; a stop was one."""
    candidate, expected = runs.candidate, runs.expected_sides
    for component, package in candidate.sides.items():
        where = f"the {component} that ran"
        if package == expected[component]:
            yield exact(where, np.array([1]), np.array([1]))
        else:
            yield failed(where, "identity", f"of {package}, not {expected[component]}")
    wanted = int(runs.row.values[STOPPED] != NEVER and _can_stop(runs))
    yield exact("stops", np.array([candidate.stops]), np.array([wanted]))


def _can_stop(runs: EntryRuns) -> bool:
    """Whether there is a place between phases in a run of the physical model alone."""
    values = runs.row.values
    between = values[STOPPED] == "between phases"
    return not (between and values["general.mode"] == "physical")


def run_rung(runs: EntryRuns) -> Findings:
    """Every number that a run writes, in order of execution."""
    control, candidate = runs.control, runs.candidate
    names = [list(run.numbers) for run in (candidate, control)]
    missing = [n for n in names[1] if n not in candidate.numbers]
    extra = [n for n in names[0] if n not in control.numbers]
    if missing or extra:
        hint = f"missing {missing[:3]}, extra {extra[:3]}"
        yield failed((missing + extra)[0], "structure", hint)
    silent = set(silent_leaves(control.numbers))
    scales = runs.scales(control.numbers)
    guilty = None
    for name, expected in control.numbers.items():
        if name in silent or name in missing:
            continue
        actual = candidate.numbers[name]
        finding = _compared(name, actual, expected, scales.get(name))
        if finding.verdict is Verdict.FAILED and not finding.hint:
            guilty = guilty or _guilty(runs, name)
            finding = replace(finding, hint=guilty)
        yield finding


def _compared(
    name: str,
    actual: np.ndarray,
    expected: np.ndarray,
    scale: float | None,
) -> Finding:
    """One array; holes, counts and words exactly."""
    is_exact = expected.dtype.kind != "f" or name.endswith(_EXACT)
    if is_exact or not expected.size or actual.shape != expected.shape:
        return exact(name, actual, expected)
    holes = ~np.isfinite(expected)
    if holes.any():
        # Where the control has no number, the candidate has none either.
        if not np.array_equal(holes, ~np.isfinite(actual)):
            return failed(name, "structure", "no number where the control has one")
        if holes.all():
            return exact(name, holes, holes)
        actual, expected = actual[~holes], expected[~holes]
    if not expected.any():
        return exact(name, actual + 0.0, expected + 0.0)
    return compare(
        name,
        *(actual, expected, expected),
        factor=10,
        depth=1,
        scale=scale,
        rounding=_ROUNDING,
    )


def _guilty(runs: EntryRuns, name: str) -> str:
    """The component of the port with which, alone, a number differs as well."""
    on = [c.name for c in COMPONENTS if runs.name.on_port(c.name)]
    alone = []
    for component in on:
        sides = {c.name: "legacy" for c in COMPONENTS} | {component: "phiml"}
        numbers = runs.run_with(sides).numbers
        expected, actual = runs.control.numbers[name], numbers.get(name)
        if actual is None or actual.shape != expected.shape:
            alone.append(component)
            continue
        scale = runs.scales(runs.control.numbers).get(name)
        finding = _compared(name, actual, expected, scale)
        if finding.verdict is not Verdict.PASSED:
            alone.append(component)
    if not alone:
        return f"of {' and '.join(on)} together, of none alone"
    return f"already with the port's {' or '.join(alone)} alone"


def _faults() -> Sequence[Fault]:
    from bridge.ladders.faults.entry import FAULTS

    return FAULTS


LADDER = Ladder(
    "run",
    case_names(),
    EntryRuns,
    (
        Rung("E0", "what ran, and where it was stopped", parts_rung),
        Rung("E1", "every number that a run writes", run_rung),
    ),
)
__all__ = ["LADDER", "SIDE", "EntryCase"]
