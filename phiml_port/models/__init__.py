"""The networks of the candidate."""

from phiml_port.models.convnet import ConvNet
from phiml_port.models.network import Network
from phiml_port.models.resnet import ResNet
from phiml_port.models.surrogate import Surrogate, take_channels
from phiml_port.models.unet import UNet

__all__ = [
    "ConvNet",
    "Network",
    "ResNet",
    "Surrogate",
    "UNet",
    "take_channels",
]
