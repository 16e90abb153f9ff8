"""Versions of the libraries that numbers depend on."""

from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "torch",
    "phiml",
    "phiflow",
    "numpy",
    "hydra-core",
    "safetensors",
    "pydantic",
)


def versions() -> dict[str, str]:
    """Versions of the libraries that numbers depend on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
