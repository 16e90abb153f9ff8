"""ConvNet."""

from phiml import nn

from experiment.settings import Architecture
from phiml_port.models.network import Network


class ConvNet(Network):
    """Plain convolutional network, built by `phiml.nn.conv_net`.

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
        layers = architecture.layer_widths
        native = nn.conv_net(
            in_channels,
            out_channels,
            layers=list(layers),
            batch_norm=architecture.batch_norm,
            activation=architecture.activation,
            in_spatial=rank,
            periodic=architecture.periodic,
        )
        blocks = [f"Conv{i}" if i else "Conv_in" for i in range(len(layers))]
        modules = {
            f"{block}.{layer}": f"layers.{i}.{name}"
            for i, block in enumerate(blocks)
            for layer, name in (("0", "conv"), ("1", "norm"))
        }
        flow = [layer for block in blocks for layer in native.get_submodule(block)]
        super().__init__(native, modules | {"Conv_out": "head"}, rank, flows=[flow])
