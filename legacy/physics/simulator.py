"""Simulates trajectories and writes them as PhiFlow scenes."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

from phi.field import Scene
from phiml import math
from phiml.math import spatial

from experiment.data import GrowthCheck, Simulator, scene_description
from experiment.settings import Settings, precision_bits
from legacy.physics.model import PhysicalModel, vector


class SceneSimulator(Simulator):
    """Runs a physical model on PhiFlow's torch backend, one compiled step at a time.

    Args:
        settings: The settings of the run.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model = PhysicalModel(settings.model.physical)

    def __reduce__(self) -> tuple[type["SceneSimulator"], tuple[Settings]]:
        # A compiled step can't be pickled; the other process compiles its own.
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
        with math.precision(precision_bits(settings.data.precision)):
            arrays = equation.initial_state(settings.data.seed, simulation)
            initial = {
                n: model.grid(
                    math.tensor(a, spatial(*equation.axes), vector(fields[n]))
                )
                for n, a in arrays.items()
            }
            later = settings.data.trajectory_length - 1
            frames = model.rollout(initial, model.parameters({}), later)
            for frame, state in enumerate(chain([initial], frames)):
                for name in settings.data.fields:
                    if frame and name in equation.constant_fields:
                        continue
                    values = state[name].values
                    growth.check(name, values.numpy(values.shape), frame)
                    scene.write({name: state[name]}, frame=frame)
                on_frame(frame)
        scene.put_properties(scene_description(settings, simulation))
        return Path(str(scene.path))
