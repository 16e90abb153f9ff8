"""Every way in which two sides can differ is found, in a sentence that names it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.harness.bench_case import Case, Subject
from bridge.harness.bench_outcome import differences, same

WORK = {"samples": 8, "steps": 4}
ARRAYS = {"state": np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)}


def subject(
    arrays: Mapping[str, np.ndarray] = ARRAYS, work: Mapping[str, int] = WORK
) -> Subject:
    return Subject(lambda: None, lambda: arrays, work)


def built(folder: Path) -> Subject:
    return subject()


def case(tolerance: float = 1e-4) -> Case:
    sides = {"legacy": built, "phiml": built}
    return Case("planted", "none", sides, (), tolerance, references={"bare": built})


def changed(change: Callable[[np.ndarray], Any]) -> dict[str, np.ndarray]:
    copy = ARRAYS["state"].copy()
    given = change(copy)
    return {"state": copy if given is None else given}


def nan(array: np.ndarray) -> None:
    array[2, 3] = np.nan


def one_element(array: np.ndarray) -> None:
    array[1, 1] += 1e-2


FAULTS: dict[str, tuple[Subject, str]] = {
    "less work": (
        subject(work={"samples": 7, "steps": 4}),
        "phiml: samples of the work is 7, expected 8 as for legacy",
    ),
    "uncounted work": (
        subject(work={"samples": 8}),
        "phiml: steps of the work is None, expected 4",
    ),
    "missing": (subject({}), "phiml: `state` is missing"),
    "extra": (subject({**ARRAYS, "more": np.ones(2)}), "phiml: `more` is extra"),
    "transposed": (
        subject(changed(np.transpose)),
        r"phiml: `state` has the shape \(6, 4\), expected \(4, 6\)",
    ),
    "permuted": (
        subject(changed(lambda a: a[::-1].copy())),
        r"phiml: `state` is off by .* allowed 1.0e-04",
    ),
    "integers": (
        subject(changed(lambda a: a.astype(np.int32))),
        "phiml: `state` is int32, expected float32",
    ),
    "not finite": (subject(changed(nan)), "phiml: `state` has 1 values .* not finite"),
    "one element": (subject(changed(one_element)), "phiml: `state` is off by"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_planted_fault_is_one_sentence(fault: str) -> None:
    faulty, expected = FAULTS[fault]
    problems = differences(case(), {"legacy": subject(), "phiml": faulty})
    assert len(problems) == 1
    with pytest.raises(AssertionError, match=f"^planted, {expected}"):
        raise AssertionError(problems[0])


def test_equal_sides_and_rounding_are_the_same() -> None:
    rounded = subject(changed(lambda a: a * np.float32(1 + 1e-6)))
    wide = subject(changed(lambda a: a.astype(np.float64)))
    assert same(case(), {"legacy": subject(), "phiml": rounded, "bare": wide})


def test_a_tolerance_of_zero_asks_for_equal_bits() -> None:
    least = changed(lambda a: np.nextafter(a, np.float32(2)))
    assert same(case(), {"legacy": subject(), "phiml": subject(least)})
    problems = differences(case(0), {"legacy": subject(), "phiml": subject(least)})
    assert "allowed 0" in problems[0]
    minus = {"state": np.array([-0.0])}
    zero = {"legacy": subject({"state": np.array([0.0])}), "phiml": subject(minus)}
    assert not same(case(0), zero)


def test_references_are_compared_too() -> None:
    wrong = subject(changed(one_element))
    problems = differences(case(), {"legacy": subject(), "bare": wrong})
    assert problems[0].startswith("planted, bare: ")


def test_a_baseline_that_proves_nothing_is_said() -> None:
    empty = subject({"state": np.ones(0)}, {})
    problems = differences(case(), {"legacy": empty, "phiml": empty})
    assert len(problems) == 2
    assert "no work is counted" in problems[0] and "proves nothing" in problems[1]
    broken = subject(changed(nan))
    assert "legacy: `state`" in differences(case(), {"legacy": broken})[0]
    with pytest.raises(ValueError, match="expected legacy among them"):
        differences(case(), {"phiml": subject()})


def test_anything_is_infinitely_far_from_zeros() -> None:
    zeros = subject({"state": np.zeros(3)})
    tiny = subject({"state": np.full(3, 1e-30)})
    assert same(case(), {"legacy": zeros, "phiml": zeros})
    assert not same(case(), {"legacy": zeros, "phiml": tiny})
