"""A pair of networks of one's own: a Fourier neural operator on either side.

Li et al. 2021, arXiv:2010.08895: in each block the lowest modes are multiplied by
complex weights, which no rule of initial weights knows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from phiml import math
from phiml.math import Shape, Tensor, channel
from torch import nn
from torch.nn import functional


class SpectralConvolution(nn.Module):
    """Multiplies the lowest modes of the last two axes by complex weights."""

    def __init__(self, width: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        shape = (2, width, width, modes, modes)
        self.modes_weight = nn.Parameter(torch.randn(shape, dtype=torch.cfloat) / width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, width, x, y)` to the same."""
        low, high = slice(self.modes), slice(-self.modes, None)
        spectrum = torch.fft.rfft2(x)
        result = torch.zeros_like(spectrum)
        for rows, weight in zip((low, high), self.modes_weight, strict=True):
            part = spectrum[:, :, rows, low]
            result[:, :, rows, low] = torch.einsum("bixy,ioxy->boxy", part, weight)
        return torch.fft.irfft2(result, s=x.shape[-2:])


class Block(nn.Module):
    """GELU of a spectral convolution plus a pointwise one."""

    def __init__(self, width: int, modes: int, approximate: str) -> None:
        super().__init__()
        self.spectral = SpectralConvolution(width, modes)
        self.pointwise = nn.Conv2d(width, width, 1)
        self.approximate = approximate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, width, x, y)` to the same."""
        total = self.spectral(x) + self.pointwise(x)
        return functional.gelu(total, approximate=self.approximate)


class FNO(nn.Module):
    """The control: lifting, blocks, projection.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        rank: 2.
        architecture: Not read.
        width: Channels of a block.
        modes: Modes along each axis.
    """

    approximate = "none"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        rank: int,
        architecture: Any,
        *,
        width: int = 4,
        modes: int = 3,
    ) -> None:
        super().__init__()
        self.lift = nn.Conv2d(in_channels, width, 1)
        self.blocks = nn.ModuleList(
            Block(width, modes, self.approximate) for _ in range(2)
        )
        self.scale = nn.Parameter(torch.ones(1, width, 1, 1))
        self.project = nn.Conv2d(width, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, in_channels, x, y)` to `(batch, out_channels, x, y)`."""
        x = self.lift(x)
        for block in self.blocks:
            x = block(x)
        return self.project(x * self.scale)


class TanhFNO(FNO):
    """The same with GELU approximated by tanh."""

    approximate = "tanh"


class PhimlFNO:
    """The candidate, called on named dims; what the port asks of a network."""

    control: type[FNO] = FNO

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.native = self.control(*arguments, **options)

    def __call__(self, x: Tensor, out: Shape | None = None) -> Tensor:
        """`(batch..., x, y, vector)` to the same, components as `out` has them."""
        dim: Any = channel("vector") if out is None else out
        return math.native_call(self.native, x, channel_dim=dim)

    def parameters(self) -> dict[str, Any]:
        """Leaves by canonical name."""
        return self.native.state_dict(keep_vars=True)

    def export_weights(self) -> dict[str, np.ndarray]:
        """Copies of all leaves."""
        return {n: p.detach().numpy().copy() for n, p in self.parameters().items()}

    def import_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Fills all leaves."""
        for name, leaf in self.parameters().items():
            leaf.data.copy_(torch.from_numpy(weights[name]))

    def set_training(self, training: bool) -> None:
        """Training or evaluation mode."""
        self.native.train(training)

    def convert(self, device: str, precision: int) -> None:
        """Moves all leaves to a device and a precision, complex ones too."""
        kind = torch.float64 if precision == 64 else torch.float32
        for leaf in self.native.parameters():
            cast_to = kind.to_complex() if leaf.is_complex() else kind
            leaf.data = leaf.data.to(device, cast_to)


class TanhPhimlFNO(PhimlFNO):
    """The candidate with a planted fault: GELU approximated by tanh."""

    control = TanhFNO
