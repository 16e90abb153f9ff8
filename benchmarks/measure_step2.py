"""Measures step 2: `python -m benchmarks.measure_step2 step|steps100|switch`."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks._door import measure_one
from benchmarks._interleaved import interleaved
from benchmarks.measure_step1 import NETWORKS
from benchmarks.settings import experiment_settings, simulated
from bridge import build_phiml_model, build_trainer
from bridge.verify import CaseName
from bridge.verify._training_cases import TrainingCase, steps
from experiment import LAST, Progress, RunFolder, load_checkpoint
from phiml_port.models.memory import channels_last

Step = Callable[[], object]


def step(folder: Path) -> None:
    """The training step against legacy's and against a bare loop in the best order."""
    amp = ("trainer.amp=bf16",)
    cases = [(name, o) for name, o in NETWORKS.items()]
    cases += [(f"{n}, bf16", (*o, *amp)) for n, o in cases if "norm" not in n][:2]
    for name, overrides in cases:
        rounds = 9 if "64 filters" in name else 15
        legacy = _step(folder, ("migration=legacy", *overrides))
        port = _step(folder, ("migration=step2", *overrides))
        print(f"step2 / legacy, {name}: {interleaved(port, legacy, rounds=rounds)}")
        if "bf16" not in name:
            bare = _bare(folder, overrides)
            print(f"  step2 / bare loop: {interleaved(port, bare, rounds=rounds)}")
        turned = _legacy_channels_last(folder, overrides)
        ratio = interleaved(turned, legacy, rounds=rounds)
        print(f"  legacy in channels_last / legacy: {ratio}")


def _settings(folder: Path, overrides: tuple[str, ...]) -> Any:
    return simulated(experiment_settings(folder, "burgers", *overrides))


def _step(folder: Path, overrides: tuple[str, ...]) -> Step:
    trainer: Any = build_trainer(_settings(folder, overrides))
    loader = trainer._train_loader
    loader.set_epoch(0)
    windows = next(iter(loader))
    model = trainer.model
    model.train() if hasattr(model, "train") else model.set_training(True)
    return lambda: trainer.training_step(windows, lambda loss: None)


def _legacy_channels_last(folder: Path, overrides: tuple[str, ...]) -> Step:
    """Legacy's own step, with its weights and its batch in torch's channels_last."""
    trainer: Any = build_trainer(_settings(folder, ("migration=legacy", *overrides)))
    trainer.model.to(memory_format=torch.channels_last)
    trainer._train_loader.set_epoch(0)
    windows = next(iter(trainer._train_loader))
    innermost = windows.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    trainer.model.train()
    return lambda: trainer.training_step(innermost, lambda loss: None)


def _bare(folder: Path, overrides: tuple[str, ...]) -> Step:
    """A hand-written torch loop: the port's kernels, channels innermost throughout."""
    settings = _settings(folder, overrides)
    network = build_phiml_model(settings).native
    trainer: Any = build_trainer(_settings(folder, ("migration=legacy", *overrides)))
    trainer._train_loader.set_epoch(0)
    windows = next(iter(trainer._train_loader))
    frames = [channels_last(windows[:, :, t]) for t in range(windows.shape[2])]
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)

    def run() -> None:
        optimiser.zero_grad()
        state, loss = frames[0], torch.zeros(())
        for target in frames[1:]:
            state = state + network(state)
            loss = loss + functional.mse_loss(state, target)
        (loss / (len(frames) - 1)).backward()
        optimiser.step()

    return run


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
    measure_one({"step": step, "steps100": steps100, "switch": switch}, __doc__)
