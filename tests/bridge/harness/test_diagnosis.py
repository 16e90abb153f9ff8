"""A fault has a name only where its counterfactual explains the difference."""

import numpy as np
import pytest

from bridge.harness import diagnose, failed, named, named_exactly, passed

CONTROL = np.linspace(1, 2, 6)
WRONG = {"doubled": lambda: 2 * CONTROL, "negative": lambda: -CONTROL}


@pytest.mark.parametrize(
    ("candidate", "name"),
    [
        (2 * CONTROL, "doubled"),
        (-CONTROL * (1 + 1e-12), "negative"),
        (2.1 * CONTROL, ""),
        (CONTROL[:3] * 2, ""),
        (CONTROL * np.nan, ""),
    ],
)
def test_the_counterfactual_must_explain_all_but_a_hundredth(
    candidate: np.ndarray, name: str
) -> None:
    control = CONTROL[: len(candidate)]
    assert diagnose(candidate, control, WRONG) == name


def test_a_rough_counterfactual_may_leave_more() -> None:
    candidate = 2.1 * CONTROL
    assert diagnose(candidate, CONTROL, WRONG, rough=("doubled",)) == "doubled"


def test_only_a_failure_without_a_name_gets_one() -> None:
    candidate = 2 * CONTROL
    assert named(failed("a", "x"), candidate, CONTROL, WRONG).hint == "doubled"
    assert named(failed("a", "x", "mine"), candidate, CONTROL, WRONG).hint == "mine"
    assert named(passed("a"), candidate, CONTROL, WRONG).hint == ""


def test_an_exact_name_explains_every_bit() -> None:
    finding = failed("a", "exact")
    assert named_exactly(finding, 2 * CONTROL, WRONG).hint == "doubled"
    assert named_exactly(finding, np.nextafter(2 * CONTROL, 9), WRONG).hint == ""
    assert named_exactly(passed("a"), 2 * CONTROL, WRONG).hint == ""
