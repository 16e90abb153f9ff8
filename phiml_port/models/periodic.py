"""Periodic boundaries that keep the memory order, and cost one pass.

PhiML's periodic convolutions pad through torch's circular mode, which lays its result
out with the channels outermost; every convolution then runs in the slower order. PhiML
has no word for memory order, so what a convolution gets is put together here, on torch,
PhiML's backend: rectified, joined and padded by one copy, in the order that the grid
has. All of it is differentiable once.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
_CONVOLVE = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}


class _PeriodicPad(torch.autograd.Function):
    """Pads grids joined along `vector`, each value below zero set to zero on demand."""

    @staticmethod
    def forward(ctx: Any, rectified: bool, *grids: torch.Tensor) -> torch.Tensor:
        channels = [grid.shape[1] for grid in grids]
        padded = _empty(grids[0], sum(channels))
        inner = padded[_inner(padded.ndim)]
        for part, grid in zip(inner.split(channels, 1), grids, strict=True):
            if rectified:
                torch.clamp_min(grid, 0, out=part)
            else:
                part.copy_(grid)
        _fill_edges(padded)
        ctx.channels = channels
        ctx.rectified = rectified
        if rectified:
            ctx.save_for_backward(padded)
        return padded

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:  # type: ignore[override]
        # In place: the padded grid goes to one convolution alone, so its gradient is
        # of no use elsewhere.
        for axis in reversed(range(2, gradient.ndim)):
            gradient.select(axis, -2).add_(gradient.select(axis, 0))
            gradient.select(axis, 1).add_(gradient.select(axis, -1))
        inside = _inner(gradient.ndim)
        inner = gradient[inside]
        if ctx.rectified:
            (padded,) = ctx.saved_tensors
            inner = torch.ops.aten.threshold_backward(inner, padded[inside], 0)
        return None, *inner.split(ctx.channels, 1)


class _PeriodicUpsample(torch.autograd.Function):
    """Twice as many cells along each axis, by an upsampling layer of torch."""

    @staticmethod
    def forward(
        ctx: Any, upsample: Callable[[Any], Any], grid: torch.Tensor
    ) -> torch.Tensor:
        outside = (slice(None), slice(None), *(slice(2, -2),) * (grid.ndim - 2))
        return upsample(_padded(grid))[outside]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:  # type: ignore[override]
        # The transposed upsampling: along each axis a coarse cell collects the four
        # fine cells that it went to. torch's own takes twice as long.
        kernel = _collecting(
            gradient.shape[1], gradient.ndim, gradient.dtype, gradient.device
        )
        convolve = _CONVOLVE[gradient.ndim]
        return None, convolve(
            _padded(gradient), kernel, stride=2, groups=gradient.shape[1]
        )


@cache
def _collecting(
    channels: int, ndim: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """The weights of linear upsampling, `(vector, 1, 4, ...)`."""
    axis = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=dtype, device=device)
    weights = axis
    for _ in range(ndim - 3):
        weights = weights[..., None] * axis
    return weights.expand(channels, 1, *weights.shape).contiguous()


def _empty(grid: torch.Tensor, channels: int) -> torch.Tensor:
    """An empty grid in the memory order of `grid`, two cells larger along each axis."""
    order = _FORMATS.get(grid.ndim, torch.contiguous_format)
    # A part of a grid with the channels innermost has them innermost too.
    if grid.ndim in _FORMATS and grid.shape[1] > 1 and grid.stride(1) != 1:
        order = torch.contiguous_format
    sizes = (grid.shape[0], channels, *(n + 2 for n in grid.shape[2:]))
    return torch.empty(sizes, dtype=grid.dtype, device=grid.device, memory_format=order)


def _fill_edges(padded: torch.Tensor) -> None:
    for axis in range(2, padded.ndim):
        padded.select(axis, 0).copy_(padded.select(axis, -2))
        padded.select(axis, -1).copy_(padded.select(axis, 1))


def _padded(grid: torch.Tensor) -> torch.Tensor:
    padded = _empty(grid, grid.shape[1])
    padded[_inner(grid.ndim)] = grid
    _fill_edges(padded)
    return padded


def _inner(ndim: int) -> tuple[slice, ...]:
    return (slice(None), slice(None), *(slice(1, -1),) * (ndim - 2))


def pad_periodically(
    grids: Sequence[torch.Tensor], *, rectified: bool = False
) -> torch.Tensor:
    """Joins grids along `vector`, with one cell of the other edge on each side.

    Keeps dtype, device and memory order. The result is for one convolution: its
    gradient is changed in place.

    Args:
        grids: `(batch, vector, x, ...)` each, of one batch and grid.
        rectified: Whether ReLU is applied first.
    """
    return _PeriodicPad.apply(rectified, *grids)


def upsample_periodically(
    upsample: Callable[[Any], Any], grid: torch.Tensor
) -> torch.Tensor:
    """Linear upsampling by 2 of a grid that goes on at the other edge.

    Args:
        upsample: torch's layer, `align_corners` off.
        grid: `(batch, vector, x, ...)`.
    """
    return _PeriodicUpsample.apply(upsample, grid)


class _Padding:
    """What is done before a convolution, as a hook of torch."""

    def __init__(self) -> None:
        self.rectified = False

    def __call__(self, _: nn.Module, inputs: tuple[Any]) -> tuple[torch.Tensor]:
        grids = inputs[0] if isinstance(inputs[0], tuple) else inputs
        return (pad_periodically(grids, rectified=self.rectified),)


def keep_memory_order(network: nn.Module, flows: Iterable[Sequence[nn.Module]]) -> None:
    """Makes a network's periodic convolutions pad by `pad_periodically`.

    They also take a tuple of grids, which they join, and a ReLU right before one of
    them is left to it.

    Args:
        network: Changed in place; the names of its leaves stay.
        flows: Layers in a row, the result of each going to the next one alone.
    """
    paddings: dict[nn.Module, _Padding] = {}
    for layer in network.modules():
        mode, width = (getattr(layer, n, None) for n in ("padding_mode", "padding"))
        if mode == "circular" and isinstance(width, tuple) and any(width):
            layer.padding_mode, layer.padding = "zeros", (0,) * len(width)  # type: ignore[assignment]
            paddings[layer] = _Padding()
            layer.register_forward_pre_hook(paddings[layer])
    parents = {
        child: (parent, name)
        for parent in network.modules()
        for name, child in parent.named_children()
    }
    for flow in flows:
        # Without batch norm PhiML has layers that do nothing in its place.
        acting = [layer for layer in flow if type(layer) is not nn.Identity]
        for before, after in pairwise(acting):
            if type(before) is nn.ReLU and after in paddings:
                paddings[after].rectified = True
                parent, name = parents[before]
                setattr(parent, name, nn.Identity())
