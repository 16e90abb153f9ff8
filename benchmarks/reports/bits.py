"""Loss and gradient of both sides from the same weights: equal bits, or how far apart.

The control runs with the port's memory order too, in which both call the same kernels.
"""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.cases import build
from benchmarks.cases.settings import FEW, simulated_settings

NETWORKS: dict[str, tuple[str, ...]] = {
    "unet, 16 filters": (),
    "unet, 16 filters, batch norm": ("model.synthetic.architecture.batch_norm=true",),
    "resnet, 3 blocks of 16": ("model/synthetic=resnet",),
    "convnet, 3 layers of 32": ("model/synthetic=convnet",),
}


def lines() -> Iterator[str]:
    """A line for each precision, boundary, network and memory order."""
    cases = itertools.product(("float32", "float64"), ("true", "false"), NETWORKS)
    with tempfile.TemporaryDirectory() as folder:
        for precision, periodic, network in cases:
            chosen = (
                *NETWORKS[network],
                f"general.precision={precision}",
                f"model.synthetic.architecture.periodic={periodic}",
            )
            for order, equal, far in distances(Path(folder) / precision, *chosen):
                word = "bitwise equal" if equal else "not bitwise"
                yield (
                    f"{precision}, {network}, periodic {periodic}, {order}: {word},"
                    f" worst {far:.1e}"
                )


def distances(folder: Path, *overrides: str) -> Iterator[tuple[str, bool, float]]:
    """Memory order, whether all bits are equal, and relative L2 of the gradients."""
    presets = ("legacy", "step1")
    legacy, port = (
        simulated_settings(folder, f"migration={preset}", *FEW, *overrides)
        for preset in presets
    )
    contiguous = build.first_batch(legacy)
    innermost = contiguous.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    for order, windows in (
        ("channels last on both sides", innermost),
        ("channels first for legacy", contiguous),
    ):
        (left_loss, left), (right_loss, right) = (
            _gradient(settings, windows) for settings in (legacy, port)
        )
        equal = torch.equal(left, right) and torch.equal(left_loss, right_loss)
        far = (left.double() - right.double()).norm() / left.double().norm()
        yield order, equal, far.item()


def _gradient(settings: Any, windows: torch.Tensor) -> tuple[torch.Tensor, Any]:
    """The loss, and the gradient by all weights in canonical order."""
    model = build.model(settings).train()
    loss = build.rollout_loss(settings, model, windows)
    loss.backward()
    gradients = [p.grad.flatten() for p in model.network.parameters()]
    return loss.detach(), torch.cat(gradients)
