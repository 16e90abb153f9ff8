"""Each function of an expression, its arguments, and what it must not write to."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.equations import evaluate_expression
from experiment.system import SettingsError

#: What each function is, written anew with Python's numbers in mind.
ONE = {
    **{"sin": np.sin, "cos": np.cos, "tan": np.tan, "exp": np.exp},
    **{"tanh": np.tanh, "abs": np.absolute},
    "log": lambda v: np.log(np.abs(v) + 1),
    "sqrt": lambda v: np.sqrt(np.abs(v)),
}
TEXT = {"log": "log(abs({}) + 1)", "sqrt": "sqrt(abs({}))"}
MANY = {"min": np.minimum, "max": np.maximum}
NUMBERS = st.floats(-20, 20, allow_nan=False)


def grid() -> dict[str, np.ndarray | float]:
    x, y = np.meshgrid(np.linspace(0.5, 127, 9), np.linspace(0.5, 31, 5), indexing="ij")
    return {"x": x, "y": y, "z": x - y, "size_x": 128.0}


def frozen(positions: dict[str, np.ndarray | float]) -> dict[str, bytes | float]:
    return {
        n: v.tobytes() if isinstance(v, np.ndarray) else v for n, v in positions.items()
    }


def test_the_largest_of_three_is_the_largest_of_three() -> None:
    """max(0.1, 6.35, 6.2) is 6.35."""
    positions = {"x": np.array([127.0]), "y": np.array([31.0])}
    value = evaluate_expression("max(0.1, 0.05*x, 0.2*y)", "key", positions)
    np.testing.assert_allclose(value, [6.35], rtol=1e-15)


@pytest.mark.parametrize("name", ONE)
@given(scale=NUMBERS)
def test_functions_of_one_argument(name: str, scale: float) -> None:
    positions = grid()
    before = frozen(positions)
    inner = f"({scale!r} * x / size_x)"
    value = evaluate_expression(
        TEXT.get(name, name + "({})").format(inner), "k", grid()
    )
    wanted = ONE[name](scale * positions["x"] / 128.0)
    np.testing.assert_array_equal(value, wanted)
    evaluate_expression(f"{name}(x / size_x)", "k", positions)
    assert frozen(positions) == before


@pytest.mark.parametrize("name", MANY)
@given(arguments=st.lists(st.sampled_from(["x", "y", "z", "3.5"]), min_size=2))
def test_functions_of_many_arguments_fold_over_all(
    name: str, arguments: list[str]
) -> None:
    positions = grid()
    before = frozen(positions)
    call = f"{name}({', '.join(arguments)})"
    value = evaluate_expression(call, "key", positions)
    values = [np.asarray(positions.get(a, 3.5)) for a in arguments]
    wanted = np.broadcast_to(functools.reduce(MANY[name], values), value.shape)
    np.testing.assert_array_equal(value, wanted)
    assert frozen(positions) == before


@pytest.mark.parametrize("name", [*ONE, *MANY])
@pytest.mark.parametrize("count", [0, 2, 3])
def test_no_function_writes_to_its_arguments(name: str, count: int) -> None:
    """What NumPy would take as its output is refused, and stays what it was."""
    positions = grid()
    before = frozen(positions)
    call = f"{name}({', '.join('xyz'[:count])})"
    if name in ONE or count < 2:
        with pytest.raises(SettingsError, match=rf"`{name}` .* has {count} arguments"):
            evaluate_expression(call, "key", positions)
    else:
        evaluate_expression(call, "key", positions)
    assert frozen(positions) == before


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("sin(x, out=y)", "`out=y`|named argument out="),
        ("max(x, y, **z)", "not allowed|named argument"),
        ("max(*x, *y)", "is not allowed"),
        ("max(x)", "`max` .* has 1 arguments; expected 2 or more"),
        ("sin(x)(y)", "is no function"),
        ("1" * 400, "a number of 400 digits; expected numbers below"),
        ("x + " + "1" * 400, "a number of 400 digits"),
        ("1" * 5000, "no arithmetic expression"),
        (" + ".join(["x"] * 500), "has 500 operations inside each other.*parentheses"),
        ("-" * 3000 + "x", "inside each other|nested too deeply|no arithmetic"),
        ("(" * 3000 + "x" + ")" * 3000, "no arithmetic expression"),
        ("x + " * 6000 + "x", "has 24001 characters; expected at most 20000"),
    ],
)
def test_arguments_and_sizes_that_are_refused(expression: str, message: str) -> None:
    positions = grid()
    before = frozen(positions)
    with pytest.raises(SettingsError, match=message) as caught:
        evaluate_expression(expression, "key", positions)
    assert len(str(caught.value)) < 1000
    assert frozen(positions) == before


def test_a_number_that_no_float_holds_is_refused() -> None:
    with pytest.raises(SettingsError, match="400 digits"):
        evaluate_expression(10**399, "key", grid())


def test_a_sum_whose_terms_are_grouped_is_computed() -> None:
    groups = ["(" + " + ".join(["x"] * 50) + ")"] * 10
    value = evaluate_expression(" + ".join(groups), "key", grid())
    np.testing.assert_allclose(value, 500 * np.asarray(grid()["x"]), rtol=1e-13)
