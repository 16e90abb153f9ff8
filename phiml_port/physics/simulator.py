"""Simulates trajectories and writes them as PhiFlow scenes."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

from phi.field import CenteredGrid, Scene
from phi.geom import Box
from phiml import math
from phiml.math import extrapolation, spatial

from experiment.data import GrowthCheck, Simulator, scene_description
from experiment.settings import Settings, precision_bits
from phiml_port.physics.model import PhysicalModel, physics_backend, vector

#: Frames that one compiled call computes.
_CHUNK = 8


class SceneSimulator(Simulator):
    """Runs a physical model some frames at a time, each run of them compiled.

    Args:
        settings: The settings of the run.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._backend = physics_backend(settings.migration.phiml_backend)
        self._model = PhysicalModel(settings.model.physical)

    def __reduce__(self) -> tuple[type["SceneSimulator"], tuple[Settings]]:
        # What is compiled can't be pickled; the other process compiles its own.
        return SceneSimulator, (self._settings,)

    def simulate(
        self, simulation: int, parent: Path, on_frame: Callable[[int], None]
    ) -> Path:
        """See `Simulator.simulate`."""
        settings, model = self._settings, self._model
        equation = model.equation
        fields = equation.fields
        growth = GrowthCheck(equation, simulation)
        scene = Scene.create(str(parent), copy_calling_script=False)
        with self._backend, math.precision(precision_bits(settings.data.precision)):
            arrays = equation.initial_state(settings.data.seed, simulation)
            initial = {
                n: math.tensor(a, spatial(*equation.axes), vector(fields[n]))
                for n, a in arrays.items()
            }
            later = settings.data.trajectory_length - 1
            frames = model.rollout(initial, model.parameters({}), later, chunk=_CHUNK)
            for frame, state in enumerate(chain([initial], frames)):
                for name in settings.data.fields:
                    if frame and name in equation.constant_fields:
                        continue
                    values = state[name]
                    growth.check(name, values.numpy(values.shape), frame)
                    box = Box(**equation.domain)
                    grid = CenteredGrid(values, extrapolation.PERIODIC, bounds=box)
                    scene.write({name: grid}, frame=frame)
                on_frame(frame)
        scene.put_properties(scene_description(settings, simulation))
        return Path(str(scene.path))
