"""What data are simulated by: the scheme itself, the same on a finer grid, or another.

A parameter that is recovered by the scheme that made the data is an inverse crime: the
scheme's errors are in the data and in the model, and cancel. `data.reference` chooses
what makes them.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from experiment.data.coarse import cell_means
from experiment.data.descriptions import data_are_imported, scene_description
from experiment.data.generation import Simulator
from experiment.data.scenes import Scene
from experiment.data.spectral import SpectralSimulator
from experiment.data.writing import write_description, write_frame
from experiment.settings import Settings


def reference_simulator(
    settings: Settings, scheme: Callable[[Settings], Simulator]
) -> Simulator:
    """What simulates the data of some settings.

    Args:
        settings: The settings of the run.
        scheme: Makes the simulator of a side, which runs the equation's own scheme.
    """
    if settings.data.reference == "fine":
        return RefinedSimulator(settings, scheme(refined_settings(settings)))
    if settings.data.reference == "spectral":
        return SpectralSimulator(settings)
    return scheme(settings)


def refined_settings(settings: Settings) -> Settings:
    """The settings of the simulation that `data.reference=fine` takes its data from.

    `data.reference_refinement` times as many cells along each axis and as many time
    steps, so the Courant number stays; the equation keeps its diffusion number too.
    """
    factor, data = settings.data.reference_refinement, settings.data
    equation = settings.model.physical.refined(factor)
    frames = (data.trajectory_length - 1) * factor + 1
    return replace(
        settings,
        data=replace(data, reference="same", trajectory_length=frames),
        model=replace(settings.model, physical=equation),
    )


class RefinedSimulator(Simulator):
    """Simulates on a finer grid and stores the means over the cells of the settings.

    Args:
        settings: The settings of the run.
        fine: Simulates with `refined_settings`.
    """

    def __init__(self, settings: Settings, fine: Simulator) -> None:
        self._settings = settings
        self._fine = fine

    def simulate(
        self, simulation: int, parent: Path, on_frame: Callable[[int], None]
    ) -> Path:
        """See `Simulator.simulate`; the finer simulation is removed with `parent`."""
        settings = self._settings
        factor = settings.data.reference_refinement

        def on_fine_frame(frame: int) -> None:
            if frame % factor == 0:
                on_frame(frame // factor)

        folder = parent / f"fine_{simulation:06d}"
        folder.mkdir()
        path = self._fine.simulate(simulation, folder, on_fine_frame)
        fine = Scene(path, simulation, refined_settings(settings))
        scene = parent / f"coarse_{simulation:06d}"
        scene.mkdir()
        equation = settings.model.physical
        for name in settings.data.fields:
            constant = name in equation.constant_fields
            frames = 1 if constant else settings.data.trajectory_length
            for frame in range(frames):
                means = cell_means(fine.read(name, frame * factor), factor)
                values = means if equation.fields[name] else means[..., 0]
                write_frame(scene, name, frame, values, settings)
        write_description(scene, scene_description(settings, simulation))
        return scene


def reference_text(settings: Settings) -> str:
    """What the data of a run were simulated by, in words."""
    if data_are_imported(settings):
        return "imported data"
    factor = settings.data.reference_refinement
    return {
        "same": "the model's own scheme on its own grid",
        "fine": f"the model's scheme, {factor} times as fine, cell averages",
        "spectral": f"pseudo-spectral, RK4, {factor} times as fine",
    }[settings.data.reference]
