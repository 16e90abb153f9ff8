"""Simulates trajectories and writes them as PhiFlow scenes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from phi.field import CenteredGrid, Scene
from phi.geom import Box
from phiml import math
from phiml.math import channel, extrapolation, spatial

from experiment.data import Simulator, scene_description
from experiment.settings import Settings, precision_bits
from experiment.system import SceneError
from phiml_port.physics.model import PhysicalModel, physics_backend

#: A component that grows beyond this times its initial maximum has diverged.
_GROWTH = 10
#: Frames that one compiled call moves on.
_CHUNK = 8


class SceneSimulator(Simulator):
    """Runs a physical model some frames at a time, each run of them compiled.

    Args:
        settings: The settings of the run.

    Raises:
        SettingsError: JAX is asked for and not installed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._precision = precision_bits(settings.data.precision)
        self._backend = physics_backend(settings.migration.phiml_backend)
        self._model = PhysicalModel(settings.model.physical)
        self._roll = math.jit_compile(self._several, auxiliary_args="steps")
        self._initial: dict[str, float] = {}

    def __reduce__(self) -> tuple[type["SceneSimulator"], tuple[Settings]]:
        # What is compiled can't be pickled; the other process compiles its own.
        return SceneSimulator, (self._settings,)

    def simulate(
        self, simulation: int, parent: Path, on_frame: Callable[[int], None]
    ) -> Path:
        """See `Simulator.simulate`."""
        settings = self._settings
        frames = settings.data.trajectory_length
        scene = Scene.create(str(parent), copy_calling_script=False)
        with self._backend, math.precision(self._precision):
            arrays = settings.model.physical.initial_state(
                settings.data.seed, simulation
            )
            state = {name: self._tensor(values) for name, values in arrays.items()}
            parameter = {self._model.parameter: self._model.known_parameter()}
            self._write(scene, state, simulation, 0)
            on_frame(0)
            for first in range(1, frames, _CHUNK):
                # A run of one length is compiled once; what is beyond the last frame
                # is thrown away.
                every = self._roll(state, parameter, steps=_CHUNK)
                for frame, moved in enumerate(every[: frames - first], first):
                    self._write(scene, moved, simulation, frame)
                    on_frame(frame)
                state = every[-1]
        scene.put_properties(scene_description(settings, simulation))
        return Path(str(scene.path))

    def _several(self, state: Any, parameters: Any, steps: int) -> list[dict[str, Any]]:
        every = []
        for _ in range(steps):
            state = self._model.step(state, parameters)
            every.append(state)
        return every

    def _tensor(self, values: np.ndarray) -> Any:
        axes = tuple(self._settings.model.physical.domain)
        dims = [spatial(*axes)]
        if values.ndim > len(axes):
            dims.append(channel(vector=",".join(axes)))
        return math.tensor(values, *dims)

    def _write(
        self, scene: Scene, state: dict[str, Any], simulation: int, frame: int
    ) -> None:
        held = self._settings.model.physical.constant_fields
        domain = self._settings.model.physical.domain
        for name in self._settings.data.fields:
            if frame and name in held:
                continue
            values = state[name]
            self._check(values, name, simulation, frame)
            grid = CenteredGrid(values, extrapolation.PERIODIC, bounds=Box(**domain))
            scene.write({name: grid}, frame=frame)

    def _check(self, values: Any, name: str, simulation: int, frame: int) -> None:
        """Ends on NaN, infinity, or values that the equation can't reach.

        Neither equation makes a component larger than it was at the start, and an
        unstable scheme need not reach NaN: huge velocities look up one and the same
        value everywhere, so that a wrong, constant and finite state is left.
        """
        largest = float(np.abs(values.numpy(values.shape)).max())
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
