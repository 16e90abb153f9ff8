"""Equations: one file a PDE, with all of it that needs no framework."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from experiment.equations.advection import Advection
from experiment.equations.base import AXES, DiffusionForm, Domain, Equation
from experiment.equations.burgers import Burgers
from experiment.equations.derivatives import Derivatives
from experiment.equations.expressions import evaluate_expression
from experiment.equations.heat import Heat
from experiment.equations.learnable import (
    KINDS,
    Kind,
    LearnableParameter,
    ParameterRange,
    parameter_range,
)

#: Every equation by its `model.physical.name`.
EQUATIONS: dict[str, type[Equation]] = {
    "burgers": Burgers,
    "advection": Advection,
    "heat": Heat,
}

if TYPE_CHECKING:
    AnyEquation = Equation
else:
    #: As pydantic reads `model.physical`: the equation that its name says.
    AnyEquation = Annotated[
        Union[tuple(EQUATIONS.values())],  # noqa: UP007
        Field(discriminator="name"),
    ]

__all__ = [
    "AXES",
    "EQUATIONS",
    "KINDS",
    "AnyEquation",
    "Derivatives",
    "DiffusionForm",
    "Domain",
    "Equation",
    "Kind",
    "LearnableParameter",
    "ParameterRange",
    "evaluate_expression",
    "parameter_range",
]
