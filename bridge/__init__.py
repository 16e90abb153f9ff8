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
    from bridge.migration import (
        Function,
        Leaf,
        Migration,
        OwnFault,
        Proof,
        Side,
        Symmetry,
    )

#: Names that each room gives; all others are converters.
_ROOMS = {
    "bridge.assemble": ("MixedParts", "build_components"),
    "bridge.migration": (
        "Function",
        "Leaf",
        "Migration",
        "OwnFault",
        "Proof",
        "Side",
        "Symmetry",
    ),
}

__all__ = [
    "CONVERSIONS",
    "ConversionError",
    "Conversions",
    "Function",
    "Leaf",
    "Migration",
    "MixedParts",
    "OwnFault",
    "PhimlLoader",
    "PhimlModel",
    "Proof",
    "Side",
    "Symmetry",
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
    room = next((r for r, names in _ROOMS.items() if name in names), "bridge.convert")
    return getattr(import_module(room), name)
