"""ResNet."""

from phiml import nn

from experiment.settings import Architecture
from phiml_port.models.network import Network, leaves_of_convolution, leaves_of_norm


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
        layers, batch_norm = architecture.layer_widths, architecture.batch_norm
        native = nn.res_net(
            in_channels,
            out_channels,
            layers=list(layers),
            batch_norm=batch_norm,
            activation=architecture.activation,
            in_spatial=rank,
            periodic=architecture.periodic,
        )
        leaves: dict[str, str] = {}
        before = in_channels
        for i, width in enumerate(layers):
            canonical, inner = f"blocks.{i}", f"Res{i}" if i else "Res_in"
            for n in (1, 2):
                leaves |= leaves_of_convolution(
                    f"{canonical}.conv{n}", f"{inner}.conv{n}"
                )
                leaves |= leaves_of_norm(
                    f"{canonical}.norm{n}", f"{inner}.bn{n}", batch_norm
                )
            if width != before:
                leaves |= leaves_of_convolution(
                    f"{canonical}.skip", f"{inner}.sample_input"
                )
                leaves |= leaves_of_norm(
                    f"{canonical}.skip_norm", f"{inner}.bn_sample", batch_norm
                )
            before = width
        super().__init__(
            native, leaves | leaves_of_convolution("head", "Res_out"), rank
        )
