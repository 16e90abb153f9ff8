"""ResNet."""

from phiml import nn

from experiment.settings import Architecture
from phiml_port.models.network import Network


class ResNet(Network):
    """Residual network, built by `phiml.nn.res_net`.

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
        layers = architecture.layer_widths
        native = nn.res_net(
            in_channels,
            out_channels,
            layers=list(layers),
            batch_norm=architecture.batch_norm,
            activation=architecture.activation,
            in_spatial=rank,
            periodic=architecture.periodic,
        )
        names = {"conv1": "conv1", "bn1": "norm1", "conv2": "conv2", "bn2": "norm2"}
        names |= {"sample_input": "skip", "bn_sample": "skip_norm"}
        modules = {
            f"{f'Res{i}' if i else 'Res_in'}.{inner}": f"blocks.{i}.{canonical}"
            for i in range(len(layers))
            for inner, canonical in names.items()
        }
        super().__init__(native, modules | {"Res_out": "head"}, rank)
