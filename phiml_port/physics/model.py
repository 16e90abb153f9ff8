"""A physical model as the learner and the simulator use it."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from phiml import math
from phiml.backend import Backend
from phiml.math import EMPTY_SHAPE, Tensor, channel, spatial

from experiment.equations import Equation
from experiment.settings import SIDES, load_class

#: Fields, or parameters, by name: `(batch..., x, y, ...)`, or a number; the components
#: of vector fields are labelled with the axes.
Fields = Mapping[str, Any]


class PhysicalModel:
    """The PDE that the settings name; some frames of a roll-out are compiled as one.

    Its own class, `equation.source` below this side's package, is made of the equation
    alone; its `step(state, parameters)` takes all fields and parameters by name and
    returns the fields that change, one frame later.

    Args:
        equation: The settings of the equation.
    """

    def __init__(self, equation: Equation) -> None:
        self.equation = equation
        path = f"{SIDES['phiml']}.{equation.source}"
        self._model = load_class(path, "model.physical.name")(equation)
        self._compiled = math.jit_compile(self._several, auxiliary_args="steps")

    def step(self, state: Fields, parameters: Fields) -> Fields:
        """All fields one frame later."""
        return {**state, **self._model.step(state, parameters)}

    def rollout(
        self, state: Fields, parameters: Fields, frames: int, *, chunk: int
    ) -> Iterator[Fields]:
        """All fields 1, 2, ... `frames` frames later.

        Args:
            state: All fields at frame 0.
            parameters: All parameters.
            frames: How many.
            chunk: Frames that a compiled call computes. Those beyond the last frame are
                thrown away, so that one length is compiled once.
        """
        for first in range(0, frames, chunk):
            later = self._compiled(state, parameters, steps=chunk)
            yield from later[: frames - first]
            state = later[-1]

    def _several(self, state: Fields, parameters: Fields, steps: int) -> list[Fields]:
        every = []
        for _ in range(steps):
            state = self.step(state, parameters)
            every.append(state)
        return every

    def parameters(self, known: Fields) -> Fields:
        """All parameters of the equation: `known` ones, true values of the others."""
        others = [name for name in self.equation.parameters if name not in known]
        true = {n: self.tensor(self.equation.true_parameter(n)) for n in others}
        return {**known, **true}

    def tensor(self, values: np.ndarray, axes: tuple[str, ...] | None = None) -> Tensor:
        """An array over `axes`, by default all of them, or 0-d."""
        names = self.equation.axes if axes is None else axes
        return math.tensor(values, spatial(*names[: np.ndim(values)]))


def vector(components: tuple[str, ...]) -> Any:
    """The dim of a field's components; a scalar field has none."""
    return channel(vector=components) if components else EMPTY_SHAPE


def physics_backend(name: str) -> Backend:
    """PhiML's backend `torch` or `jax`, imported when it is needed."""
    return getattr(import_module(f"phiml.backend.{name}"), name.upper())
