"""Parameters of the PDE that can be learned: what they are, and between which bounds.

A parameter p is optimised as an unbounded z with
`p = lower + (upper - lower) / (1 + exp(-z))`, so no step can leave the bounds.
"""

from dataclasses import dataclass

import numpy as np

from experiment._errors import SettingsError, nearest
from experiment._expressions import evaluate_expression
from experiment._grids import cell_sizes, grid_positions
from experiment._settings import Advection, Burgers, LearnableParameter, Settings

_UNITS = {"viscosity": "m^2/s", "velocity_factor": "1"}


@dataclass(frozen=True)
class ParameterRange:
    """A learnable parameter with its numbers.

    Attributes:
        name: Name of the parameter.
        unit: Its unit.
        guess: Where the optimisation begins: `(x, y, ...)`, or 0-d for a scalar.
        lower: Its lower bound.
        upper: Its upper bound, at most the scheme's stability limit.
    """

    name: str
    unit: str
    guess: np.ndarray
    lower: float
    upper: float

    def bounded(self, unbounded: np.ndarray) -> np.ndarray:
        """The parameter of an unbounded value."""
        return self.lower + (self.upper - self.lower) / (1 + np.exp(-unbounded))

    @property
    def start(self) -> np.ndarray:
        """The unbounded value of the guess."""
        share = (self.guess - self.lower) / (self.upper - self.lower)
        return np.log(share / (1 - share))


def parameter_names(physical: Burgers | Advection) -> tuple[str, ...]:
    """The parameters that a physical model has."""
    return ("viscosity",) if isinstance(physical, Burgers) else ("velocity_factor",)


def true_parameter(physical: Burgers | Advection, name: str) -> np.ndarray:
    """The parameter that the data are simulated with, float64 `(x, y, ...)` or 0-d."""
    if isinstance(physical, Burgers):
        return evaluate_expression(
            physical.pde_params.viscosity,
            f"model.physical.pde_params.{name}",
            grid_positions(physical),
        )
    return np.asarray(physical.pde_params.velocity_factor, np.float64)


def stability_limit(physical: Burgers | Advection, name: str) -> float:
    """The largest value at which the scheme is stable; infinite if any is.

    Explicit diffusion: `sum over axes of nu dt / (substeps dx^2) <= 1/2`.
    """
    if not isinstance(physical, Burgers):
        return float("inf")
    inverse = sum(1 / size**2 for size in cell_sizes(physical).values())
    return 0.5 * physical.pde_params.diffusion_substeps / (physical.dt * inverse)


def parameter_range(
    settings: Settings, parameter: LearnableParameter
) -> ParameterRange:
    """The numbers of a learnable parameter.

    Raises:
        SettingsError: The model lacks it, the bounds are empty or open, or the guess
            is not between them.
    """
    physical = settings.model.physical
    key = f"trainer.physical.learnable_parameters.{parameter.name}"
    names = parameter_names(physical)
    if parameter.name not in names:
        raise SettingsError(
            f"`trainer.physical.learnable_parameters` has `{parameter.name}`, which"
            f" {physical.name} doesn't have: {nearest(parameter.name, names)}"
        )
    lower, given = parameter.bounds
    limit = stability_limit(physical, parameter.name)
    upper = limit if given is None else min(given, limit)
    if not np.isfinite(upper) or not lower < upper:
        shown = "null" if given is None else f"{given:g}"
        known = "none" if np.isinf(limit) else f"{limit:.3g}"
        raise SettingsError(
            f"`{key}.bounds` is [{lower:g}, {shown}]; expected a lower below an upper"
            f" bound (null: the scheme's stability limit, here {known})."
        )
    positions = grid_positions(physical)
    if parameter.type == "scalar" and isinstance(parameter.initial_guess, str):
        raise SettingsError(
            f"`{key}.initial_guess` is an expression; a scalar needs a number."
        )
    guess = evaluate_expression(
        parameter.initial_guess, f"{key}.initial_guess", positions
    )
    if parameter.type == "scalar":
        guess = np.asarray(float(parameter.initial_guess))
    if guess.min() <= lower or guess.max() >= upper:
        raise SettingsError(
            f"`{key}.initial_guess` reaches from {guess.min():.3g} to {guess.max():.3g}"
            f" {_UNITS[parameter.name]}; expected a value inside the bounds, above"
            f" {lower:g} and below {upper:.3g}."
        )
    unit = _UNITS[parameter.name]
    return ParameterRange(parameter.name, unit, guess, lower, upper)


def parameter_ranges(settings: Settings) -> dict[str, ParameterRange]:
    """Every learnable parameter by name.

    Raises:
        SettingsError: One doesn't fit.
    """
    learnable = settings.trainer.physical.learnable_parameters
    return {p.name: parameter_range(settings, p) for p in learnable}


def chosen_windows(count: int, wanted: int) -> np.ndarray:
    """Numbers of the windows that the parameters are learned from, evenly spread.

    Args:
        count: Windows that there are.
        wanted: `trainer.physical.windows`; fewer are taken if there are fewer.
    """
    taken = min(count, wanted)
    return np.arange(taken) * count // taken
