"""The entry point: whole runs of both sides, and every number that they write.

The cases are the rows of a covering array: every pair of values of the settings meets.
"""

from dataclasses import replace

import numpy as np

from bridge.harness import (
    Finding,
    Findings,
    Ladder,
    Rung,
    Verdict,
    compare,
    exact,
    failed,
)
from bridge.ladders.covering.factors import STOPPED
from bridge.ladders.entry_cases import EntryCase, EntryRuns, case_names
from bridge.ladders.entry_causes import guilty_components, on_port, setting_of
from bridge.ladders.entry_goldens import digest, goldens, sizes_of
from bridge.ladders.entry_runs import BETWEEN, NEVER
from bridge.ladders.entry_silent import counts_a_search, follows_rounding
from bridge.ladders.faults import faults_of
from bridge.ladders.run_cases import RunCase

SHARED = "the control has changed, or what both sides share"
#: What whole runs make of rounding: of 1e-15 in weights and parameters the control
#: itself makes up to 3e-10, and through the steps that Adam makes of gradients which
#: are rounding, up to 2e-9 of what is evaluated behind a batch norm. A wrong formula
#: shows as 1e-6 and more.
_ROUNDING, _CEILING = 1e-9, 1e-8
#: Numbers that a cause must explain, the first in order of execution.
_EXPLAINED = 5
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
    between = values[STOPPED] == BETWEEN
    return not (between and values["general.mode"] == "physical")


def goldens_rung(runs: EntryRuns) -> Findings:
    """The control's numbers beside those of a process without the candidate."""
    assert isinstance(runs.name, EntryCase)
    kept = goldens()[runs.name.number]
    numbers = runs.control.numbers
    follows = frozenset(n for n in numbers if follows_rounding(n, runs.silent))
    found, sizes = digest(numbers, follows), sizes_of(numbers)
    if found.keys() != kept.keys():
        which = sorted(found.keys() ^ kept.keys())
        yield failed("what the control writes", "structure", f"{which[:3]}")
    for kind, expected in kept.items():
        if kind not in found:
            continue
        actual, reference = np.array([found[kind]]), np.array([expected])
        if expected == 0:
            finding = exact(f"golden: {kind}", actual, reference)
        else:
            finding = compare(
                f"golden: {kind}",
                *(actual, reference, reference),
                factor=10,
                depth=1,
                # The sum of many may be near 0.
                scale=max(abs(expected), 0.1 * sizes[kind]),
                rounding=10 * _ROUNDING,
                ceiling=10 * _CEILING,
            )
        yield replace(finding, hint="" if _passes(finding) else SHARED)


def _passes(finding: Finding) -> bool:
    return finding.verdict is Verdict.PASSED


def run_rung(runs: EntryRuns) -> Findings:
    """Every number that a run writes, in order of execution."""
    control, candidate = runs.control, runs.candidate
    names = [list(run.numbers) for run in (candidate, control)]
    missing = [n for n in names[1] if n not in candidate.numbers]
    extra = [n for n in names[0] if n not in control.numbers]
    if missing or extra:
        hint = f"missing {missing[:3]}, extra {extra[:3]}"
        yield failed((missing + extra)[0], "structure", hint)
    findings: list[tuple[str, Finding]] = []
    for name, expected in control.numbers.items():
        if name in missing or follows_rounding(name, runs.silent):
            continue
        finding = _compared(
            name, candidate.numbers[name], expected, runs.scales.get(name)
        )
        if not _passes(finding) and counts_a_search(name) and _wavers(runs, name):
            continue
        findings.append((name, finding))
    failing = [n for n, f in findings if not _passes(f) and not f.hint]
    cause = _cause(runs, failing[:_EXPLAINED]) if failing else ""
    for name, finding in findings:
        yield replace(finding, hint=cause) if name in failing else finding


def _wavers(runs: EntryRuns, name: str) -> bool:
    """Whether the control, from a start that differs by rounding, has another too."""
    return not np.array_equal(runs.nudged.numbers[name], runs.control.numbers[name])


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
        ceiling=_CEILING,
    )


def _cause(runs: EntryRuns, names: list[str]) -> str:
    """Whose difference it is, and the setting that would explain it, else unknown."""
    alone = guilty_components(runs, names[0], _CEILING)
    if alone:
        whose = f"with the port's {' or '.join(alone)} alone"
    else:
        whose = f"of {' and '.join(on_port(runs))} together, of none alone"
    cause = setting_of(runs, names, alone or on_port(runs))
    return f"{whose}; {cause or 'cause unknown: no setting of the control gives it'}"


def _is_row(name: EntryCase | RunCase) -> bool:
    return isinstance(name, EntryCase)


LADDER = Ladder(
    "run",
    case_names(),
    EntryRuns,
    (
        Rung("E0", "what ran, and where it was stopped", parts_rung),
        Rung("G1", "the control beside its goldens", goldens_rung, _is_row),
        Rung("E1", "every number that a run writes", run_rung),
    ),
    faults=faults_of("entry"),
)
