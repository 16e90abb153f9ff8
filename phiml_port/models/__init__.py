"""The networks of the candidate."""

from phiml_port.models.convnet import ConvNet
from phiml_port.models.network import Network
from phiml_port.models.resnet import ResNet
from phiml_port.models.surrogate import Surrogate, take_channels
from phiml_port.models.unet import UNet
from phiml_port.models.weights import load_weights, save_weights

__all__ = [
    "ConvNet",
    "Network",
    "ResNet",
    "Surrogate",
    "UNet",
    "load_weights",
    "save_weights",
    "take_channels",
]
