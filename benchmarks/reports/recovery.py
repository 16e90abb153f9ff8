"""How well the PDE's viscosity is recovered from clean data and from noisy data."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import build
from benchmarks.cases.settings import simulated_settings


def lines() -> Iterator[str]:
    """The viscosity field from clean data, and from data with 1 % noise."""
    from experiment.run import RunFolder
    from experiment.system import Progress

    for name, noise in (("clean", 0.0), ("noisy, 1 %", 0.01)):
        with tempfile.TemporaryDirectory() as folder:
            settings = simulated_settings(
                Path(folder),
                *("general.mode=physical", "migration=full"),
                *("trainer.physical.windows=64", "trainer.physical.rounds=5"),
                "trainer.physical.iterations=40",
            )
            if noise:
                add_noise(settings, noise)
            training = build.physical_training(settings)
            start = time.perf_counter()
            training.train(RunFolder(settings), Progress())
            spent = time.perf_counter() - start
        yield f"{name}: {_errors(settings, training)}, {spent:.0f} s"


def _errors(settings: Any, training: Any) -> str:
    truth = settings.model.physical.true_parameter("viscosity")
    size = np.linalg.norm(truth)
    before = np.linalg.norm(training.ranges["viscosity"].guess - truth) / size
    after = np.linalg.norm(training.parameters["viscosity"] - truth) / size
    return f"relative L2 error of the viscosity {before:.3f} before, {after:.4f} after"


def add_noise(settings: Any, share: float) -> None:
    """Adds Gaussian noise of a share of the root mean square to every frame."""
    from experiment.data import open_scene, seal_scene

    generator = np.random.default_rng(0)
    for simulation in range(settings.data.num_simulations):
        scene = open_scene(settings, simulation)
        for file in scene.files():
            with np.load(file, allow_pickle=False) as content:
                arrays = {n: content[n] for n in ("data", "dim_names")}
            size = np.sqrt(np.mean(arrays["data"] ** 2))
            noise = generator.standard_normal(arrays["data"].shape) * size * share
            arrays["data"] = (arrays["data"] + noise).astype(arrays["data"].dtype)
            np.savez_compressed(file, **arrays)
        seal_scene(scene.path)
