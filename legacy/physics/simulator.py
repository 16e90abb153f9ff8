"""Simulates trajectories and writes them as PhiFlow scenes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from phi.field import CenteredGrid, Field, Scene
from phi.geom import Box
from phiml import math
from phiml.math import channel, extrapolation, spatial

from experiment.data import Simulator, scene_description
from experiment.equations import Equation
from experiment.equations.advection import Advection
from experiment.equations.burgers import Burgers
from experiment.settings import Settings, precision_bits
from experiment.system import SceneError
from legacy.physics.advection import AdvectionModel
from legacy.physics.burgers import BurgersModel

#: A component that grows beyond this times its initial maximum has diverged.
_GROWTH = 10
Step = Callable[[dict[str, Any]], dict[str, Field]]


class SceneSimulator(Simulator):
    """Runs a physical model on PhiFlow's torch backend, one compiled step at a time.

    Args:
        settings: The settings of the run.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._precision = precision_bits(settings.data.precision)
        self._initial: dict[str, float] = {}
        math.use("torch")
        self._step = compiled_step(settings.model.physical)

    def __reduce__(self) -> tuple[type["SceneSimulator"], tuple[Settings]]:
        # A compiled step can't be pickled; the other process compiles its own.
        return SceneSimulator, (self._settings,)

    def simulate(
        self, simulation: int, parent: Path, on_frame: Callable[[int], None]
    ) -> Path:
        """See `Simulator.simulate`."""
        settings = self._settings
        physical = settings.model.physical
        with math.precision(self._precision):
            arrays = physical.initial_state(settings.data.seed, simulation)
            state: dict[str, Any] = {
                name: centred_grid(values, physical) for name, values in arrays.items()
            }
            if isinstance(physical, Advection):
                # Of a Python number, PhiML's torch backend keeps 32 bits only.
                factor = np.asarray(physical.pde_params.velocity_factor, np.float64)
                state["velocity_factor"] = math.tensor(factor)
            scene = Scene.create(str(parent), copy_calling_script=False)
            for frame in range(settings.data.trajectory_length):
                if frame:
                    state = {**state, **self._step(state)}
                self._write(scene, state, simulation, frame)
                on_frame(frame)
            scene.put_properties(scene_description(settings, simulation))
        return Path(str(scene.path))

    def _write(
        self, scene: Scene, state: dict[str, Field], simulation: int, frame: int
    ) -> None:
        held = self._settings.model.physical.constant_fields
        for name in self._settings.data.fields:
            if frame and name in held:
                continue
            values = state[name]
            self._check(values, name, simulation, frame)
            scene.write({name: values}, frame=frame)

    def _check(self, values: Field, name: str, simulation: int, frame: int) -> None:
        """Ends on NaN, infinity, or values that the equation can't reach.

        Neither equation makes a component larger than it was at the start, and an
        unstable scheme need not reach NaN: huge velocities look up one and the same
        value everywhere, so that a wrong, constant and finite state is left.
        """
        largest = float(np.abs(values.values.numpy(values.values.shape)).max())
        if frame == 0:
            self._initial[name] = largest
        if np.isfinite(largest) and largest <= _GROWTH * self._initial[name]:
            return
        what = "not finite any more" if not np.isfinite(largest) else "diverging"
        raise SceneError(
            f"simulation {simulation} is {what} at step {frame}: `{name}` reaches"
            f" {largest:.3g}, at the start {self._initial[name]:.3g}. It was not kept."
            " Lower `model.physical.dt` or raise"
            " `model.physical.pde_params.diffusion_substeps`."
        )


def compiled_step(physical: Equation) -> Step:
    """A compiled step from all fields and parameters to the fields that change."""
    if isinstance(physical, Burgers):
        burgers = BurgersModel(
            dt=physical.dt,
            diffusion_substeps=physical.pde_params.diffusion_substeps,
        )
        move = math.jit_compile(burgers.step)
        return lambda s: {"velocity": move(s["velocity"], s["viscosity"])}
    advection = AdvectionModel(dt=physical.dt)
    carry = math.jit_compile(advection.step)
    return lambda s: {
        "density": carry(s["density"], s["velocity"], s["velocity_factor"])
    }


def centred_grid(values: np.ndarray, physical: Equation) -> Field:
    """A periodic grid from `(x, y, ...)` or `(x, y, ..., vector)` values."""
    axes = tuple(physical.domain)
    dims = [spatial(*axes)]
    if values.ndim > len(axes):
        dims.append(channel(vector=",".join(axes)))
    return CenteredGrid(
        math.tensor(values, *dims),
        extrapolation.PERIODIC,
        bounds=Box(**physical.domain),
    )
