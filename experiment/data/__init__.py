"""Simulations on disk, how they are generated, stored and cut into windows."""

from experiment.data.channels import (
    ChannelPlan,
    as_slice,
    channel_plan,
    network_arguments,
)
from experiment.data.generation import (
    GrowthCheck,
    Simulator,
    generate,
    stability_warnings,
)
from experiment.data.scenes import (
    Scene,
    open_scene,
    read_trajectory,
    scene_description,
    scene_path,
)
from experiment.data.store import TrajectoryStore
from experiment.data.windows import (
    WindowCounts,
    Windows,
    chosen_windows,
    sample_order,
)

__all__ = [
    "ChannelPlan",
    "GrowthCheck",
    "Scene",
    "Simulator",
    "TrajectoryStore",
    "WindowCounts",
    "Windows",
    "as_slice",
    "channel_plan",
    "chosen_windows",
    "generate",
    "network_arguments",
    "open_scene",
    "read_trajectory",
    "sample_order",
    "scene_description",
    "scene_path",
    "stability_warnings",
]
