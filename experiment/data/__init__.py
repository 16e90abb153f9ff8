"""Simulations on disk, how they are generated, stored and cut into windows."""

from experiment.data.channels import ChannelPlan, as_slice, channel_plan, frame_shape
from experiment.data.generation import Simulator, generate, stability_warnings
from experiment.data.scenes import (
    Scene,
    open_scene,
    read_trajectory,
    scene_description,
    scene_path,
)
from experiment.data.store import TrajectoryStore
from experiment.data.windows import Windows, chosen_windows, sample_order

__all__ = [
    "ChannelPlan",
    "Scene",
    "Simulator",
    "TrajectoryStore",
    "Windows",
    "as_slice",
    "channel_plan",
    "chosen_windows",
    "frame_shape",
    "generate",
    "open_scene",
    "read_trajectory",
    "sample_order",
    "scene_description",
    "scene_path",
    "stability_warnings",
]
