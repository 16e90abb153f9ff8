"""ConvNet."""

from collections import OrderedDict

import torch
from torch import nn

from experiment.settings import Architecture
from legacy.models.blocks import ACTIVATIONS, convolution, norm


class ConvNet(nn.Module):
    """Plain convolutional network as `phiml.nn.conv_net` has it on torch.

    One (3-wide convolution, batch norm, activation) an entry of `layers`, then a
    1-wide convolution.

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
        layers, periodic = architecture.layer_widths, architecture.periodic

        def layer(before: int, after: int) -> nn.Sequential:
            return nn.Sequential(
                OrderedDict(
                    conv=convolution(rank, before, after, size=3, periodic=periodic),
                    norm=norm(rank, after, architecture.batch_norm),
                    activation=ACTIVATIONS[architecture.activation](),
                )
            )

        self.layers = nn.Sequential(
            *(
                layer(before, after)
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
        return self.head(self.layers(x))
