"""Comparisons that compare: structure first, then every element."""

from typing import Any

import numpy as np
import pytest

from bridge.harness import Verdict, compare, exact, rms

ONES = np.linspace(-1, 1, 12).reshape(3, 4)


def judged(candidate: np.ndarray, control: np.ndarray, **options: Any) -> Any:
    oracle = options.pop("oracle", control.astype(float))
    return compare("leaf", candidate, control, oracle, factor=2, depth=4, **options)


def test_rounding_passes_and_a_wrong_formula_does_not() -> None:
    assert judged(ONES * (1 + 1e-15), ONES).verdict is Verdict.PASSED
    found = judged(ONES * (1 + 1e-9), ONES)
    assert found.verdict is Verdict.FAILED
    single = ONES.astype(np.float32)
    assert judged(single * np.float32(1 + 2e-7), single).verdict is Verdict.PASSED
    assert judged(single * np.float32(1 + 1e-5), single).verdict is Verdict.FAILED


def test_one_wrong_element_of_many_is_found_with_its_index() -> None:
    """The L2 error alone would dilute it by the square root of the size."""
    many = np.random.default_rng(0).standard_normal((1000, 100))
    wrong = many.copy()
    wrong[71, 23] += 1e-13
    found = judged(wrong, many)
    assert found.verdict is Verdict.FAILED
    assert found.where == "leaf[71,23]"


def test_the_ceiling_holds_whatever_the_control_does() -> None:
    single = ONES.astype(np.float32)
    found = judged(single, single, oracle=ONES * 1.01)
    assert found.verdict is Verdict.FAILED and found.rule == "ceiling of float32"


@pytest.mark.parametrize(
    ("candidate", "control", "verdict", "hint"),
    [
        (ONES[:, :1], ONES, Verdict.FAILED, "shape"),
        (ONES.astype(np.float32), ONES, Verdict.FAILED, "dtype"),
        (ONES * np.nan, ONES, Verdict.FAILED, "NaN in the candidate"),
        (ONES * np.nan, ONES * np.nan, Verdict.NOT_JUDGED, "NaN on both sides"),
        (ONES, ONES * np.inf, Verdict.NOT_JUDGED, "NaN on the control"),
        (ONES * 0, ONES * 0, Verdict.NOT_JUDGED, "zero signal"),
    ],
)
def test_structure_comes_before_values(
    candidate: np.ndarray, control: np.ndarray, verdict: Verdict, hint: str
) -> None:
    with np.errstate(all="ignore"):
        found = judged(candidate, control)
    assert found.verdict is verdict
    assert hint in found.hint


def test_exact_means_every_bit() -> None:
    assert exact("leaf", ONES, ONES.copy()).verdict is Verdict.PASSED
    assert exact("leaf", np.nextafter(ONES, 2), ONES).verdict is Verdict.FAILED
    assert exact("leaf", ONES.astype(np.float32), ONES).verdict is Verdict.FAILED
    assert exact("leaf", ONES * -0.0, ONES * 0.0).verdict is Verdict.FAILED


def test_a_control_that_differs_from_itself_is_inconclusive() -> None:
    found = judged(ONES, ONES, again=[ONES * 1.01])
    assert found.verdict is Verdict.NOT_JUDGED and "inconclusive" in found.hint


@pytest.mark.parametrize("kind", [np.bool_, np.int64, np.float16])
def test_exact_judges_any_dtype(kind: Any) -> None:
    left = np.array([0, 1, 1]).astype(kind)
    right = np.array([0, 1, 0]).astype(kind)
    assert exact("leaf", left, left.copy()).verdict is Verdict.PASSED
    finding = exact("leaf", left, right)
    assert (finding.verdict, finding.error) == (Verdict.FAILED, 1.0)


def test_exact_without_a_size() -> None:
    """What differs in NaN alone is unequal, and no size can be given."""
    finding = exact("leaf", ONES * np.nan, ONES)
    assert finding.verdict is Verdict.FAILED and finding.error == np.inf


def test_complex_numbers_are_compared_whole() -> None:
    """A wrong imaginary part alone is a difference of its size."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal(5) + 1j * rng.standard_normal(5)
    wrong = values + 1e-6j
    judged = compare("a", wrong, values, values, factor=2, depth=1)
    assert judged.verdict is Verdict.FAILED
    np.testing.assert_allclose(judged.error, 1e-6 / rms(values), rtol=1e-6)
    assert compare("a", values, values, values, factor=2, depth=1).limit < 1e-14
    assert exact("a", values, values).verdict is Verdict.PASSED
    np.testing.assert_allclose(exact("a", wrong, values).error, 1e-6, rtol=1e-6)
    narrow = values.astype(np.complex64)
    floor = compare("a", narrow, narrow, values, factor=2, depth=1).limit
    assert 1e-7 < floor < 1e-4
