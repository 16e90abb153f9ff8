"""The networks of the control."""

from legacy.models.convnet import ConvNet
from legacy.models.resnet import ResNet
from legacy.models.surrogate import Surrogate, take_channels
from legacy.models.unet import UNet
from legacy.models.weights import (
    cast_leaves,
    export_weights,
    import_weights,
    leaf_shapes,
)

__all__ = [
    "ConvNet",
    "ResNet",
    "Surrogate",
    "UNet",
    "cast_leaves",
    "export_weights",
    "import_weights",
    "leaf_shapes",
    "take_channels",
]
