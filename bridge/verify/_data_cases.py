"""Simulations on disk, and the loaders of both sides on them."""

import atexit
import shutil
import tempfile
import weakref
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import bridge._factories as factories
from bridge._converters import to_torch
from bridge.verify._cases import CaseName, case_settings
from experiment.data import generate, scene_path
from experiment.settings import Settings
from experiment.system import Progress
from legacy import data

SIMULATIONS, FRAMES, STEPS, BATCH = 4, 8, 2, 4
#: Not in ascending order, so that sorting is seen.
TRAIN, VALIDATE = (2, 0, 3), (1,)


class DataCase:
    """Both sides' data pipelines on a folder of Scenes that vanishes afterwards."""

    def __init__(self, name: CaseName) -> None:
        self.name = name
        folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        shutil.copytree(_simulated(name) / "data", folder / "data")
        self.settings = _settings(name, folder)

    @property
    def port_settings(self) -> Settings:
        """The settings with model, trainer and data on PhiML."""
        migration = replace(
            self.settings.migration, model="phiml", trainer="phiml", data="phiml"
        )
        return replace(self.settings, migration=migration)

    def control(self, simulations: tuple[int, ...] = TRAIN) -> data.WindowLoader:
        """A new loader of the control; it shuffles the training simulations."""
        return data.WindowLoader(
            self.settings, simulations, shuffle=simulations == TRAIN
        )

    def candidate(self, simulations: tuple[int, ...] = TRAIN) -> Any:
        """A new loader of the candidate."""
        return factories.phiml_loader(
            self.port_settings, simulations, simulations == TRAIN
        )

    def change_a_scene(self) -> None:
        """Doubles the first frame of a Scene; name and description stay."""
        moving = self.settings.data.fields_scheme.dynamic[0]
        file = scene_path(self.settings, TRAIN[0]) / f"{moving}_000000.npz"
        with np.load(file, allow_pickle=False) as content:
            # What reading needs; the rest holds objects, which nothing here unpickles.
            arrays = {name: content[name] for name in ("data", "dim_names")}
        arrays["data"] = arrays["data"] * 2
        np.savez_compressed(file, **arrays)

    @property
    def depth(self) -> float:
        """Operations in a row of a short training."""
        return 1000.0


def control_windows(loader: data.WindowLoader) -> list[np.ndarray]:
    """Every window `(vector, time, x, y)` of the control, by number."""
    dataset: Any = loader._loader.dataset
    return [dataset[i].numpy().copy() for i in range(len(dataset))]


def candidate_windows(loader: Any) -> list[np.ndarray]:
    """Every window of the candidate in the control's order of dims, by number."""
    dataset = loader.dataset
    return [
        to_torch(dataset[i], "vector time x y", boundary="verify").numpy().copy()
        for i in range(len(dataset))
    ]


def batches_of(loader: Any, epoch: int, position: int = 0) -> list[np.ndarray]:
    """Batches `(batch, vector, time, x, y)` of either side."""
    loader.set_epoch(epoch, position)
    found = []
    for batch in loader:
        native = batch
        if isinstance(loader, factories.port_data.PhiMLDataLoader):
            native = to_torch(batch, "batch vector time x y", boundary="verify")
        found.append(native.numpy().copy())
    return found


def _settings(name: CaseName, folder: Path) -> Settings:
    base = case_settings(name)
    split = replace(
        base.trainer,
        train_sim=TRAIN,
        val_sim=VALIDATE,
        rollout_steps=STEPS,
        batch_size=BATCH,
        synthetic=replace(base.trainer.synthetic, epochs=2),
    )
    return replace(
        base,
        general=replace(
            base.general,
            run_dir=f"{folder}/runs",
            checkpoint_dir=f"{folder}/checkpoints",
        ),
        data=replace(
            base.data,
            data_dir=f"{folder}/data",
            num_simulations=SIMULATIONS,
            trajectory_length=FRAMES,
            precision=name.precision,
        ),
        cache=replace(base.cache, dir=f"{folder}/cache"),
        trainer=split,
        evaluation=replace(base.evaluation, num_frames=FRAMES),
        migration=replace(
            base.migration, model="legacy", trainer="legacy", data="legacy"
        ),
    )


@lru_cache
def _simulated(name: CaseName) -> Path:
    """Scenes of a case, simulated once a process and removed at its end."""
    # PhiFlow takes seconds to import; the other rungs do without.
    from legacy.physics import SceneSimulator

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings = _settings(name, folder)
    generate(settings, SceneSimulator(settings), Progress())
    return folder
