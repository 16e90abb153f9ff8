"""How well the PDE is recovered: `python -m benchmarks.measure_physics recover`."""

import time
from pathlib import Path

import numpy as np

import bridge._physics_factories as physics
from benchmarks._door import measure_one
from benchmarks.settings import experiment_settings, simulated
from experiment.data import open_scene
from experiment.run import RunFolder
from experiment.settings import Settings
from experiment.system import Progress


def recover(folder: Path) -> None:
    """The viscosity field from clean data, and from data with 1 % noise."""
    for name, noise in (("clean", 0.0), ("1 % noise", 0.01)):
        own = folder / name.replace(" ", "")
        settings = simulated(
            experiment_settings(
                own,
                "burgers",
                *("general.mode=physical", "migration=full"),
                *("trainer.physical.windows=64", "trainer.physical.rounds=5"),
                "trainer.physical.iterations=40",
            )
        )
        if noise:
            _add_noise(settings, noise)
        trainer = physics.build_physical_trainer(settings)
        start = time.perf_counter()
        trainer.train(RunFolder(settings), Progress())
        spent = time.perf_counter() - start
        print(f"{name}: {_errors(settings, trainer)}, {spent:.0f} s")


def _errors(settings: Settings, trainer: PhysicalTrainer) -> str:
    truth = settings.model.physical.true_parameter("viscosity")
    size = np.linalg.norm(truth)
    before = np.linalg.norm(trainer.ranges["viscosity"].guess - truth) / size
    after = np.linalg.norm(trainer.parameters["viscosity"] - truth) / size
    return f"relative L2 error of the viscosity {before:.3f} before, {after:.4f} after"


def _add_noise(settings: Settings, share: float) -> None:
    """Adds Gaussian noise of a share of the root mean square to every frame."""
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


if __name__ == "__main__":
    measure_one({"recover": recover}, __doc__)
