"""Joins the two sides: factories, and what proves that both are equal."""

from bridge._adapters import (
    CanonicalLeaves,
    PhimlView,
    TorchCompatibleDataLoader,
    TorchView,
)
from bridge._conversions import CONVERSIONS, Conversions
from bridge._converters import ConversionError, to_phiml, to_torch
from bridge._factories import (
    build_components,
    build_legacy_model,
    build_loader,
    build_model,
    build_named_model,
    build_phiml_model,
    build_trainer,
    forecast_of_checkpoint,
    phiml_loader,
)

__all__ = [
    "CONVERSIONS",
    "CanonicalLeaves",
    "ConversionError",
    "Conversions",
    "PhimlView",
    "TorchCompatibleDataLoader",
    "TorchView",
    "build_components",
    "build_legacy_model",
    "build_loader",
    "build_model",
    "build_named_model",
    "build_phiml_model",
    "build_trainer",
    "forecast_of_checkpoint",
    "phiml_loader",
    "to_phiml",
    "to_torch",
]
