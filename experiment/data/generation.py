"""Task `generate`: simulates what is not on disk yet."""

import logging
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiment.data.descriptions import (
    check_description,
    is_imported,
    scene_path,
    stored_description,
)
from experiment.data.hashes import seal_scene
from experiment.data.replacing import replace_scene
from experiment.equations import Equation
from experiment.settings import Settings
from experiment.system import (
    Progress,
    SceneError,
    UserError,
    map_in_processes,
    partial_path,
    remove_stale,
)

log = logging.getLogger(__name__)


class Simulator(ABC):
    """What the task `generate` needs of a physical model.

    It must be picklable: each process of `data.num_workers` gets a copy.
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
            `data.overwrite` is false; or another program's; or a trajectory is not
            finite.
        UserError: The folder can't be written, or a process was killed.
    """
    count = settings.data.num_simulations
    missing = [i for i in range(count) if _must_simulate(settings, i)]
    existing = count - len(missing)
    if existing:
        log.info("%d simulations are there already with these settings", existing)
    if not missing:
        return 0
    _refuse_to_mix(settings, missing)
    for warning in stability_warnings(settings):
        log.warning("%s", warning)
    folder = Path(settings.data.data_dir)
    remove_stale(folder)
    # One folder a process, so that two runs that generate at once never mix.
    partial = partial_path(folder / "generate")
    frames = settings.data.trajectory_length
    workers = settings.data.num_workers
    try:
        partial.mkdir(parents=True)
        with progress.bar("generate", len(missing) * frames, "frames") as bar:
            if workers > 1:
                for simulation, scene in map_in_processes(
                    _simulate_in_worker,
                    missing,
                    workers,
                    prepare=_prepare_worker,
                    arguments=(simulator, partial),
                ):
                    replace_scene(scene, scene_path(settings, simulation))
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
                    replace_scene(seal_scene(scene), scene_path(settings, simulation))
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
_WORKER: list[tuple[Simulator, Path]] = []


def _prepare_worker(simulator: Simulator, folder: Path) -> None:
    _WORKER[:] = [(simulator, folder)]


def _simulate_in_worker(simulation: int) -> Path:
    simulator, folder = _WORKER[0]
    # A folder each, as two processes would choose the same name for a scene.
    parent = folder / f"{simulation:06d}"
    parent.mkdir()
    return seal_scene(simulator.simulate(simulation, parent, lambda frame: None))


def _must_simulate(settings: Settings, simulation: int) -> bool:
    path = scene_path(settings, simulation)
    stored = stored_description(path)
    if stored is None:
        return True
    try:
        check_description(path, stored, settings, simulation)
    except SceneError:
        # Nothing can make imported data again.
        if settings.data.overwrite and not is_imported(stored):
            return True
        raise
    return False


def _refuse_to_mix(settings: Settings, missing: list[int]) -> None:
    for simulation in range(settings.data.num_simulations):
        stored = stored_description(scene_path(settings, simulation))
        if stored is not None and is_imported(stored):
            raise SceneError(
                f"`{scene_path(settings, missing[0])}` would be simulated beside"
                f" simulation {simulation}, which was imported from"
                f" `{stored['source']['path']}`. Import as many simulations as"
                " `data.num_simulations` says, lower it, or choose another"
                " `data.data_dir`."
            )


def stability_warnings(settings: Settings) -> list[str]:
    """Why the simulations of a run may be inaccurate or unstable, a sentence each."""
    equation = settings.model.physical
    numbers = range(settings.data.num_simulations)
    initial = [equation.initial_state(settings.data.seed, i) for i in numbers]
    return equation.stability_warnings(initial)


class GrowthCheck:
    """Ends a simulation on NaN, infinity, or values that the equation can't reach.

    Args:
        equation: Says how far a component may grow.
        simulation: Number of the simulation, for the message.
    """

    def __init__(self, equation: Equation, simulation: int) -> None:
        self._equation = equation
        self._simulation = simulation
        self._initial: dict[str, float] = {}

    def check(self, field: str, values: np.ndarray, frame: int) -> None:
        """Checks a field at a frame, from frame 0 on.

        Raises:
            SceneError: It is not finite or diverges; names simulation and step.
        """
        largest = float(np.abs(values).max())
        initial = self._initial.setdefault(field, largest)
        finite = np.isfinite(largest)
        if finite and largest <= self._equation.growth_limit * initial:
            return
        what = "diverging" if finite else "not finite any more"
        raise SceneError(
            f"simulation {self._simulation} is {what} at step {frame}: `{field}`"
            f" reaches {largest:.3g}, at the start {initial:.3g}. It was not kept."
            f" {self._equation.remedy}"
        )
