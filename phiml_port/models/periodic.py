"""Periodic boundaries that keep the memory order.

PhiML's periodic convolutions pad through torch's circular mode, which lays its result
out with the channels outermost; every convolution then runs in the slower order. PhiML
has no word for memory order, so the padding is written on torch, PhiML's backend here:
one copy forward and one backward, in the order that the grid has.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


class _PeriodicPad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grid: torch.Tensor) -> torch.Tensor:
        order = _FORMATS.get(grid.ndim, torch.contiguous_format)
        if not grid.is_contiguous(memory_format=order):
            order = torch.contiguous_format
        sizes = (*grid.shape[:2], *(n + 2 for n in grid.shape[2:]))
        padded = torch.empty(
            sizes, dtype=grid.dtype, device=grid.device, memory_format=order
        )
        padded[_inner(grid.ndim)] = grid
        for axis in range(2, grid.ndim):
            padded.select(axis, 0).copy_(padded.select(axis, -2))
            padded.select(axis, -1).copy_(padded.select(axis, 1))
        return padded

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        gradient = gradient.clone()
        for axis in reversed(range(2, gradient.ndim)):
            gradient.select(axis, -2).add_(gradient.select(axis, 0))
            gradient.select(axis, 1).add_(gradient.select(axis, -1))
        return gradient[_inner(gradient.ndim)]


def _inner(ndim: int) -> tuple[slice, ...]:
    return (slice(None), slice(None), *(slice(1, -1),) * (ndim - 2))


def pad_periodically(native: torch.Tensor) -> torch.Tensor:
    """`(batch, vector, x, ...)` with one cell of the other edge on each side.

    Keeps dtype, device and memory order; differentiable once.
    """
    return _PeriodicPad.apply(native)


def keep_memory_order(network: Any, rank: int) -> None:
    """Makes a network's periodic convolutions pad by `pad_periodically`."""
    for layer in network.modules():
        if getattr(layer, "padding_mode", "") == "circular" and any(layer.padding):
            layer.padding_mode = "zeros"
            layer.padding = (0,) * rank
            layer.register_forward_pre_hook(
                lambda _, inputs: (pad_periodically(inputs[0]),)
            )
