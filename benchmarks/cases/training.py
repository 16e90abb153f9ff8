"""One training step of every step of the migration, on the same batch."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import build
from benchmarks.cases.common import any_loss, learned_numbers, window_work
from benchmarks.cases.settings import FEW, simulated_settings
from benchmarks.harness.machine import finish
from bridge.harness.bench_case import Builder, Case, Profile, Subject

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
    settings = simulated_settings(folder, f"migration={preset}", *overrides)
    loader = build.loader(settings)

    def epoch(learner: Any, number: int) -> list[float]:
        loader.set_epoch(number)
        return [learner.step(w, any_loss) for w in loader]

    model = build.model(settings)
    learner, numbers = build.learner(settings, model), itertools.count()

    def run() -> None:
        epoch(learner, next(numbers))
        finish()

    loader.set_epoch(0)
    work = {"batches": len(loader), "samples": len(loader.dataset)}
    return Subject(
        run,
        lambda: {"losses": np.array(epoch(build.learner(settings), 0))},
        work | learned_numbers(model),
    )


def _of_preset(settings: Any) -> Made:
    windows, model = build.first_batch(settings), build.model(settings)
    return _step(settings, model, windows)


def _channels_last(settings: Any) -> Made:
    """The control's own step, its weights and its batch in torch's channels_last."""
    import torch

    contiguous = build.first_batch(settings)
    windows = contiguous.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    model = build.model(settings).to(memory_format=torch.channels_last)
    return _step(settings, model, windows)


def _step(settings: Any, model: Any, windows: Any) -> Made:
    learner = build.learner(settings, model)
    work = window_work(windows) | learned_numbers(model)
    return lambda: learner.step(windows, any_loss), work


def _bare(settings: Any) -> Made:
    """A loop by hand: the port's kernels in plain torch, channels innermost."""
    windows = build.first_batch(settings)
    frames = [build.innermost(windows[:, :, t]) for t in range(windows.shape[2])]
    return _by_hand(settings, frames, build.side_model(settings, "phiml").native, True)


def _bare_legacy(settings: Any) -> Made:
    """A loop by hand over the control's network: what its trainer adds to a step."""
    windows = build.first_batch(settings)
    network = build.side_model(settings, "legacy").network
    frames = [windows[:, :, t] for t in range(windows.shape[2])]
    return _by_hand(settings, frames, network, False)


def _by_hand(settings: Any, frames: list[Any], network: Any, fused: bool) -> Made:
    """A step in plain torch.

    Without a check of the loss, an autocast switch, a schedule or static channels.
    """
    import torch
    from torch.nn import functional

    rate = settings.trainer.synthetic.learning_rate
    optimiser = torch.optim.Adam(network.parameters(), lr=rate, fused=fused)

    def step() -> Any:
        optimiser.zero_grad()
        state, loss = frames[0], frames[0].new_zeros(())
        for target in frames[1:]:
            state = state + network(state)
            loss = loss + functional.mse_loss(state, target)
        loss = loss / (len(frames) - 1)
        loss.backward()
        optimiser.step()
        return loss.detach()

    work = {"samples": len(frames[0]), "steps": len(frames) - 1}
    return step, work | learned_numbers(network)


def _subject(make: Callable[[Any], Made], folder: Path, *overrides: str) -> Subject:
    return _of_settings(
        make,
        simulated_settings(folder, *overrides),
        lambda *more: simulated_settings(folder, *overrides, *more),
    )


def step_of(settings: Any, in_float64: Callable[[], Any]) -> Subject:
    """A step of the trainer that some settings build, on their first batch.

    Args:
        settings: Their simulations are on disk.
        in_float64: The same in float64, with its simulations.
    """
    return _of_settings(_of_preset, settings, lambda *more: in_float64())


def _of_settings(
    make: Callable[[Any], Made], settings: Any, again: Callable[..., Any]
) -> Subject:
    timed, work = make(settings)

    def run() -> None:
        timed()
        finish()

    def outcome() -> dict[str, np.ndarray]:
        from phiml import math

        # Losses and not weights: Adam divides each gradient by its own size, so that
        # a weight whose gradient is rounding takes a whole step of either sign, which
        # the loss hardly depends on. With batch norm the gradient at the initial
        # weights amplifies rounding by 1e4 (docs/measurements.md), so that float32
        # says nothing there: those losses are compared in float64. From a trainer of
        # its own, so that `run` begins where the other sides begin.
        norm = settings.model.synthetic.architecture.batch_norm
        step, _ = make(again("general.precision=float64") if norm else settings)
        # PhiML's networks cast to its precision; only the trainers set it themselves.
        double = norm or settings.general.precision == "float64"
        with math.precision(64 if double else 32):
            return {"losses": np.array([float(step()) for _ in range(_COMPARED)])}

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
    # A loop by hand knows no autocast.
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


def _case_by_hand(network: str) -> Case:
    _, overrides = NETWORKS[network]
    legacy = ("migration=legacy", *overrides)
    return Case(
        f"step-by-hand-{network}",
        "training-step",
        {"legacy": partial(_build, _of_preset, legacy)},
        ("step1", "step2", "step3"),
        tolerance=1e-4,
        profile="regular",
        references={"bare_legacy": partial(_build, _bare_legacy, legacy)},
    )


CASES = (
    *(_case(network) for network in NETWORKS),
    *(_case_by_hand(network) for network in ("unet-16", "unet-16-norm", "convnet")),
)
