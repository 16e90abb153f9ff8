"""ConvNet."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from legacy.models.blocks import ACTIVATIONS, convolution, norm


class ConvNet(nn.Module):
    """Plain convolutional network as `phiml.nn.conv_net` has it on torch.

    One (3-wide convolution, batch norm, activation) an entry of `layers`, then a
    1-wide convolution.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        rank: Number of spatial dims, 1 to 3.
        layers: Channels of each layer.
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

        def layer(before: int, after: int) -> nn.Sequential:
            return nn.Sequential(
                OrderedDict(
                    conv=convolution(rank, before, after, size=3, periodic=periodic),
                    norm=norm(rank, after, batch_norm),
                    activation=ACTIVATIONS[activation](),
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
