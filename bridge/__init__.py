"""Joins the two sides: converters, the mix of parts, and what proves both equal."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.assemble import MixedParts, build_components
    from bridge.convert import (
        CONVERSIONS,
        ConversionError,
        Conversions,
        PhimlLoader,
        PhimlModel,
        TorchCompatibleDataLoader,
        TorchLoader,
        TorchModel,
        to_phiml,
        to_torch,
    )

__all__ = [
    "CONVERSIONS",
    "ConversionError",
    "Conversions",
    "MixedParts",
    "PhimlLoader",
    "PhimlModel",
    "TorchCompatibleDataLoader",
    "TorchLoader",
    "TorchModel",
    "build_components",
    "to_phiml",
    "to_torch",
]


def __getattr__(name: str) -> Any:
    # torch and PhiML take seconds to import; only what needs them waits for them.
    if name not in __all__:
        raise AttributeError(f"module `bridge` has no attribute `{name}`")
    assembled = name in ("MixedParts", "build_components")
    module = import_module("bridge.assemble" if assembled else "bridge.convert")
    return getattr(module, name)
