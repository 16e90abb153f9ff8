"""What no training step beats: its convolutions alone, and a matrix product."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.cases import build
from benchmarks.cases.settings import settings_of

_SIZE = 2048


def lines() -> Iterator[str]:
    """All convolutions of the default step, each alone, and a matrix product."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(Path(folder))
    network = build.side_model(settings, "phiml").native
    grid = settings.model.physical.resolution
    batch, steps = settings.trainer.batch_size, settings.trainer.rollout_steps
    state = build.innermost(torch.randn(batch, 2, grid["x"], grid["y"]))
    inputs: list[tuple[Any, torch.Tensor]] = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(
                lambda m, x, _: inputs.append((m, x[0].detach()))
            )
    network(state)
    forward = backward = operations = 0.0
    for layer, x in inputs:
        forward += _seconds(lambda m=layer, x=x: torch.conv2d(x, m.weight, m.bias))
        with torch.no_grad():
            y = torch.conv2d(x, layer.weight, layer.bias)
        gradient = torch.randn_like(y)
        backward += _seconds(lambda m=layer, x=x, g=gradient: _both(m, x, g))
        operations += 2 * y.numel() * layer.weight[0].numel()
    whole = steps * (forward + backward)
    yield (
        f"{len(inputs)} convolutions, {steps} steps, batch {batch}: forward"
        f" {1e3 * steps * forward:.1f} ms, backward {1e3 * steps * backward:.1f} ms,"
        f" {3e-9 * steps * operations / whole:.0f} GFLOPS"
    )
    a, b = torch.randn(_SIZE, _SIZE), torch.randn(_SIZE, _SIZE)
    product = _seconds(lambda: a @ b)
    yield f"matrix product of {_SIZE}: {2e-9 * _SIZE**3 / product:.0f} GFLOPS"


def _both(layer: Any, x: torch.Tensor, gradient: torch.Tensor) -> object:
    """The gradients of a convolution by its input, its weight and its bias."""
    return torch.ops.aten.convolution_backward(
        *(gradient, x, layer.weight, [len(gradient[0])], [1, 1], [0, 0], [1, 1]),
        *(False, [0, 0], 1, [True, True, True]),
    )


def _seconds(call: Callable[[], object]) -> float:
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
