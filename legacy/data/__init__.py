"""The data pipeline of the control."""

from legacy.data.cache import TrajectoryCache
from legacy.data.dataset import WindowDataset
from legacy.data.loader import EpochSampler, WindowLoader

__all__ = ["EpochSampler", "TrajectoryCache", "WindowDataset", "WindowLoader"]
