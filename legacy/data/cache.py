"""Scenes, read once into torch cache files that can be memory-mapped."""

import hashlib
import json
import logging
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

from experiment.data import Scene, open_scene, read_frames, with_noise, with_scene
from experiment.settings import Settings
from experiment.system import (
    TornFile,
    open_arrays,
    read_facts,
    remove_stale,
    save_arrays,
    verify_checksum,
)

log = logging.getLogger(__name__)


class TrajectoryCache:
    """Trajectories `(vector, time, x, y)` of simulations, memory-mapped.

    A simulation's Scene is read once and stored as one safetensors file, with the
    Scene's fingerprint. The file is mapped, not read, so the system can take its pages
    out of memory at any time. At most `cache.open_simulations` files are open; the
    least recently used one is closed first. With `cache.dir` null nothing is stored,
    and the same number of simulations is kept in memory. Noise of observations
    (`data.observations.noise`) is added to what was read, never to a file; simulations
    that are open are in memory then.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        folder = settings.cache.dir
        self._folder = Path(folder) / "legacy" if folder is not None else None
        if self._folder is not None:
            remove_stale(self._folder)
        self._open: OrderedDict[int, torch.Tensor] = OrderedDict()
        self._verified: dict[int, tuple[str, str]] = {}

    def __getitem__(self, simulation: int) -> torch.Tensor:
        """The trajectory `(vector, time, x, y)`; not to be written to.

        Raises:
            SceneError: The Scene is missing, torn or of other settings.
        """
        if simulation in self._open:
            self._open.move_to_end(simulation)
            return self._open[simulation]
        trajectory = self._measured(simulation, self._load(simulation))
        self._open[simulation] = trajectory
        if len(self._open) > self._settings.cache.open_simulations:
            self._open.popitem(last=False)
        return trajectory

    def _measured(self, simulation: int, trajectory: torch.Tensor) -> torch.Tensor:
        if not self._settings.data.observations.noise:
            return trajectory
        values = with_noise(
            self._settings, simulation, trajectory.movedim(0, -1).numpy()
        )
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, 0)))

    def _load(self, simulation: int) -> torch.Tensor:
        scene = open_scene(self._settings, simulation)
        if self._folder is None:
            return torch.from_numpy(self._read(scene))
        path = self._path(self._folder, simulation)
        source = with_scene(self._settings, simulation, Scene.fingerprint)
        reason = self._reason_to_build(path, source)
        if reason is not None:
            if reason:
                log.warning("%s; building it again from the Scene", reason)
            self._build(path, scene, source)
        try:
            return self._mapped(path, simulation)
        except TornFile as error:
            log.warning("%s Building it again from the Scene.", error)
            self._build(path, scene, source)
            return self._mapped(path, simulation)

    def _path(self, folder: Path, simulation: int) -> Path:
        settings = self._settings
        identity = {
            "data_dir": str(Path(settings.data.data_dir).resolve()),
            "fields": settings.data.fields,
            "precision": settings.general.precision,
        }
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
        name = f"sim_{simulation:06d}-{digest.hexdigest()[:12]}.safetensors"
        return folder / name

    @staticmethod
    def _reason_to_build(path: Path, source: str) -> str | None:
        """Why the file must be built: None if it need not, empty if it is missing."""
        try:
            made_from = read_facts(path).get("source")
        except FileNotFoundError:
            return ""
        except TornFile as error:
            return str(error)
        if made_from != source:
            return f"`{path}` was made from another Scene"
        return None

    def _build(self, path: Path, scene: Scene, source: str) -> None:
        save_arrays(path, {"trajectory": self._read(scene)}, {"source": source})

    def _read(self, scene: Scene) -> np.ndarray:
        """The trajectory `(vector, time, x, y, ...)`, contiguous."""
        frames = read_frames(self._settings, scene.simulation)
        trajectory = np.moveaxis(np.stack(frames), -1, 0)
        return trajectory.astype(self._settings.general.precision, order="C")

    def _mapped(self, path: Path, simulation: int) -> torch.Tensor:
        with open_arrays(path, "pt") as (file, metadata):
            trajectory = file.get_tensor("trajectory")
        # Once for each content: checking reads every page.
        content = (metadata["checksum"], metadata["facts"])
        if self._verified.get(simulation) != content:
            verify_checksum(path, {"trajectory": trajectory.numpy()}, metadata)
            self._verified[simulation] = content
        return trajectory
