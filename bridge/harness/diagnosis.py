"""Names a fault: what would the control give if it had it?

Each fault has a counterfactual, made from the control alone. Where the candidate
differs from the control and agrees with a counterfactual, the fault has a name.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np

from bridge.harness.compare import Finding, Verdict, error_of, rms

#: What the control would give with a fault, by the fault's name.
Counterfactuals = Mapping[str, Callable[[], np.ndarray]]


def diagnose(
    candidate: np.ndarray,
    control: np.ndarray,
    counterfactuals: Counterfactuals,
    rough: Collection[str] = (),
) -> str:
    """The name of the counterfactual that the candidate agrees with, or nothing.

    It must explain the difference: a hundredth of it may be left, or a half where the
    fault rounds in a way that the counterfactual can't repeat.

    Args:
        candidate: The candidate's result.
        control: The control's.
        counterfactuals: The control's with a fault, by the fault's name.
        rough: Names of faults that round in ways of their own.
    """
    scale = rms(control) or 1.0
    if not np.isfinite(candidate).all():
        return ""
    best, name = error_of(candidate, control, scale) / 100, ""
    for fault, make in counterfactuals.items():
        value = make()
        if value.shape != candidate.shape or not np.isfinite(value).all():
            continue
        left = error_of(candidate, value, scale)
        left = left / 50 if fault in rough else left
        if left < best:
            best, name = left, fault
    return name


def named(
    finding: Finding,
    candidate: np.ndarray,
    control: np.ndarray,
    counterfactuals: Counterfactuals,
    rough: Collection[str] = (),
) -> Finding:
    """A failed finding with the fault's name as its hint, if it has one."""
    if finding.verdict is not Verdict.FAILED or finding.hint:
        return finding
    return replace(finding, hint=diagnose(candidate, control, counterfactuals, rough))


def named_exactly(
    finding: Finding, candidate: np.ndarray, counterfactuals: Counterfactuals
) -> Finding:
    """The same where a counterfactual must explain every bit."""
    if finding.verdict is not Verdict.FAILED:
        return finding
    for name, make in counterfactuals.items():
        if np.array_equal(make(), candidate):
            return replace(finding, hint=name)
    return finding
