"""Simulations on disk: generated or imported, stored, and cut into windows."""

from experiment.data.channels import (
    ChannelPlan,
    as_slice,
    channel_plan,
    frame_shape,
    network_arguments,
    network_options,
)
from experiment.data.coarse import (
    CoarseGrid,
    cell_means,
    linear_in_cells,
    on_data_grid,
    physics_text,
)
from experiment.data.descriptions import (
    ForeignScene,
    data_are_imported,
    scene_description,
    scene_path,
)
from experiment.data.exporting import export_data
from experiment.data.generation import (
    GrowthCheck,
    Simulator,
    generate,
    stability_warnings,
)
from experiment.data.hashes import seal_scene
from experiment.data.importing import import_data
from experiment.data.netcdf import (
    VECTOR,
    check_ours,
    describe,
    field_dims,
    write_coordinates,
    write_facts,
    write_labels,
    write_netcdf,
)
from experiment.data.observations import (
    ObservationPlan,
    Observed,
    nearest_cells,
    observation_plan,
    observations_text,
    with_noise,
)
from experiment.data.reference import reference_simulator, reference_text
from experiment.data.scenes import (
    Scene,
    open_scene,
    read_frames,
    read_trajectory,
    with_scene,
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
    "CoarseGrid",
    "ForeignScene",
    "GrowthCheck",
    "ObservationPlan",
    "Observed",
    "Scene",
    "Simulator",
    "TrajectoryStore",
    "VECTOR",
    "WindowCounts",
    "Windows",
    "as_slice",
    "cell_means",
    "channel_plan",
    "check_ours",
    "chosen_windows",
    "data_are_imported",
    "describe",
    "export_data",
    "field_dims",
    "frame_shape",
    "generate",
    "import_data",
    "linear_in_cells",
    "nearest_cells",
    "network_arguments",
    "network_options",
    "observation_plan",
    "observations_text",
    "on_data_grid",
    "open_scene",
    "physics_text",
    "read_frames",
    "read_trajectory",
    "reference_simulator",
    "reference_text",
    "sample_order",
    "scene_description",
    "scene_path",
    "seal_scene",
    "stability_warnings",
    "with_noise",
    "with_scene",
    "write_coordinates",
    "write_facts",
    "write_labels",
    "write_netcdf",
]
