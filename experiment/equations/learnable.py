"""Parameters of a PDE that can be learned: what they are, and between which bounds.

A parameter p is optimised as an unbounded z with
`p = lower + (upper - lower) / (1 + exp(-z))`, so no step can leave the bounds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any

import numpy as np
from pydantic.dataclasses import dataclass

from experiment.equations.base import Equation
from experiment.equations.expressions import evaluate_expression
from experiment.system import STRICT, Name, Number, SettingsError, one_of, spelling_hint

#: Makes a kind's initial guess of an equation; the key is for messages.
GuessOf = Callable[[Equation, str | float, str], np.ndarray]


def _number(equation: Equation, guess: str | float, key: str) -> np.ndarray:
    if isinstance(guess, str):
        raise SettingsError(f"`{key}` is an expression; a scalar needs a number.")
    return np.asarray(float(guess))


def _field(equation: Equation, guess: str | float, key: str) -> np.ndarray:
    return evaluate_expression(guess, key, equation.positions)


@plain_dataclass(frozen=True)
class Kind:
    """A kind of learnable parameter.

    Attributes:
        axes: The axes of its array, of an equation's axes.
        guess: Makes its initial guess, an array over these axes.
    """

    axes: Callable[[tuple[str, ...]], tuple[str, ...]]
    guess: GuessOf


#: Kinds of parameters by `learnable_parameters[].type`.
KINDS = {
    "scalar": Kind(lambda axes: (), _number),
    "field": Kind(lambda axes: axes, _field),
}


@dataclass(frozen=True, config=STRICT)
class LearnableParameter:
    """A parameter of the PDE that is learned from data.

    `type` is one of `KINDS`. `initial_guess` is a number, or for a field an expression
    of the position. `bounds` are lower and upper; an upper null is the scheme's
    stability limit.
    """

    name: Name
    type: Annotated[str, one_of(KINDS)]
    initial_guess: str | float
    bounds: tuple[Number, Number | None]


@plain_dataclass(frozen=True)
class ParameterRange:
    """A learnable parameter with its numbers.

    Attributes:
        name: Name of the parameter.
        unit: Its unit.
        axes: Axes of its array; none for a scalar.
        guess: Where the optimisation begins, an array over `axes`.
        lower: Its lower bound.
        upper: Its upper bound, at most the scheme's stability limit.
    """

    name: str
    unit: str
    axes: tuple[str, ...]
    guess: np.ndarray
    lower: float
    upper: float

    def bounded(self, unbounded: Any, exp: Callable[[Any], Any] = np.exp) -> Any:
        """The parameter of an unbounded value, an array or a tensor.

        Args:
            unbounded: Any number.
            exp: Its framework's exponential function.
        """
        return self.lower + (self.upper - self.lower) * (1 / (1 + exp(-unbounded)))

    def slope(self, unbounded: np.ndarray) -> np.ndarray:
        """The derivative of `bounded` by the unbounded value."""
        share = (self.bounded(unbounded) - self.lower) / (self.upper - self.lower)
        return (self.upper - self.lower) * share * (1 - share)

    def on_grid(self, values: np.ndarray, axes: Sequence[str]) -> np.ndarray:
        """Values over the parameter's own axes, with size 1 along the others of `axes`.

        So that they broadcast against fields by axis; a scalar stays 0-d.
        """
        if not self.axes:
            return values
        sizes = dict(zip(self.axes, values.shape, strict=True))
        return values.reshape([sizes.get(axis, 1) for axis in axes])

    @property
    def start(self) -> np.ndarray:
        """The unbounded value of the guess."""
        return self.unbounded(self.guess)

    def unbounded(self, values: np.ndarray) -> np.ndarray:
        """The unbounded value of the parameter's values, all inside the bounds."""
        share = (values - self.lower) / (self.upper - self.lower)
        return np.log(share / (1 - share))


def parameter_range(
    equation: Equation, parameter: LearnableParameter
) -> ParameterRange:
    """The numbers of a learnable parameter.

    Raises:
        SettingsError: The equation lacks it, the bounds are empty or open, or the
            guess is not between them.
    """
    key = f"trainer.physical.learnable_parameters.{parameter.name}"
    if parameter.name not in equation.parameters:
        raise SettingsError(
            f"`trainer.physical.learnable_parameters` has `{parameter.name}`, which"
            f" {equation.name} doesn't have:"
            f" {spelling_hint(parameter.name, equation.parameters)}"
        )
    lower, given = parameter.bounds
    limit = equation.stability_limit(parameter.name)
    upper = limit if given is None else min(given, limit)
    if not np.isfinite(upper) or not lower < upper:
        shown = "null" if given is None else f"{given:g}"
        known = "none" if np.isinf(limit) else f"{limit:.3g}"
        raise SettingsError(
            f"`{key}.bounds` is [{lower:g}, {shown}]; expected a lower below an upper"
            f" bound (null: the scheme's stability limit, here {known})."
        )
    kind, unit = KINDS[parameter.type], equation.units[parameter.name]
    guess = kind.guess(equation, parameter.initial_guess, f"{key}.initial_guess")
    if guess.min() <= lower or guess.max() >= upper:
        raise SettingsError(
            f"`{key}.initial_guess` reaches from {guess.min():.3g} to {guess.max():.3g}"
            f" {unit}; expected a value inside the bounds, above"
            f" {lower:g} and below {upper:.3g}."
        )
    axes = kind.axes(equation.axes)
    return ParameterRange(parameter.name, unit, axes, guess, lower, upper)
