"""U-Net."""

from collections.abc import Callable
from typing import Any

from phiml import nn
from phiml.backend.torch import nets

from experiment.settings import Architecture
from phiml_port.models.network import Network
from phiml_port.models.periodic import upsample_periodically


class UNet(Network):
    """U-Net (Ronneberger et al. 2015, arXiv:1505.04597), built by `phiml.nn.u_net`.

    With `periodic` PhiML's down blocks are broken (residual blocks with a zero
    boundary) and its upsampling clamps at the edge; they are replaced by PhiML's own
    double convolutions and by its upsampling of a periodically padded grid.

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
        width, batch_norm = architecture.level_widths, architecture.batch_norm
        levels, activation = len(width), architecture.activation
        native: Any = nn.u_net(
            in_channels,
            out_channels,
            levels=levels,
            filters=tuple(width),
            batch_norm=batch_norm,
            activation=activation,
            in_spatial=rank,
            periodic=architecture.periodic,
        )
        if architecture.periodic:
            for level in range(1, levels):
                down = native.get_submodule(f"down{level}")
                up = native.get_submodule(f"up{level}")
                down.conv = nets.DoubleConv(
                    rank,
                    width[level - 1],
                    width[level],
                    width[level],
                    batch_norm,
                    nets.ACTIVATIONS[activation],
                    periodic=True,
                )
                up.forward = _joining(up.up, up.conv)
        flows: list[Any] = [
            m for m in native.modules() if isinstance(m, nets.nn.Sequential)
        ]
        multiple = 2 ** (levels - 1)
        super().__init__(
            native, _modules(levels), rank, flows=flows, size_multiple=multiple
        )


def _joining(upsample: Any, convolve: Any) -> Callable[[Any, Any], Any]:
    """Upsampling whose grid goes on at the other edge, beside the grid of that size."""

    def forward(coarse: Any, fine: Any) -> Any:
        return convolve((fine, upsample_periodically(upsample, coarse)))

    return forward


def _modules(levels: int) -> dict[str, str]:
    """Canonical names of PhiML's layers by theirs."""
    blocks = {"inc": "encoder.0"}
    blocks |= {f"down{n}.conv": f"encoder.{n}" for n in range(1, levels)}
    blocks |= {f"up{n}.conv": f"decoder.{n - 1}" for n in range(1, levels)}
    layers = {"0": "conv1", "1": "norm1", "3": "conv2", "4": "norm2"}
    named = {
        f"{block}.double_conv.{layer}": f"{canonical}.{name}"
        for block, canonical in blocks.items()
        for layer, name in layers.items()
    }
    return named | {"outc": "head"}
