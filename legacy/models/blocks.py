"""Building blocks of the networks, in 1, 2 and 3 dimensions."""

import torch
from torch import nn
from torch.nn import functional

from experiment.settings import Architecture

_CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_UPSAMPLING = {1: "linear", 2: "bilinear", 3: "trilinear"}
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "ReLU": nn.ReLU,
    "Sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "SiLU": nn.SiLU,
    "GeLU": nn.GELU,
}


def convolution(
    rank: int, in_channels: int, out_channels: int, *, size: int, periodic: bool
) -> nn.Module:
    """A convolution that keeps the resolution; zero or periodic boundary."""
    return _CONVOLUTION[rank](
        in_channels,
        out_channels,
        kernel_size=size,
        padding=size // 2,
        padding_mode="circular" if periodic and size > 1 else "zeros",
    )


def norm(rank: int, channels: int, enabled: bool) -> nn.Module:
    """Batch normalisation (eps 1e-5, momentum 0.1), or nothing."""
    return _NORM[rank](channels) if enabled else nn.Identity()


def pool(rank: int) -> nn.Module:
    """The largest of 2^rank cells."""
    return _POOL[rank](2)


class Upsample(nn.Module):
    """Twice the resolution by (bi-, tri-)linear interpolation between cell centres.

    With `periodic` the cell beyond an edge is the one at the other edge; without, it
    is the edge cell itself.
    """

    def __init__(self, rank: int, periodic: bool) -> None:
        super().__init__()
        self._mode = _UPSAMPLING[rank]
        self._rank = rank
        self._periodic = periodic

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, vector, x, ...)` to `(batch, vector, 2 x, ...)`."""
        if not self._periodic:
            return functional.interpolate(x, scale_factor=2, mode=self._mode)
        x = functional.pad(x, (1, 1) * self._rank, mode="circular")
        x = functional.interpolate(x, scale_factor=2, mode=self._mode)
        inner = (slice(None), slice(None), *(slice(2, -2),) * self._rank)
        return x[inner]


class DoubleConv(nn.Module):
    """Twice (3-wide convolution, batch norm, activation); the second one is a ReLU.

    The block of `phiml.nn.u_net`, whose last activation is a ReLU whatever
    `activation` says.
    """

    def __init__(
        self,
        rank: int,
        channels: tuple[int, int, int],
        architecture: Architecture,
    ) -> None:
        super().__init__()
        batch_norm, periodic = architecture.batch_norm, architecture.periodic
        first, middle, last = channels
        self.conv1 = convolution(rank, first, middle, size=3, periodic=periodic)
        self.norm1 = norm(rank, middle, batch_norm)
        self.activation = ACTIVATIONS[architecture.activation]()
        self.conv2 = convolution(rank, middle, last, size=3, periodic=periodic)
        self.norm2 = norm(rank, last, batch_norm)
        self.last_activation = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, first, x, ...)` to `(batch, last, x, ...)`."""
        x = self.activation(self.norm1(self.conv1(x)))
        return self.last_activation(self.norm2(self.conv2(x)))


class ResidualBlock(nn.Module):
    """Twice (3-wide convolution, batch norm, activation), plus the input.

    Where the number of channels changes, the input passes a 1-wide convolution and a
    batch norm. Nothing follows the sum.
    """

    def __init__(
        self,
        rank: int,
        in_channels: int,
        out_channels: int,
        architecture: Architecture,
    ) -> None:
        super().__init__()
        batch_norm, periodic = architecture.batch_norm, architecture.periodic
        self.conv1 = convolution(
            rank, in_channels, out_channels, size=3, periodic=periodic
        )
        self.norm1 = norm(rank, out_channels, batch_norm)
        self.conv2 = convolution(
            rank, out_channels, out_channels, size=3, periodic=periodic
        )
        self.norm2 = norm(rank, out_channels, batch_norm)
        self.activation = ACTIVATIONS[architecture.activation]()
        self.skip: nn.Module = nn.Identity()
        self.skip_norm: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.skip = convolution(
                rank, in_channels, out_channels, size=1, periodic=periodic
            )
            self.skip_norm = norm(rank, out_channels, batch_norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, in_channels, x, ...)` to `(batch, out_channels, x, ...)`."""
        y = self.activation(self.norm1(self.conv1(x)))
        y = self.activation(self.norm2(self.conv2(y)))
        return y + self.skip_norm(self.skip(x))
