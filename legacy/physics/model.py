"""A physical model as the learner and the simulator use it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from phi.field import CenteredGrid, Field
from phi.geom import Box
from phiml import math
from phiml.math import EMPTY_SHAPE, Tensor, channel, extrapolation, spatial

from experiment.equations import Equation
from experiment.settings import SIDES, load_class

#: Fields, or parameters, by name: centred grids, and numbers as tensors.
Fields = Mapping[str, Any]


class PhysicalModel:
    """The PDE that the settings name, on PhiFlow's torch backend; a step is compiled.

    Its own class, `equation.source` below this side's package, is made of the equation
    alone; its `step(state, parameters)` takes all fields and parameters by name and
    returns the fields that change, one frame later.

    Args:
        equation: The settings of the equation.
    """

    def __init__(self, equation: Equation) -> None:
        math.use("torch")
        self.equation = equation
        path = f"{SIDES['legacy']}.{equation.source}"
        model = load_class(path, "model.physical.name")(equation)
        self._step = math.jit_compile(model.step)

    def step(self, state: Fields, parameters: Fields) -> Fields:
        """All fields one frame later."""
        # Taking a field apart for a compiled call costs time; a constant field that is
        # a parameter too is taken once.
        fields = {n: field for n, field in state.items() if n not in parameters}
        return {**state, **self._step(fields, parameters)}

    def rollout(
        self, state: Fields, parameters: Fields, frames: int
    ) -> Iterator[Fields]:
        """All fields 1, 2, ... `frames` frames later, each computed when asked for."""
        for _ in range(frames):
            state = self.step(state, parameters)
            yield state

    def parameters(self, known: Mapping[str, Tensor]) -> Fields:
        """All parameters of the equation: `known` ones, true values of the others."""
        others = [name for name in self.equation.parameters if name not in known]
        true = {n: self.tensor(self.equation.true_parameter(n)) for n in others}
        every = {**known, **true}
        return {n: self.grid(v) if v.shape else v for n, v in every.items()}

    def tensor(self, values: np.ndarray, axes: tuple[str, ...] | None = None) -> Tensor:
        """An array over `axes`, by default all of them, or 0-d."""
        names = self.equation.axes if axes is None else axes
        return math.tensor(values, spatial(*names[: np.ndim(values)]))

    def grid(self, values: Tensor) -> Field:
        """A periodic grid of values at cell centres, constant along axes they lack."""
        return CenteredGrid(
            math.expand(values, spatial(**self.equation.resolution)),
            extrapolation.PERIODIC,
            bounds=Box(**self.equation.domain),
        )


def vector(components: tuple[str, ...]) -> Any:
    """The dim of a field's components; a scalar field has none."""
    return channel(vector=components) if components else EMPTY_SHAPE
