"""Measures step 1: `python -m benchmarks.measure_step1 bits`."""

import itertools
from pathlib import Path
from typing import Any

import torch

from benchmarks._door import measure_one
from benchmarks.settings import experiment_settings, simulated
from bridge import build_trainer
from experiment.settings import Settings
from legacy.data import WindowLoader
from legacy.models import export_weights, import_weights
from legacy.training import rollout_loss

NETWORKS: dict[str, tuple[str, ...]] = {
    "unet, 16 filters": (),
    "unet, 16 filters, batch norm": ("model.synthetic.architecture.batch_norm=true",),
    "unet, 64 filters": ("model.synthetic.architecture.filters=64",),
    "resnet, 3 blocks of 16": ("model/synthetic=resnet",),
    "convnet, 3 layers of 32": ("model/synthetic=convnet",),
}


def _settings(folder: Path, preset: str, overrides: tuple[str, ...]) -> Settings:
    return experiment_settings(folder, "burgers", f"migration={preset}", *overrides)


def _trainer(folder: Path, preset: str, overrides: tuple[str, ...]) -> Any:
    settings = simulated(_settings(folder, preset, overrides))
    return build_trainer(settings)


def bits(folder: Path) -> None:
    """Loss and gradient from copied weights: equal bits, or how far apart."""
    cases = itertools.product(("float32", "float64"), ("true", "false"))
    for precision, boundary in cases:
        for name, overrides in NETWORKS.items():
            if "64 filters" in name:
                continue
            chosen = (
                *overrides,
                f"general.precision={precision}",
                f"model.synthetic.architecture.periodic={boundary}",
            )
            legacy = _trainer(folder, "legacy", chosen)
            port = _trainer(folder, "step1", chosen)
            import_weights(port.network, export_weights(legacy.network))
            plain = next(iter(WindowLoader(legacy.settings, [0], shuffle=True)))
            innermost = plain.permute(0, 2, 3, 4, 1).contiguous()
            innermost = innermost.permute(0, 4, 1, 2, 3)
            for order, windows in (
                ("channels last on both sides", innermost),
                ("channels first for legacy", plain),
            ):
                equal, far = _gradients(legacy, port, windows)
                print(
                    f"{precision}, {name}, periodic {boundary}, {order}: {equal},"
                    f" worst {far:.1e}"
                )


def _gradients(legacy: Any, port: Any, windows: torch.Tensor) -> tuple[str, float]:
    found = []
    for trainer in (legacy, port):
        trainer.network.zero_grad()
        loss = rollout_loss(trainer.model.train(), windows, trainer.plan.dynamic)
        loss.backward()
        gradients = [p.grad.clone() for p in trainer.network.parameters()]
        found.append((loss.detach(), torch.cat([g.flatten() for g in gradients])))
    (left_loss, left), (right_loss, right) = found
    same = torch.equal(left, right) and torch.equal(left_loss, right_loss)
    scale = left.double().norm()
    far = ((left.double() - right.double()).norm() / scale).item()
    return ("bitwise equal" if same else "not bitwise"), far


if __name__ == "__main__":
    measure_one({"bits": bits}, __doc__)
