"""Compares what both sides gave, and names the cause of the first difference."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bridge.harness import (
    CEILINGS,
    Finding,
    Findings,
    Verdict,
    compare,
    error_of,
    exact,
    failed,
    not_judged,
    passed,
    rms,
)
from bridge.migration.arrays import real
from bridge.migration.causes import cause, hint_of
from bridge.migration.observing import looked
from bridge.migration.pair import Observe, Pair


@dataclass(frozen=True)
class Limits:
    """How far a candidate may be off.

    Attributes:
        factor: How much worse than the control.
        steps: How often the model is run in a row.
        overall: Whether a small array is judged on the scale of all.
    """

    factor: float
    steps: int = 1
    overall: bool = False


def judged(pair: Pair, observe: Observe, limits: Limits) -> Findings:
    """Compares all that is looked at; names the cause of the first that is off."""
    try:
        control = looked(observe, pair, pair.control)
    except Exception as error:
        yield not_judged("control", f"the control raised {_words(error)}")
        return
    candidate = looked(observe, pair, pair.candidate)
    oracle = looked(observe, pair, pair.oracle)
    again = [looked(observe, pair, pair.control, s) for s in pair.symmetries]
    lost = [n for n in control if n not in candidate]
    lost += [n for n in candidate if n not in control]
    if lost:
        hint = cause(pair, observe, candidate, oracle)[0] or (
            "missing in the candidate" if lost[0] in control else "only the candidate's"
        )
        yield failed(lost[0], "structure", hint)
        return
    floats = [real(v).ravel() for v in oracle.values() if v.dtype.kind in "fc"]
    whole = rms(np.concatenate(floats)) if floats and limits.overall else 0.0
    rounding = _rounding(control, oracle, again, whole) if limits.overall else {}
    known = False
    for name in control:
        others = [a[name] for a in again if name in a]
        finding = _one(
            name,
            candidate[name],
            control[name],
            oracle[name],
            others,
            pair,
            limits,
            whole,
            rounding.get(name.partition(" of ")[0], 0.0),
        )
        if finding.verdict is Verdict.FAILED and not finding.hint and not known:
            hint = hint_of(pair, observe, name, candidate, oracle, finding)
            finding, known = replace(finding, hint=hint), True
        yield finding


def _one(
    name: str,
    candidate: np.ndarray,
    control: np.ndarray,
    oracle: np.ndarray,
    again: list[np.ndarray],
    pair: Pair,
    limits: Limits,
    whole: float,
    rounding: float,
) -> Finding:
    if candidate.dtype.kind == "O" or control.dtype.kind == "O":
        return _absent(name, candidate, control)
    if candidate.dtype != control.dtype:
        hint = f"dtype {candidate.dtype}, control {control.dtype}"
        if candidate.dtype.itemsize > control.dtype.itemsize:
            hint += "; is a number in it no Python float, such as `np.sqrt(2)`?"
        return failed(name, "structure", hint)
    if str(real(control).dtype) not in CEILINGS:
        return exact(name, candidate, control)
    reference = real(oracle)
    small = whole > 0 and rms(reference) < 1e-6 * whole
    return compare(
        name,
        real(candidate),
        real(control),
        reference,
        factor=limits.factor,
        depth=pair.depth * limits.steps,
        scale=whole if small else None,
        again=[real(a) for a in again if a.shape == control.shape],
        rounding=rounding,
    )


def _rounding(
    control: Mapping[str, np.ndarray],
    oracle: Mapping[str, np.ndarray],
    again: list[dict[str, np.ndarray]],
    whole: float,
) -> dict[str, float]:
    """The control's largest error of each kind of quantity, over all leaves."""
    largest: dict[str, float] = {}
    for name, value in oracle.items():
        kind, of, _ = name.partition(" of ")
        scale = rms(real(value)) if value.dtype.kind in "fc" and value.size else 0.0
        if not of or not scale:
            continue
        scale = whole if scale < 1e-6 * whole else scale
        for other in (control, *again):
            if name in other and other[name].shape == value.shape:
                error = error_of(real(other[name]), real(value), scale)
                largest[kind] = max(largest.get(kind, 0.0), error)
    return largest


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _absent(name: str, candidate: np.ndarray, control: np.ndarray) -> Finding:
    if candidate.dtype.kind == control.dtype.kind:
        return passed(f"{name}: none on both sides")
    side = "candidate" if candidate.dtype.kind == "O" else "control"
    return failed(name, "structure", f"gradient missing in the {side}")
