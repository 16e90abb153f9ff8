"""Task `generate`: simulate what is not on disk yet."""

import logging
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiment._check import field_components
from experiment._errors import SceneError, UserError
from experiment._grids import cell_sizes
from experiment._initial_states import initial_state
from experiment._progress import Progress
from experiment._scenes import (
    differences,
    other_settings_message,
    replace_folder,
    scene_description,
    scene_path,
    stored_description,
)
from experiment._settings import Burgers, Settings
from experiment._workers import map_in_processes

log = logging.getLogger(__name__)


class Simulator(ABC):
    """What the task `generate` needs of a physical model; crosses to other processes.

    Pickled, as each process of `data.num_workers` gets one.
    """

    @abstractmethod
    def simulate(
        self, simulation: int, parent: Path, on_frame: Callable[[int], None]
    ) -> Path:
        """Simulates and writes one trajectory as a `Scene`.

        Args:
            simulation: Number of the simulation; its initial state depends on it.
            parent: An empty folder to create the scene in.
            on_frame: Called with the frame's number after each frame.

        Returns:
            The scene's folder.

        Raises:
            SceneError: The trajectory is not finite or diverges; names the simulation
                and the step.
        """


def generate(settings: Settings, simulator: Simulator, progress: Progress) -> int:
    """Simulates every simulation that is not on disk with these settings.

    Returns:
        How many were simulated.

    Raises:
        SceneError: Simulations made with other settings are there, and
            `data.overwrite` is false; or a trajectory is not finite.
        UserError: The folder can't be written, or a process was killed.
    """
    missing = [i for i in range(settings.data.num_simulations) if _wanted(settings, i)]
    held = settings.data.num_simulations - len(missing)
    if held:
        log.info("%d simulations are there already with these settings", held)
    if not missing:
        return 0
    for warning in stability_warnings(settings):
        log.warning("%s", warning)
    folder = Path(settings.data.data_dir)
    # One folder a process, so that two runs that generate at once never mix.
    partial = folder / f".partial-{os.getpid()}"
    frames = settings.data.trajectory_length
    workers = settings.data.num_workers
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with progress.bar("generate", len(missing) * frames, "frames") as bar:
            if workers > 1:
                for simulation, scene in map_in_processes(
                    _simulate_here,
                    missing,
                    workers,
                    prepare=_take_simulator,
                    arguments=(simulator, partial),
                ):
                    replace_folder(scene, scene_path(settings, simulation))
                    bar.step(frames, simulation=simulation)
            else:
                for simulation in missing:
                    scene = simulator.simulate(
                        simulation,
                        partial,
                        lambda frame, sim=simulation: bar.step(
                            simulation=sim, frame=frame
                        ),
                    )
                    replace_folder(scene, scene_path(settings, simulation))
    except OSError as error:
        raise UserError(
            f"can't write simulations to `data.data_dir` = `{folder}`:"
            f" {error.strerror or error}. The simulations that were whole are kept;"
            " run again to go on."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    log.info("simulated %d trajectories of %d frames", len(missing), frames)
    return len(missing)


#: The simulator of a worker process, and where it writes.
_HELD: list[tuple[Simulator, Path]] = []


def _take_simulator(simulator: Simulator, folder: Path) -> None:
    _HELD[:] = [(simulator, folder)]


def _simulate_here(simulation: int) -> Path:
    simulator, folder = _HELD[0]
    # A folder each, as two processes would choose the same name for a scene.
    own = folder / f"{simulation:06d}"
    own.mkdir()
    return simulator.simulate(simulation, own, lambda frame: None)


def _wanted(settings: Settings, simulation: int) -> bool:
    path = scene_path(settings, simulation)
    try:
        stored = stored_description(path)
    except SceneError:
        if settings.data.overwrite:
            return True
        raise
    if stored is None:
        return True
    unequal = differences(stored, scene_description(settings, simulation))
    if unequal and not settings.data.overwrite:
        raise SceneError(other_settings_message(path, unequal))
    return bool(unequal)


def stability_warnings(settings: Settings) -> list[str]:
    """Numbers that say that the scheme may be inaccurate or unstable.

    The explicit diffusion is stable for `sum over axes of nu dt / (n dx^2) <= 1/2`
    with n substeps. Semi-Lagrangian advection is stable at any Courant number
    `|u| dt / dx`, but smears and misses what crosses many cells in one step.
    """
    physical = settings.model.physical
    cells = cell_sizes(physical)
    initial = [
        initial_state(physical, settings.data.seed, i)
        for i in range(settings.data.num_simulations)
    ]
    speeds = [np.abs(state["velocity"]) for state in initial]
    courant = max(
        float(speed[..., i].max()) * physical.dt / cells[axis]
        for speed in speeds
        for i, axis in enumerate(field_components(settings)["velocity"])
    )
    warnings = []
    if courant > 2:
        warnings.append(
            f"the Courant number |u| dt / dx of the initial states reaches"
            f" {courant:.2f}; expected at most 2. Semi-Lagrangian advection stays"
            " stable but loses accuracy: lower `model.physical.dt`."
        )
    if isinstance(physical, Burgers):
        substeps = physical.pde_params.diffusion_substeps
        viscosity = float(initial[0]["viscosity"].max())
        number = viscosity * physical.dt / substeps
        number *= sum(1 / size**2 for size in cells.values())
        if number > 0.5:
            warnings.append(
                f"the diffusion number nu dt / (substeps dx^2), summed over the axes,"
                f" reaches {number:.3g}; the explicit scheme is stable up to 0.50."
                " Raise `model.physical.pde_params.diffusion_substeps` or lower"
                " `model.physical.dt`."
            )
    return warnings
