"""Compares two arrays, and says by which rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from bridge.harness.proving import TIMES, prove_exact, prove_number

CEILINGS = {"float64": 1e-9, "float32": 1e-4, "bfloat16": 3e-2}


class Verdict(Enum):
    """How a comparison ended."""

    PASSED = "pass"
    FAILED = "FAIL"
    NOT_JUDGED = "can't be judged"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Finding:
    """The result of one comparison.

    Attributes:
        verdict: How it ended.
        error: The larger of the relative L2 error and max|a-b| / RMS(reference).
        limit: What the error may be.
        where: The leaf, layer or case, and the index of the worst element.
        rule: Which rule gave the limit.
        hint: The name of the probable fault, or what was seen.
    """

    verdict: Verdict
    error: float
    limit: float
    where: str
    rule: str
    hint: str = ""

    @property
    def margin(self) -> float:
        """Error over limit; infinite where nothing is allowed."""
        if self.limit > 0:
            return self.error / self.limit
        return float("inf") if self.error > 0 else 0.0


def passed(where: str) -> Finding:
    """Something that must be the same and is."""
    return Finding(Verdict.PASSED, 0.0, 0.0, where, "exact")


def failed(where: str, rule: str, hint: str = "") -> Finding:
    """Something that must be the same and isn't, with no size to it."""
    return Finding(Verdict.FAILED, np.inf, 0.0, where, rule, hint)


def not_judged(where: str, hint: str) -> Finding:
    """Something that nothing can be said about."""
    return Finding(Verdict.NOT_JUDGED, np.nan, np.nan, where, "structure", hint)


def error_of(value: np.ndarray, reference: np.ndarray, scale: float) -> float:
    """The larger of the relative L2 error and max|a-b| / `scale`.

    Differences are taken element by element in float64 (of complex numbers, in
    complex128) before anything is reduced.
    """
    difference = _wide(value) - _wide(reference)
    norm = scale * np.sqrt(difference.size)
    return max(
        float(np.linalg.norm(difference)) / norm,
        float(np.abs(difference).max()) / scale,
    )


def compare(
    where: str,
    candidate: np.ndarray,
    control: np.ndarray,
    oracle: np.ndarray,
    *,
    factor: float,
    depth: float,
    scale: float | None = None,
    again: Sequence[np.ndarray] = (),
    size: float = 0.0,
    computed_in: str | None = None,
    rounding: float = 0.0,
    ceiling: float | None = None,
) -> Finding:
    """Judges a candidate's array beside the control's.

    Structure comes first: shape, dtype, finiteness, signal. Then
    `err(candidate, oracle) <= max(factor * err(control, oracle), 8 eps sqrt(depth))`,
    and never above the dtype's ceiling.

    Args:
        where: What is compared.
        candidate: The candidate's result.
        control: The control's, in the same precision.
        oracle: The control's in float64.
        factor: How much worse than the control the candidate may be.
        depth: Operations in a row, for the floor.
        scale: What errors are relative to; RMS of the oracle by default.
        again: The control's results with other orders of additions (A/A), for the size
            of its own rounding.
        rounding: The control's own error in quantities like this one, where one array
            is too small a sample of it.
        size: Largest magnitude of what the arrays are differences of; such a
            difference is exact to no more than eps times that.
        computed_in: `bfloat16` where an autocast computed in less than the arrays have.
        ceiling: Another one than the dtype's, where it is known that whole runs follow
            rounding further.
    """
    unfit = _structure(where, candidate, control, oracle)
    if unfit is not None:
        return unfit
    if scale is None:
        scale = rms(oracle)
    if scale == 0:
        return not_judged(where, "zero signal")
    # Of complex numbers, that of their parts.
    eps = float(np.finfo(control.dtype).eps)
    dtype = computed_in or str(np.finfo(control.dtype).dtype)
    floors = (
        (8 * eps * float(np.sqrt(depth)), "8 eps sqrt(depth)"),
        (8 * eps * size / scale, "8 eps of the weight"),
    )
    errors = [error_of(c, oracle, scale) for c in (control, *again)]
    control_error = max(rounding, *errors)
    highest = CEILINGS[dtype] if ceiling is None else ceiling
    if again and control_error > highest:
        return not_judged(
            where, f"inconclusive: the control is {control_error:.1e} off"
        )
    limit, rule = max(*floors, (factor * control_error, f"{factor:g} x control"))
    if limit > highest:
        limit, rule = highest, f"ceiling of {dtype}"

    def decided(values: np.ndarray) -> Finding:
        error = error_of(values, oracle, scale)
        worst = np.unravel_index(
            np.abs(_wide(values) - _wide(oracle)).argmax(), control.shape
        )
        index = ",".join(str(int(i)) for i in worst)
        verdict = Verdict.PASSED if error <= limit else Verdict.FAILED
        return Finding(verdict, error, limit, f"{where}[{index}]", rule)

    finding = decided(candidate)
    if finding.verdict is Verdict.PASSED:
        step = TIMES * limit * scale
        prove_number(where, candidate, step, lambda v: _fails(decided(v)))
    return finding


def _fails(finding: Finding) -> bool:
    return finding.verdict is Verdict.FAILED


def _structure(
    where: str, candidate: np.ndarray, control: np.ndarray, oracle: np.ndarray
) -> Finding | None:
    """What forbids to compare values: shape, dtype, or what is not finite."""
    if candidate.shape != control.shape:
        hint = f"shape {candidate.shape}, control {control.shape}"
        return failed(where, "structure", hint)
    if candidate.dtype != control.dtype:
        hint = f"dtype {candidate.dtype}, control {control.dtype}"
        return failed(where, "structure", hint)
    if not np.isfinite(control).all() or not np.isfinite(oracle).all():
        sides = "both sides" if not np.isfinite(candidate).all() else "the control"
        return not_judged(where, f"NaN on {sides}")
    if not np.isfinite(candidate).all():
        return failed(where, "structure", "NaN in the candidate")
    return None


def rms(values: np.ndarray) -> float:
    """Root of the mean square (of the magnitude), in float64."""
    return float(np.sqrt(np.mean(np.square(np.abs(_wide(values))))))


def _wide(values: np.ndarray) -> np.ndarray:
    """The values in float64, or in complex128 if they are complex."""
    return values.astype(np.complex128 if np.iscomplexobj(values) else np.float64)


def exact(where: str, candidate: np.ndarray, control: np.ndarray) -> Finding:
    """Judges two arrays that must be bitwise equal (0 ULP)."""
    finding = _exactly(where, candidate, control)
    if finding.verdict is Verdict.PASSED:
        prove_exact(where, candidate, lambda v: _fails(_exactly(where, v, control)))
    return finding


def _exactly(where: str, candidate: np.ndarray, control: np.ndarray) -> Finding:
    if candidate.shape != control.shape or candidate.dtype != control.dtype:
        hint = (
            f"{candidate.shape} {candidate.dtype}, control {control.shape}"
            f" {control.dtype}"
        )
        return failed(where, "exact", hint)
    if candidate.tobytes() == control.tobytes():
        return passed(where)
    if candidate.dtype.kind not in "biufc":
        return failed(where, "exact", f"{candidate.tolist()}, not {control.tolist()}")
    with np.errstate(all="ignore"):
        difference = np.abs(_wide(candidate) - _wide(control))
    # What differs in NaN or in the sign of zero alone has no size.
    error = float(difference[np.isfinite(difference)].max(initial=0.0))
    return Finding(Verdict.FAILED, error or np.inf, 0.0, where, "exact")
