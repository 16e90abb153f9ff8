"""One training step of every step of the migration, on the same batch."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._case import Builder, Case, Profile, Subject
from benchmarks._machine import device, finish
from benchmarks.cases._common import (
    FEW,
    moved_parameters,
    simulated_settings,
    window_work,
)

_NORM = "model.synthetic.architecture.batch_norm=true"
_BF16 = "trainer.amp=bf16"
NETWORKS: dict[str, tuple[Profile, tuple[str, ...]]] = {
    "unet-16": ("fast", ()),
    "unet-64": ("regular", ("model.synthetic.architecture.filters=64",)),
    "unet-16-norm": ("regular", (_NORM,)),
    "unet-16-bf16": ("regular", (_BF16,)),
    "resnet": ("regular", ("model/synthetic=resnet",)),
    "convnet": ("regular", ("model/synthetic=convnet",)),
}
PRESETS = ("legacy", "step1", "step2", "step3")
#: Losses of so many steps from the start are compared.
_COMPARED = 3
#: A step, which gives the loss from before it moved the weights; and what it works on.
Made = tuple[Callable[[], Any], dict[str, int]]


def training_step(folder: Path, preset: str, *overrides: str) -> Subject:
    """A step of the trainer that a preset builds, on the first batch of epoch 0."""
    return _subject(_of_preset, folder, f"migration={preset}", *overrides)


def training_epoch(folder: Path, preset: str, *overrides: str) -> Subject:
    """All steps of an epoch of the trainer that a preset builds, loading included."""
    from bridge import build_loader

    settings = simulated_settings(folder, f"migration={preset}", *overrides)
    loader = build_loader(settings, settings.trainer.train_sim, True)

    def epoch(trainer: Any, number: int) -> list[float]:
        loader.set_epoch(number)
        moved = settings.migration.trainer == "legacy"
        batches = (w.to(device()) if moved else w for w in loader)
        return [trainer.training_step(w, _any_loss) for w in batches]

    trainer, numbers = _trainer(settings), itertools.count()

    def run() -> None:
        epoch(trainer, next(numbers))
        finish()

    loader.set_epoch(0)
    work = {"batches": len(loader), "samples": len(loader.dataset)}
    return Subject(
        run,
        lambda: {"losses": np.array(epoch(_trainer(settings), 0))},
        work | moved_parameters(trainer.optimiser),
    )


def _of_preset(settings: Any) -> Made:
    windows = _first_batch(settings)
    if settings.migration.trainer == "legacy":
        windows = windows.to(device())
    trainer = _trainer(settings)
    work = window_work(windows) | moved_parameters(trainer.optimiser)
    return _step(trainer, windows), work


def _channels_last(settings: Any) -> Made:
    """The control's own step, its weights and its batch in torch's channels_last."""
    import torch

    plain = _first_batch(settings).to(device())
    windows = plain.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    trainer = _trainer(settings)
    trainer.model.to(memory_format=torch.channels_last)
    work = window_work(windows) | moved_parameters(trainer.optimiser)
    return _step(trainer, windows), work


def _bare(settings: Any) -> Made:
    """A loop by hand: the port's kernels in plain torch, channels innermost.

    Without a check of the loss, an autocast switch, a schedule or static channels.
    """
    import torch
    from torch.nn import functional

    from bridge import build_phiml_model
    from phiml_port.models.memory import channels_last as innermost

    windows = _first_batch(settings).to(device())
    frames = [innermost(windows[:, :, t]) for t in range(windows.shape[2])]
    network = build_phiml_model(settings).native
    rate = settings.trainer.synthetic.learning_rate
    optimiser = torch.optim.Adam(network.parameters(), lr=rate, fused=True)

    def step() -> Any:
        optimiser.zero_grad()
        state, loss = frames[0], windows.new_zeros(())
        for target in frames[1:]:
            state = state + network(state)
            loss = loss + functional.mse_loss(state, target)
        loss = loss / (len(frames) - 1)
        loss.backward()
        optimiser.step()
        return loss.detach()

    work = {"samples": len(frames[0]), "steps": len(frames) - 1}
    return step, work | moved_parameters(optimiser)


def _first_batch(settings: Any) -> Any:
    from bridge import build_loader

    loader = build_loader(settings, settings.trainer.train_sim, True)
    loader.set_epoch(0)
    return next(iter(loader))


def _trainer(settings: Any) -> Any:
    from bridge import build_trainer

    trainer: Any = build_trainer(settings)
    named = settings.migration.trainer == "phiml"
    trainer.model.set_training(True) if named else trainer.model.train()
    return trainer


def _step(trainer: Any, windows: Any) -> Callable[[], Any]:
    return lambda: trainer.training_step(windows, _any_loss)


def _any_loss(loss: float) -> None:
    """Accepts any loss."""


def _subject(make: Callable[[Any], Made], folder: Path, *overrides: str) -> Subject:
    step, work = make(simulated_settings(folder, *overrides))

    def run() -> None:
        step()
        finish()

    def outcome() -> dict[str, np.ndarray]:
        from phiml import math

        # Losses and not weights: Adam divides each gradient by its own size, so that
        # a weight whose gradient is rounding takes a whole step of either sign, which
        # the loss hardly depends on. With batch norm the gradient at the initial
        # weights amplifies rounding by 1e4 (docs/measurements.md), so that float32
        # says nothing there: those losses are compared in float64. From a trainer of
        # its own, so that `run` begins where the other sides begin.
        exact = ("general.precision=float64",) if _NORM in overrides else ()
        own, _ = make(simulated_settings(folder, *overrides, *exact))
        # PhiML's networks cast to its precision; only the trainers set it themselves.
        with math.precision(64 if exact else 32):
            return {"losses": np.array([float(own()) for _ in range(_COMPARED)])}

    return Subject(run, outcome, work)


def _build(
    make: Callable[[Any], Made], overrides: tuple[str, ...], folder: Path
) -> Subject:
    return _subject(make, folder, *FEW, *overrides)


def _case(network: str) -> Case:
    profile, overrides = NETWORKS[network]
    sides: dict[str, Builder] = {
        preset: partial(_build, _of_preset, (f"migration={preset}", *overrides))
        for preset in PRESETS
    }
    legacy = ("migration=legacy", *overrides)
    references: dict[str, Builder] = {}
    # The loop by hand knows no autocast.
    if _BF16 not in overrides:
        references["bare"] = partial(_build, _bare, legacy)
    if profile != "fast":
        references["channels_last"] = partial(_build, _channels_last, legacy)
    return Case(
        f"step-{network}",
        "training-step",
        sides,
        ("step1", "step2", "step3"),
        # bfloat16 has 8 bits, and each side rounds in its own order.
        tolerance=1e-4 if _BF16 not in overrides else 1e-3,
        profile=profile,
        references=references,
    )


CASES = tuple(_case(network) for network in NETWORKS)
