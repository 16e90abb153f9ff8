"""U-Net."""

import torch
from torch import nn

from experiment.settings import Architecture
from legacy.models.blocks import DoubleConv, Upsample, convolution, pool


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015, arXiv:1505.04597) as `phiml.nn.u_net` has it.

    `levels` resolutions; a DoubleConv at each on the way down (maximum pooling
    between), linear upsampling, concatenation [skip, upsampled] and a DoubleConv on the
    way up, a 1-wide convolution at the end. Every size must be a multiple of
    2^(levels-1). With `periodic`, convolutions and upsampling are periodic, so shifting
    the input by 2^(levels-1) cells shifts the output.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        rank: Number of spatial dims, 1 to 3.
        architecture: Its settings; of their shapes, levels and filters.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        rank: int,
        architecture: Architecture,
    ) -> None:
        super().__init__()
        width = architecture.level_widths
        periodic = architecture.periodic

        def block(first: int, middle: int, last: int) -> DoubleConv:
            return DoubleConv(rank, (first, middle, last), architecture)

        down = zip([in_channels, *width[:-1]], width, strict=True)
        self.encoder = nn.ModuleList(block(i, o, o) for i, o in down)
        up = list(zip(reversed(width[1:]), reversed(width[:-1]), strict=True))
        self.decoder = nn.ModuleList(
            block(below + here, (below + here) // 2, here) for below, here in up
        )
        self.pool = pool(rank)
        self.upsample = Upsample(rank, periodic)
        self.head = convolution(rank, width[0], out_channels, size=1, periodic=periodic)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, in_channels, x, ...)` to `(batch, out_channels, x, ...)`."""
        skips: list[torch.Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        skips.pop()
        for block in self.decoder:
            x = block(torch.cat([skips.pop(), self.upsample(x)], dim=1))
        return self.head(x)
