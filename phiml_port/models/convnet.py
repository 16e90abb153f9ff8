"""ConvNet."""

from phiml import nn

from experiment.settings import Architecture
from phiml_port.models.network import Network, leaves_of_convolution, leaves_of_norm


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
        layers, batch_norm = architecture.layer_widths, architecture.batch_norm
        native = nn.conv_net(
            in_channels,
            out_channels,
            layers=list(layers),
            batch_norm=batch_norm,
            activation=architecture.activation,
            in_spatial=rank,
            periodic=architecture.periodic,
        )
        leaves: dict[str, str] = {}
        for i in range(len(layers)):
            canonical, inner = f"layers.{i}", f"Conv{i}" if i else "Conv_in"
            leaves |= leaves_of_convolution(f"{canonical}.conv", f"{inner}.0")
            leaves |= leaves_of_norm(f"{canonical}.norm", f"{inner}.1", batch_norm)
        blocks = [native.get_submodule(n.split(".")[0]) for n in leaves.values()]
        flow = [layer for block in dict.fromkeys(blocks) for layer in block]
        leaves |= leaves_of_convolution("head", "Conv_out")
        super().__init__(native, leaves, rank, flows=[flow])
