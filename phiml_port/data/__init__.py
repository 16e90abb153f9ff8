"""The data pipeline of the candidate."""

from phiml_port.data.cache import TrajectoryCache, read_scene
from phiml_port.data.dataset import PhiMLDataset
from phiml_port.data.loader import PhiMLDataLoader
from phiml_port.data.simulation import PhysicalSimulation, Simulation
from phiml_port.data.store import TrajectoryFile

__all__ = [
    "PhiMLDataLoader",
    "PhiMLDataset",
    "PhysicalSimulation",
    "Simulation",
    "TrajectoryCache",
    "TrajectoryFile",
    "read_scene",
]
