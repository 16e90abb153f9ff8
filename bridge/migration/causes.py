"""Names why a candidate is off: what would the control give with this fault?"""

import time
from collections.abc import Mapping

import numpy as np

from bridge.harness import Finding, error_of, rms
from bridge.migration.arrays import real
from bridge.migration.observing import looked
from bridge.migration.pair import Observe, Pair

#: What of a difference a cause may leave unexplained.
_LEFT = 1 / 100
#: Seconds until no further cause is tried.
BUDGET = 60.0


def cause(
    pair: Pair,
    observe: Observe,
    candidate: Mapping[str, np.ndarray],
    oracle: Mapping[str, np.ndarray],
) -> tuple[str, int]:
    """The faults that give the control the candidate's numbers, all of them.

    A fault must explain everything that is looked at, not one array. Where several do,
    all are named.

    Args:
        pair: The pair.
        observe: What is looked at.
        candidate: All that was seen of the candidate.
        oracle: The same of the oracle.

    Returns:
        The names, or nothing, and how many were tried.
    """
    from bridge.migration.defects import catalogue

    base, seen = floats(oracle), floats(candidate)
    asked = min(_distance(seen, base, base), 1e6)
    found: list[tuple[float, str]] = []
    tried, end = 0, time.monotonic() + BUDGET
    for defect in catalogue(pair):
        if time.monotonic() > end:
            break
        try:
            altered = pair.altered(defect)
            made = floats(looked(observe, pair, altered))
        except Exception:
            # A fault that the control can't have explains nothing.
            continue
        tried += 1
        left = _distance(seen, made, base)
        if left < asked * _LEFT:
            found.append((left, defect.name))
    if not found:
        return "", tried
    best = min(found)[0]
    names = [n for left, n in sorted(found) if left <= max(10 * best, 1e-12)]
    return " or ".join(names[:3]), tried


def hint_of(
    pair: Pair,
    observe: Observe,
    name: str,
    candidate: Mapping[str, np.ndarray],
    oracle: Mapping[str, np.ndarray],
    finding: Finding,
) -> str:
    """The cause of a difference; where none is found, what was ruled out.

    Args:
        pair: The pair.
        observe: What is looked at.
        name: The first array that is off.
        candidate: All that was seen of the candidate.
        oracle: The same of the oracle.
        finding: How it was judged.
    """
    actual, reference = candidate[name], oracle[name]
    if actual.shape != reference.shape:
        return f"shape {actual.shape}, control {reference.shape}"
    if not np.isfinite(real(actual)).all():
        return "not finite in the candidate"
    found, tried = cause(pair, observe, candidate, oracle)
    if found:
        return found
    return f"unknown; {tried} causes ruled out{_size(finding, actual, reference)}"


def floats(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those that are real or complex, complex ones as real."""
    return {n: real(v) for n, v in values.items() if v.dtype.kind in "fc"}


def _distance(
    seen: Mapping[str, np.ndarray],
    made: Mapping[str, np.ndarray],
    base: Mapping[str, np.ndarray],
) -> float:
    """The largest difference of any array, each beside its own size."""
    if seen.keys() != made.keys():
        return np.inf
    worst = 0.0
    for name, value in seen.items():
        other = made[name]
        if other.shape != value.shape or not np.isfinite(other).all():
            return np.inf
        if value.size:
            scale = rms(base[name]) if name in base else rms(value)
            worst = max(worst, error_of(value, other, scale or 1.0))
    return worst


def _size(finding: Finding, candidate: np.ndarray, oracle: np.ndarray) -> str:
    """What the size of the difference may mean."""
    left, right = real(candidate).ravel(), real(oracle).ravel()
    norm = float(right @ right)
    if norm > 0:
        factor = float(left @ right) / norm
        rest = error_of(left, factor * right, rms(right))
        if abs(factor - 1) > 1e-12 and rest < 1e-3 * abs(factor - 1):
            return f"; it is {factor:.6g} times the control"
    for size, what in ((1e-2, "a bfloat16 cast"), (1e-3, "a float16 cast")):
        if size / 3 < finding.error < 3 * size:
            return f"; about {finding.error:.0e} relative: {what}?"
    if 1e-8 < finding.error < 1e-6:
        return f"; about {finding.error:.0e} relative: a float32 cast?"
    return ""
