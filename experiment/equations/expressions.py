"""Coefficients written as expressions of the position, such as `0.05 * x/size_x`.

Parsed and computed by simpleeval, which walks the syntax tree: nothing is `eval`ed.
"""

import ast
import operator
from collections.abc import Mapping

import numpy as np
from simpleeval import InvalidExpression, SimpleEval

from experiment.system import SettingsError, spelling_hint

_FUNCTIONS = {
    name: getattr(np, name)
    for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "abs")
} | {"min": np.minimum, "max": np.maximum}

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    # simpleeval's own power compares scalars; positions are arrays.
    ast.Pow: np.float_power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def evaluate_expression(
    expression: str | float, key: str, positions: Mapping[str, np.ndarray | float]
) -> np.ndarray:
    """The values of `expression` at the given positions.

    Args:
        expression: A number, or arithmetic (`+ - * / **`) over the names in
            `positions`, `pi`, and the functions sin, cos, tan, exp, log, sqrt, tanh,
            abs, min and max.
        key: The setting that holds the expression, for the message.
        positions: Values by name: cell centres `x`, `y`, ... (arrays of one shape)
            and domain sizes `size_x`, `size_y`, ...

    Returns:
        float64 array of the broadcast shape of `positions`.

    Raises:
        SettingsError: The text is no expression, uses something that is not allowed
            (nothing is computed then), or its value is not finite everywhere.
    """
    shape = np.broadcast_shapes(*(np.shape(value) for value in positions.values()))
    if not isinstance(expression, str):
        return np.full(shape, float(expression))
    names = {**positions, "pi": np.pi}
    tree = _parsed(expression, key)
    _refuse_foreign(tree, expression, key, names)
    parser = SimpleEval(operators=_OPERATORS, functions=_FUNCTIONS, names=names)
    try:
        with np.errstate(all="ignore"):
            value = parser.eval(expression, previously_parsed=tree.body)
    except (InvalidExpression, TypeError, ValueError, ArithmeticError) as error:
        raise SettingsError(
            f"`{key}`: can't compute `{expression}`: {error}"
        ) from error
    values = np.broadcast_to(np.asarray(value, dtype=float), shape).copy()
    if not np.isfinite(values).all():
        bad = np.argwhere(~np.isfinite(values))[0]
        raise SettingsError(
            f"`{key}`: `{expression}` is {values[tuple(bad)]} at cell"
            f" {tuple(int(i) for i in bad)}; expected a finite number everywhere."
        )
    return values


def _parsed(expression: str, key: str) -> ast.Expression:
    try:
        return ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SettingsError(
            f"`{key}`: `{expression}` is no arithmetic expression ({error})."
        ) from error


def _refuse_foreign(
    tree: ast.Expression, expression: str, key: str, names: Mapping[str, object]
) -> None:
    """Ends before anything is computed if a name or construct is not allowed."""
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            known = _FUNCTIONS if id(node) in called else names
            if node.id not in known:
                hint = spelling_hint(node.id, [*known])
                hint = f" ({hint[:-1]})" if hint.startswith("did") else ""
                raise SettingsError(
                    f"`{key}`: `{node.id}` in `{expression}` is not allowed{hint}."
                    " Nothing was computed. Allowed"
                    f" names: {', '.join(names)}; functions: {', '.join(_FUNCTIONS)}."
                )
        elif isinstance(node, (ast.operator, ast.unaryop)):
            if type(node) not in _OPERATORS:
                raise SettingsError(
                    f"`{key}`: `{type(node).__name__}` in `{expression}` is not"
                    " allowed; allowed: + - * / **. Nothing was computed."
                )
        elif isinstance(node, ast.expr_context):
            continue
        elif not isinstance(node, allowed) or (
            isinstance(node, ast.Constant)
            and (
                isinstance(node.value, bool) or not isinstance(node.value, (int, float))
            )
        ):
            raise SettingsError(
                f"`{key}`: `{ast.unparse(node)}` in `{expression}` is not allowed;"
                " allowed: numbers, names, + - * / ** and function calls."
                " Nothing was computed."
            )
