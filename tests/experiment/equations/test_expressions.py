"""Expressions are computed by a library, and never evaluated as Python."""

import numpy as np
import pytest

from experiment.equations import evaluate_expression
from experiment.system import SettingsError

POSITIONS = {"x": np.array([[1.0], [3.0]]), "y": np.array([[2.0, 6.0]]), "size_x": 4.0}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0.05 * (x/size_x + y)**3", lambda x, y: 0.05 * (x / 4 + y) ** 3),
        ("-x + 2", lambda x, y: 2 - x + 0 * y),
        ("sin(pi*x/size_x) * max(y, 3)", lambda x, y: np.sin(np.pi * x / 4) * [3, 6]),
        (0.25, lambda x, y: 0.25 + 0 * x * y),
        ("1e-2", lambda x, y: 0.01 + 0 * x * y),
    ],
)
def test_values(expression: str | float, expected) -> None:
    value = evaluate_expression(expression, "key", POSITIONS)
    wanted = np.broadcast_to(expected(POSITIONS["x"], POSITIONS["y"]), (2, 2))
    np.testing.assert_allclose(value, wanted, rtol=1e-15)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0.05 * z", "`z` in .* is not allowed"),
        ("sizex", r"\(did you mean `size_x`\)\. Nothing was computed"),
        ("__import__('os').system('true')", "is not allowed.*Nothing was computed"),
        ("x.__class__", "is not allowed"),
        ("[x for x in (1,)]", "is not allowed"),
        ("open('file')", "`open` in .* is not allowed"),
        ("sin", "`sin` in .* is not allowed"),
        ("x if x else y", "is not allowed"),
        ("'text'", "is not allowed"),
        ("True", "is not allowed"),
        ("x // 2", "`FloorDiv` in .* is not allowed"),
        ("x +", "no arithmetic expression"),
        ("", "no arithmetic expression"),
        ("1 / (x - 1)", "is inf at cell .*finite"),
        ("log(x - 2)", "is nan at cell .*finite"),
        ("9**9**9", "finite"),
        ("sin(x, y, x, y)", "`sin` in .* has 4 arguments; expected 1"),
    ],
)
def test_what_is_not_allowed_is_refused(expression: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        evaluate_expression(expression, "model.viscosity", POSITIONS)
    assert "`model.viscosity`" in str(caught.value)


def test_nothing_is_computed_before_all_names_are_checked() -> None:
    """A division by zero left of a foreign name is never reached."""
    with np.errstate(all="raise"), pytest.raises(SettingsError, match="`other`"):
        evaluate_expression("1 / (x - x) + other", "key", POSITIONS)
