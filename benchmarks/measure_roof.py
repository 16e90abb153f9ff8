"""Measures what no training step beats: `python -m benchmarks.measure_roof convs`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks._door import measure_one
from benchmarks.settings import experiment_settings
from bridge import build_phiml_model
from phiml_port.models.memory import channels_last

_SIZE = 2048


def convs(folder: Path) -> None:
    """All convolutions of the default step, each alone, and a matrix product."""
    settings = experiment_settings(folder, "burgers")
    network = build_phiml_model(settings).native
    grid = settings.model.physical.resolution
    batch, steps = settings.trainer.batch_size, settings.trainer.rollout_steps
    state = channels_last(torch.randn(batch, 2, grid["x"], grid["y"]))
    seen: list[tuple[Any, torch.Tensor]] = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda m, x, _: seen.append((m, x[0].detach())))
    network(state)
    forward = backward = operations = 0.0
    for layer, x in seen:
        own = _timed(lambda m=layer, x=x: torch.conv2d(x, m.weight, m.bias))
        with torch.no_grad():
            y = torch.conv2d(x, layer.weight, layer.bias)
        forward += own
        gradient = torch.randn_like(y)
        backward += _timed(lambda m=layer, x=x, g=gradient: _both(m, x, g))
        operations += 2 * y.numel() * layer.weight[0].numel()
    whole = steps * (forward + backward)
    print(
        f"{len(seen)} convolutions, {steps} steps, batch {batch}: forward"
        f" {1e3 * steps * forward:.1f} ms, backward {1e3 * steps * backward:.1f} ms,"
        f" {3e-9 * steps * operations / whole:.0f} GFLOPS"
    )
    a, b = torch.randn(_SIZE, _SIZE), torch.randn(_SIZE, _SIZE)
    product = _timed(lambda: a @ b)
    print(f"matrix product of {_SIZE}: {2e-9 * _SIZE**3 / product:.0f} GFLOPS")


def _both(layer: Any, x: torch.Tensor, gradient: torch.Tensor) -> object:
    """The gradients of a convolution by its input, its weight and its bias."""
    return torch.ops.aten.convolution_backward(
        *(gradient, x, layer.weight, [len(gradient[0])], [1, 1], [0, 0], [1, 1]),
        *(False, [0, 0], 1, [True, True, True]),
    )


def _timed(call: Callable[[], object]) -> float:
    """Seconds of a call: the best of 7 times 10."""
    best = float("inf")
    with torch.no_grad():
        call()
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(10):
                call()
            best = min(best, (time.perf_counter() - start) / 10)
    return best


if __name__ == "__main__":
    measure_one({"convs": convs}, __doc__)
