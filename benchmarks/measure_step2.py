"""Measures step 2: `python -m benchmarks.measure_step2 steps100|switch`."""

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._door import measure_one
from benchmarks.settings import experiment_settings, simulated
from bridge import build_trainer
from bridge.verify import CaseName
from bridge.verify._training_cases import TrainingCase, steps
from experiment.run import RunFolder
from experiment.system import Progress
from experiment.training import LAST, load_checkpoint


def _settings(folder: Path, overrides: tuple[str, ...]) -> Any:
    return simulated(experiment_settings(folder, "burgers", *overrides))


def steps100(_: Path) -> None:
    """Distance of both sides' weights after 100 steps in float64."""
    torch.set_num_threads(1)
    kinds = itertools.product(("unet", "resnet", "convnet"), (False, True))
    for architecture, norm in kinds:
        case = TrainingCase(CaseName("burgers", architecture, "float64", norm))
        found, expected = steps(case.candidate(), 100), steps(case.control(), 100)
        far = {
            n: np.linalg.norm(found.weights[n] - w) / np.linalg.norm(w)
            for n, w in expected.weights.items()
            if n not in case.without_signal and np.linalg.norm(w) > 0
        }
        kind = f"{architecture}{', batch norm' if norm else ''}"
        for what, names in (
            ("trained leaves", [n for n in far if "running" not in n]),
            ("running statistics", [n for n in far if "running" in n]),
        ):
            if names:
                worst = max(names, key=lambda n: far[n])
                print(f"{kind}, {what}: worst {far[worst]:.1e} ({worst})")


def switch(folder: Path) -> None:
    """Time to load the other side's checkpoint and take the first step."""
    own = ("trainer.synthetic.epochs=1", "trainer.train_sim=[0]")
    begun = _settings(folder, ("migration=legacy", *own))
    build_trainer(begun).train(RunFolder(begun), Progress())
    for preset in ("step2", "legacy"):
        resumed = _settings(folder, (f"migration={preset}", *own))
        start = time.perf_counter()
        checkpoint = load_checkpoint(folder / "checkpoints" / LAST)
        read = time.perf_counter() - start
        trainer: Any = build_trainer(resumed)
        trainer.restore(checkpoint)
        trainer._train_loader.set_epoch(0)
        trainer.training_step(next(iter(trainer._train_loader)), lambda loss: None)
        spent = time.perf_counter() - start - read
        print(f"to {preset}: {spent:.2f} s, first step included, read {read:.3f} s")


if __name__ == "__main__":
    measure_one({"steps100": steps100, "switch": switch}, __doc__)
