"""ResNet."""

from collections.abc import Sequence

import torch
from torch import nn

from legacy.models.blocks import ResidualBlock, convolution


class ResNet(nn.Module):
    """Residual network as `phiml.nn.res_net` has it on torch.

    One residual block an entry of `layers` (He et al. 2016, arXiv:1512.03385, without
    the activation after the sum), then a 1-wide convolution.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        rank: Number of spatial dims, 1 to 3.
        layers: Channels of each block.
        batch_norm: Whether a batch normalisation follows each convolution.
        activation: ReLU, Sigmoid, tanh, SiLU or GeLU.
        periodic: Whether the boundary is periodic; it is zero otherwise.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        rank: int,
        layers: Sequence[int],
        batch_norm: bool,
        activation: str,
        periodic: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(
                    rank,
                    before,
                    after,
                    batch_norm=batch_norm,
                    activation=activation,
                    periodic=periodic,
                )
                for before, after in zip(
                    [in_channels, *layers[:-1]], layers, strict=True
                )
            )
        )
        self.head = convolution(
            rank, layers[-1], out_channels, size=1, periodic=periodic
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, in_channels, x, ...)` to `(batch, out_channels, x, ...)`."""
        return self.head(self.blocks(x))
