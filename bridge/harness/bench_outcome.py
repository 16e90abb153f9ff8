"""Whether the sides of a case do the same work with the same outcome, in sentences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bridge.harness.bench_case import Case, Subject


@dataclass(frozen=True)
class Observed:
    """The work and the outcome of a side, recorded before it is timed."""

    work: Mapping[str, int]
    outcome: Mapping[str, np.ndarray]


def observed(subject: Subject) -> Observed:
    """The work and the outcome of a subject; call it before the first `run`."""
    return Observed(dict(subject.work), dict(subject.outcome()))


def same(case: Case, subjects: Mapping[str, Subject]) -> bool:
    """Whether `differences` finds nothing."""
    return not differences(case, subjects)


def differences(case: Case, subjects: Mapping[str, Subject]) -> list[str]:
    """Where subjects of a case differ from its baseline, a sentence each.

    Args:
        case: The case.
        subjects: Built sides and references by name, the baseline among them.

    Raises:
        ValueError: The baseline is missing, so that nothing could be compared.
    """
    if case.baseline not in subjects:
        raise ValueError(
            f"`subjects` of {case.name} are {', '.join(subjects)}; expected"
            f" {case.baseline} among them, which the others are compared with"
        )
    expected = observed(subjects[case.baseline])
    problems = unusable(case, expected)
    for name, subject in subjects.items():
        if name != case.baseline:
            problems += unlike(case, name, observed(subject), expected)
    return problems


def unusable(case: Case, expected: Observed) -> list[str]:
    """Why nothing can be compared with a baseline, a sentence each."""
    name = f"{case.name}, {case.baseline}"
    problems = []
    if not expected.work:
        problems.append(
            f"{name}: no work is counted, expected samples, steps or the like"
        )
    if not any(array.size for array in expected.outcome.values()):
        problems.append(f"{name}: the outcome has no values, so it proves nothing")
    for key, array in expected.outcome.items():
        if not np.isfinite(array).all():
            problems.append(f"{name}: `{key}` has values that are not finite")
    return problems


def unlike(case: Case, side: str, actual: Observed, expected: Observed) -> list[str]:
    """Where a side differs from the baseline, a sentence each."""
    problems = [
        f"{side}: {key} of the work is {actual.work.get(key)}, expected"
        f" {expected.work.get(key)} as for {case.baseline}"
        for key in sorted(actual.work.keys() | expected.work.keys())
        if actual.work.get(key) != expected.work.get(key)
    ]
    for key, array in expected.outcome.items():
        if key not in actual.outcome:
            problems.append(f"{side}: `{key}` is missing from the outcome")
            continue
        unequal = _unequal(actual.outcome[key], array, case.tolerance)
        problems += [f"{side}: `{key}` {problem}" for problem in unequal]
    extra = sorted(actual.outcome.keys() - expected.outcome.keys())
    problems += [f"{side}: `{key}` is extra, {case.baseline} has none" for key in extra]
    return [f"{case.name}, {sentence}" for sentence in problems]


def _unequal(
    actual: np.ndarray, expected: np.ndarray, tolerance: float
) -> Iterator[str]:
    """The first thing that differs; later differences would follow from it."""
    if actual.shape != expected.shape:
        yield f"has the shape {actual.shape}, expected {expected.shape}"
    elif actual.dtype.kind != expected.dtype.kind:
        yield (
            f"is {actual.dtype}, expected {expected.dtype} or another size of its kind"
        )
    elif not np.isfinite(actual).all():
        yield f"has {int((~np.isfinite(actual)).sum())} values that are not finite"
    elif tolerance == 0:
        if actual.dtype != expected.dtype:
            yield (
                f"is {actual.dtype}, expected {expected.dtype}: equal bits are asked"
                " for"
            )
        elif actual.tobytes() != expected.tobytes():
            far = relative_distance(actual, expected)
            yield f"is off by {far:.1e} relative L2, allowed 0"
    elif (distance := relative_distance(actual, expected)) > tolerance:
        yield f"is off by {distance:.1e} relative L2, allowed {tolerance:.1e}"


def relative_distance(actual: np.ndarray, expected: np.ndarray) -> float:
    """Relative L2 distance; of zeros, 0 if both are and infinity if not."""
    wide = expected.astype(np.float64)
    far = float(np.linalg.norm(actual.astype(np.float64) - wide))
    size = float(np.linalg.norm(wide))
    return far / size if size > 0 else (0.0 if far == 0 else float("inf"))


def worst(actual: Observed, expected: Observed) -> float:
    """The largest relative L2 distance of an array from its twin of the same name."""
    return max(
        relative_distance(actual.outcome[key], array)
        for key, array in expected.outcome.items()
    )
