"""A physical model as the trainers and the task `generate` use it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from phiml import math
from phiml.backend import Backend
from phiml.math import Tensor, batch, channel, spatial

from experiment.data import ChannelPlan
from experiment.equations import Equation
from experiment.equations.burgers import Burgers
from experiment.system import SettingsError
from phiml_port.physics.advection import AdvectionModel
from phiml_port.physics.burgers import BurgersModel

#: Fields by name: `(batch..., x, y, ...)`, vector fields labelled with the axes.
Fields = Mapping[str, Any]


class PhysicalModel:
    """Moves all fields of a state one frame on.

    Args:
        physical: The settings of the equation.
    """

    def __init__(self, physical: Equation) -> None:
        self.physical = physical
        cells = physical.cell_sizes
        if isinstance(physical, Burgers):
            self.parameter = "viscosity"
            self._burgers = BurgersModel(
                dt=physical.dt,
                diffusion_substeps=physical.pde_params.diffusion_substeps,
                cells=cells,
            )
        else:
            self.parameter = "velocity_factor"
            self._advection = AdvectionModel(dt=physical.dt, cells=cells)

    def step(self, state: Fields, parameters: Mapping[str, Tensor]) -> dict[str, Any]:
        """The state one frame later; what never changes is passed on."""
        value = parameters[self.parameter]
        if self.parameter == "viscosity":
            moved = {"velocity": self._burgers.step(state["velocity"], value)}
        else:
            moved = {
                "density": self._advection.step(
                    state["density"], state["velocity"], value
                )
            }
        return {**state, **moved}

    def known_parameter(self) -> Tensor:
        """The equation's parameter as the settings have it."""
        return self.tensor(self.physical.true_parameter(self.parameter))

    def tensor(self, values: np.ndarray) -> Tensor:
        """A parameter `(x, y, ...)` or 0-d as a tensor of the current backend."""
        dims = [spatial(*self.physical.domain)] if np.ndim(values) else []
        result: Any = math.tensor(np.asarray(values), *dims)
        return result


def split(windows: Any, plan: ChannelPlan) -> dict[str, Any]:
    """Fields by name from `(..., vector)` with all channels."""
    fields, first = {}, 0
    for name, components in plan.fields.items():
        last = first + max(len(components), 1)
        if components:
            part = windows.vector[first:last]
            fields[name] = math.rename_dims(part, "vector", channel(vector=components))
        else:
            fields[name] = windows.vector[first]
        first = last
    return fields


def joined(fields: Fields, plan: ChannelPlan, axes: tuple[str, ...]) -> list[Any]:
    """Arrays `(batch, x, y, ..., vector)` of every field, in the order of channels."""
    arrays = []
    for name, components in plan.fields.items():
        order = ["batch", *axes, *(["vector"] if components else [])]
        array = fields[name].numpy(order)
        arrays.append(array if components else array[..., None])
    return arrays


def named_states(states: np.ndarray, plan: ChannelPlan, axes: tuple[str, ...]) -> Any:
    """`(simulation, x, y, ..., vector)` with its dims, on the current backend."""
    return math.tensor(
        states, batch("batch"), spatial(*axes), channel(vector=plan.names)
    )


def physics_backend(name: str) -> Backend:
    """PhiML's backend `torch` or `jax`.

    Raises:
        SettingsError: JAX is asked for and not installed.
    """
    if name == "torch":
        from phiml.backend.torch import TORCH

        return TORCH
    try:
        from phiml.backend.jax import JAX
    except ImportError as error:
        raise SettingsError(
            "`migration.phiml_backend` is jax, but JAX is not installed; install it"
            " with `pip install -e '.[jax]'`, or use torch."
        ) from error
    return JAX
