"""torch <-> PhiML: converters, adapters of models and loaders, and their counts."""

from bridge.convert.converters import ConversionError, to_phiml, to_torch
from bridge.convert.counters import CONVERSIONS, Conversions
from bridge.convert.loaders import (
    PhimlLoader,
    TorchCompatibleDataLoader,
    TorchLoader,
)
from bridge.convert.models import CanonicalLeaves, PhimlModel, TorchModel

__all__ = [
    "CONVERSIONS",
    "CanonicalLeaves",
    "ConversionError",
    "Conversions",
    "PhimlLoader",
    "PhimlModel",
    "TorchCompatibleDataLoader",
    "TorchLoader",
    "TorchModel",
    "to_phiml",
    "to_torch",
]
