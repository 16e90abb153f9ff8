"""Joins the two sides: converters, the mix of parts, and what proves both equal."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.assemble import build_components
    from bridge.convert import (
        CONVERSIONS,
        ConversionError,
        Conversions,
        TorchCompatibleDataLoader,
        to_phiml,
        to_torch,
    )

__all__ = [
    "CONVERSIONS",
    "ConversionError",
    "Conversions",
    "TorchCompatibleDataLoader",
    "build_components",
    "to_phiml",
    "to_torch",
]


def __getattr__(name: str) -> Any:
    # torch and PhiML take seconds to import; only what needs them waits for them.
    if name == "build_components":
        from bridge.assemble import build_components

        return build_components
    if name in __all__:
        from bridge import convert

        return getattr(convert, name)
    raise AttributeError(f"module `bridge` has no attribute `{name}`")
