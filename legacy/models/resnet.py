"""ResNet."""

import torch
from torch import nn

from experiment.settings import Architecture
from legacy.models.blocks import ResidualBlock, convolution


class ResNet(nn.Module):
    """Residual network as `phiml.nn.res_net` has it on torch.

    One residual block an entry of `layers` (He et al. 2016, arXiv:1512.03385, without
    the activation after the sum), then a 1-wide convolution.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        rank: Number of spatial dims, 1 to 3.
        architecture: Its settings; of their shapes, layers.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        rank: int,
        architecture: Architecture,
    ) -> None:
        super().__init__()
        layers = architecture.layer_widths
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(rank, before, after, architecture)
                for before, after in zip(
                    [in_channels, *layers[:-1]], layers, strict=True
                )
            )
        )
        self.head = convolution(
            rank, layers[-1], out_channels, size=1, periodic=architecture.periodic
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, in_channels, x, ...)` to `(batch, out_channels, x, ...)`."""
        return self.head(self.blocks(x))
