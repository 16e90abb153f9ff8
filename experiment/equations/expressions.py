"""Coefficients written as expressions of the position, such as `0.05 * x/size_x`.

Parsed and computed by simpleeval, which walks the syntax tree: nothing is `eval`ed.
"""

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from simpleeval import InvalidExpression, SimpleEval

from experiment.system import SettingsError, spelling_hint

_ONE = ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "abs")


def _folded(binary: Callable[..., Any]) -> Callable[..., Any]:
    """The same of any number of arguments: NumPy takes a third one as its output."""
    return lambda *values: functools.reduce(binary, values)


_FUNCTIONS = {name: getattr(np, name) for name in _ONE} | {
    "min": _folded(np.minimum),
    "max": _folded(np.maximum),
}
#: How many characters an expression may have, and operations inside each other.
_LONGEST, _DEEPEST = 20_000, 200

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
            `positions`, `pi`, and the functions sin, cos, tan, exp, log, sqrt, tanh
            and abs of one argument, min and max of two or more.
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
        return np.full(shape, _as_float(expression, str(expression), key))
    names = {**{n: _read_only(v) for n, v in positions.items()}, "pi": np.pi}
    tree = _parsed(expression, key)
    _refuse_deep(tree, expression, key)
    _refuse_foreign(tree, expression, key, names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = _as_float(node.value, expression, key)
    parser = SimpleEval(operators=_OPERATORS, functions=_FUNCTIONS, names=names)
    try:
        with np.errstate(all="ignore"):
            value = parser.eval(expression, previously_parsed=tree.body)
    except (InvalidExpression, TypeError, ValueError, ArithmeticError) as error:
        raise SettingsError(
            f"`{key}`: can't compute `{_shown(expression)}`: {error}"
        ) from error
    values = np.broadcast_to(np.asarray(value, dtype=float), shape).copy()
    if not np.isfinite(values).all():
        bad = np.argwhere(~np.isfinite(values))[0]
        raise SettingsError(
            f"`{key}`: `{_shown(expression)}` is {values[tuple(bad)]} at cell"
            f" {tuple(int(i) for i in bad)}; expected a finite number everywhere."
        )
    return values


def _read_only(value: np.ndarray | float) -> np.ndarray | float:
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def _as_float(value: Any, expression: str, key: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise SettingsError(
            f"`{key}`: `{_shown(expression)}` has a number of {len(str(value))} digits;"
            " expected numbers below 1.8e308."
        ) from error


def _shown(expression: str) -> str:
    return expression if len(expression) <= 200 else f"{expression[:197]}..."


def _parsed(expression: str, key: str) -> ast.Expression:
    if len(expression) > _LONGEST:
        raise SettingsError(
            f"`{key}`: `{_shown(expression)}` has {len(expression)} characters;"
            f" expected at most {_LONGEST}. Write it with fewer terms."
        )
    try:
        return ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "it is nested too deeply"
        raise SettingsError(
            f"`{key}`: `{_shown(expression)}` is no arithmetic expression"
            f" ({_shown(reason)})."
        ) from error


def _refuse_deep(tree: ast.Expression, expression: str, key: str) -> None:
    """Refuses what Python could not walk through, before anything walks through it."""
    level, depth = [tree.body], 0
    while level:
        depth += 1
        children = (c for n in level for c in ast.iter_child_nodes(n))
        level = [c for c in children if isinstance(c, (ast.expr, ast.keyword))]
    if depth > _DEEPEST:
        raise SettingsError(
            f"`{key}`: `{_shown(expression)}` has {depth} operations inside each other"
            f" (each term of a sum is one); expected at most {_DEEPEST}. Group its"
            " terms in parentheses, (a + b) + (c + d), or write fewer."
        )


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
                    f"`{key}`: `{node.id}` in `{_shown(expression)}` is not"
                    f" allowed{hint}. Nothing was computed. Allowed"
                    f" names: {', '.join(names)}; functions: {', '.join(_FUNCTIONS)}."
                )
        elif isinstance(node, (ast.operator, ast.unaryop)):
            if type(node) not in _OPERATORS:
                raise SettingsError(
                    f"`{key}`: `{type(node).__name__}` in `{_shown(expression)}` is"
                    " not allowed; allowed: + - * / **. Nothing was computed."
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
                f"`{key}`: `{_shown(ast.unparse(node))}` in `{_shown(expression)}` is"
                " not allowed; allowed: numbers, names, + - * / ** and function calls."
                " Nothing was computed."
            )
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _refuse_arguments(node, expression, key)


def _refuse_arguments(node: ast.Call, expression: str, key: str) -> None:
    """Refuses a call with another number of arguments, or with named ones."""
    name = ast.unparse(node.func)
    if not isinstance(node.func, ast.Name) or node.keywords:
        named = ", ".join(f"{k.arg}=" if k.arg else "**" for k in node.keywords)
        wrong = f"has the named argument {named}" if named else "is no function"
        raise SettingsError(
            f"`{key}`: `{_shown(name)}` in `{_shown(expression)}` {wrong}; expected"
            f" arguments without names of one of {', '.join(_FUNCTIONS)}. Nothing was"
            " computed."
        )
    count = len(node.args)
    if count != 1 if name in _ONE else count < 2:
        expected = "1" if name in _ONE else "2 or more"
        raise SettingsError(
            f"`{key}`: `{name}` in `{_shown(expression)}` has {count} arguments;"
            f" expected {expected}. Nothing was computed."
        )
