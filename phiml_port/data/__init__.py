"""The data pipeline of the candidate."""

from phiml_port.data.dataset import WindowDataset
from phiml_port.data.loader import WindowLoader
from phiml_port.data.scenes import read_scene

#: The names that the migration plan gave them.
PhiMLDataset = WindowDataset
PhiMLDataLoader = WindowLoader

__all__ = [
    "PhiMLDataLoader",
    "PhiMLDataset",
    "WindowDataset",
    "WindowLoader",
    "read_scene",
]
