"""One application of a network, and its gradient, on each side's own tensors."""

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import build
from benchmarks.cases.common import initial_velocities
from benchmarks.cases.settings import grid_of, settings_of
from benchmarks.harness.machine import device, finish
from bridge.harness.bench_case import Case, Profile, Subject

NETWORKS = ("unet", "resnet", "convnet")
#: Grid edge and batch size of the smaller profiles; `large` has all others.
_PROFILES: dict[tuple[int, int], Profile] = {
    (64, 8): "fast",
    (64, 1): "regular",
    (128, 8): "regular",
}
SIZES = tuple(itertools.product((64, 128, 256), (1, 8, 64)))


def model_settings(
    folder: Path, network: str, size: tuple[int, int], *overrides: str
) -> Any:
    """Settings of a network on a grid of `size[0]` cells an edge, `size[1]` samples."""
    edge, batch = size
    return settings_of(
        folder,
        f"model/synthetic={network}",
        f"trainer.batch_size={batch}",
        *grid_of(edge),
        *overrides,
    )


def legacy_model(settings: Any, *, gradient: bool) -> Subject:
    """torch's own: `(batch, vector, x, y)`, contiguous as the control's loader has it.

    Args:
        settings: Name the network, the grid and the batch size.
        gradient: Whether `run` takes the gradient by all weights too.
    """
    import torch

    states = initial_velocities(settings.model.physical, settings.trainer.batch_size)
    state = torch.from_numpy(states).permute(0, 3, 1, 2).contiguous().to(device())
    model = build.side_model(settings, "legacy")
    leaves = dict(model.network.named_parameters())

    def forward() -> Any:
        with torch.no_grad():
            return model(state)

    def backward() -> Any:
        model.zero_grad()
        following = model(state)
        following.square().mean().backward()
        return following

    work = {"samples": len(state), "cells": state[0, 0].numel()}
    return _subject(backward if gradient else forward, leaves, work)


def phiml_model(settings: Any, *, gradient: bool) -> Subject:
    """PhiML's: `(batch, x, y, vector)` from the start, as the port's loader has it."""
    import torch
    from phiml import math

    states = initial_velocities(settings.model.physical, settings.trainer.batch_size)
    model = build.side_model(settings, "phiml")
    state: Any = math.wrap(
        torch.from_numpy(states).to(device()),
        math.batch("batch"),
        math.spatial("x,y"),
        math.channel(vector=model.plan.names),
    )
    leaves = {n: w for n, w in model.parameters().items() if w.requires_grad}

    def forward() -> Any:
        with torch.no_grad():
            return model(state)

    def backward() -> Any:
        for leaf in leaves.values():
            leaf.grad = None
        following: Any = model(state)
        loss: Any = math.mean(following**2, following.shape)
        loss.native().backward()
        return following

    sizes = {d: int(state.shape.get_size(d)) for d in ("batch", "x", "y")}
    work = {"samples": sizes["batch"], "cells": sizes["x"] * sizes["y"]}
    return _subject(
        backward if gradient else forward,
        leaves,
        work,
        native=lambda named: named.native("batch,vector,x,y"),
    )


def _subject(
    call: Callable[[], Any],
    leaves: Mapping[str, Any],
    work: Mapping[str, int],
    native: Callable[[Any], Any] = lambda tensor: tensor,
) -> Subject:
    def run() -> None:
        call()
        finish()

    def outcome() -> dict[str, np.ndarray]:
        arrays = {"next state": _array(native(call()))}
        return arrays | {
            f"gradient of {name}": _array(leaf.grad)
            for name, leaf in leaves.items()
            if leaf.grad is not None
        }

    weights = sum(leaf.numel() for leaf in leaves.values())
    return Subject(run, outcome, {**work, "parameters": weights})


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()


def _build(
    side: str, network: str, size: tuple[int, int], gradient: bool, folder: Path
) -> Subject:
    settings = model_settings(folder, network, size)
    make = legacy_model if side == "legacy" else phiml_model
    return make(settings, gradient=gradient)


CASES = tuple(
    Case(
        f"{network}-{what}-{edge}-batch-{batch}",
        f"model-{what}",
        {
            side: partial(_build, side, network, (edge, batch), what == "gradient")
            for side in ("legacy", "phiml")
        },
        ("step1",),
        tolerance=1e-4,
        profile=_PROFILES.get((edge, batch), "large"),
    )
    for what in ("forward", "gradient")
    for network in NETWORKS
    for edge, batch in SIZES
)
