"""Simulations on disk, and the loaders of both sides on them."""

import atexit
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import legacy.assemble
import phiml_port.assemble
from bridge.convert import to_torch
from bridge.ladders.cases import CANDIDATE, CaseName, case_settings, switched
from bridge.ladders.run_cases import RunCase, limited
from experiment.data import channel_plan, generate, scene_path, seal_scene
from experiment.settings import Settings, without_observations
from experiment.system import Progress

SIMULATIONS, FRAMES, STEPS, BATCH, EPOCHS = 4, 8, 2, 4, 2
#: Not in ascending order, so that sorting is seen.
TRAIN, VALIDATE = (2, 0, 3), (1,)


class DataCase:
    """Both sides' loaders on a folder of Scenes that vanishes afterwards."""

    def __init__(self, name: CaseName | RunCase) -> None:
        self.name = name
        folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        shutil.copytree(_simulated(name) / "data", folder / "data")
        self.settings = _settings(name, folder)
        self.port_settings = switched(
            self.settings, CANDIDATE, "model", "trainer", "data"
        )
        self.plan = channel_plan(self.settings)
        self.batch = self.settings.trainer.batch_size
        self.epochs = self.settings.trainer.synthetic.epochs

    def control(self, simulations: Sequence[int] = TRAIN) -> Any:
        """A new loader of the control; it shuffles the training simulations."""
        settings = _for(simulations, self.settings)
        return legacy.assemble.build_loader(
            settings, simulations, shuffle=simulations == TRAIN
        )

    def candidate(self, simulations: Sequence[int] = TRAIN) -> Any:
        """A new loader of the candidate."""
        settings = _for(simulations, self.port_settings)
        return phiml_port.assemble.build_loader(
            settings, simulations, shuffle=simulations == TRAIN
        )

    def trajectories(self) -> np.ndarray:
        """Two made-up trajectories `(simulation, time, x, y, vector)`."""
        cells = self.settings.model.physical.resolution.values()
        shape = (
            2,
            self.settings.trainer.rollout_steps + max(3, self.batch),
            *cells,
            len(self.plan.names),
        )
        values = np.random.default_rng(4).standard_normal(shape)
        return values.astype(self.settings.general.precision)

    def change_a_scene(self) -> None:
        """Doubles the first frame of a Scene; name and description stay."""
        moving = self.settings.data.fields_scheme.dynamic[0]
        file = scene_path(self.settings, TRAIN[0]) / f"{moving}_000000.npz"
        with np.load(file, allow_pickle=False) as content:
            # What reading needs; the rest holds objects, which nothing here unpickles.
            arrays = {name: content[name] for name in ("data", "dim_names")}
        arrays["data"] = arrays["data"] * 2
        np.savez_compressed(file, **arrays)
        seal_scene(file.parent)

    @property
    def depth(self) -> float:
        """Operations in a row of a short training."""
        return 1000.0


def _for(simulations: Sequence[int], settings: Settings) -> Settings:
    """The settings of a loader: training data may be incomplete, all else isn't."""
    return settings if simulations == TRAIN else without_observations(settings)


def windows_of(loader: Any) -> list[np.ndarray]:
    """Every window `(vector, time, x, y)` of either side, by number."""
    dataset = loader.dataset
    return [_array(dataset[i]) for i in range(len(dataset))]


def batches_of(loader: Any, epoch: int, position: int = 0) -> list[np.ndarray]:
    """Batches `(batch, vector, time, x, y)` of either side."""
    loader.set_epoch(epoch, position)
    return [_array(batch) for batch in loader]


def _array(values: Any) -> np.ndarray:
    if not isinstance(values, torch.Tensor):
        batch = ["batch"] * ("batch" in values.shape)
        layout = " ".join([*batch, "vector", "time", *values.shape.spatial.names])
        values = to_torch(values, layout, boundary="verify")
    return values.numpy().copy()


def _settings(name: CaseName | RunCase, folder: Path) -> Settings:
    base = case_settings(name)
    steps = limited(name, base.trainer.rollout_steps, STEPS)
    short = isinstance(name, RunCase) and name.at_own_sizes
    frames = base.data.trajectory_length if isinstance(name, RunCase) else FRAMES
    split = replace(
        base.trainer,
        train_sim=TRAIN,
        val_sim=VALIDATE,
        rollout_steps=steps,
        rollout_start=min(base.trainer.rollout_start, steps),
        batch_size=limited(name, base.trainer.batch_size, BATCH),
        synthetic=replace(base.trainer.synthetic, epochs=1 if short else EPOCHS),
    )
    return replace(
        base,
        general=replace(
            base.general,
            mode="synthetic",
            run_dir=f"{folder}/runs",
            checkpoint_dir=f"{folder}/checkpoints",
        ),
        data=replace(
            base.data,
            data_dir=f"{folder}/data",
            num_simulations=SIMULATIONS,
            trajectory_length=frames,
            precision=base.data.precision
            if isinstance(name, RunCase)
            else name.precision,
        ),
        cache=replace(base.cache, dir=base.cache.dir and f"{folder}/cache"),
        trainer=split,
        evaluation=replace(base.evaluation, num_frames=frames),
    )


@lru_cache
def _simulated(name: CaseName | RunCase) -> Path:
    """Scenes of a case, simulated once a process and removed at its end."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings = _settings(name, folder)
    generate(settings, legacy.assemble.build_simulator(settings), Progress())
    return folder
