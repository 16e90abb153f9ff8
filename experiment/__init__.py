"""Ground floor of the house: what both sides share, free of torch and PhiML."""

from experiment._arrays import (
    ArrayFile,
    TornFile,
    load_arrays,
    open_arrays,
    read_facts,
    save_arrays,
    verify_checksum,
)
from experiment._channels import ChannelPlan, as_slice
from experiment._check import (
    built_sides,
    channel_plan,
    check_settings,
    constant_fields,
    field_components,
    nearest_key,
    plain,
    settings_warnings,
)
from experiment._checkpoints import (
    BEST,
    LAST,
    PHYSICAL,
    PHYSICAL_BEST,
    PHYSICAL_LAST,
    SYNTHETIC,
    Checkpoint,
    TrainingState,
    check_resumable,
    first_leaf_that_differs,
    load_checkpoint,
    load_for_model,
    save_checkpoint,
)
from experiment._errors import (
    CheckpointError,
    SceneError,
    SettingsError,
    TrainingError,
    UserError,
    nearest,
)
from experiment._evaluation import (
    PERSISTENCE,
    EvaluationResult,
    Forecast,
    Rollout,
    evaluate,
)
from experiment._evaluation_output import summary_table, write_evaluation
from experiment._expressions import evaluate_expression
from experiment._files import sync_folder, write_whole
from experiment._generation import Simulator, generate, stability_warnings
from experiment._grids import cell_sizes, grid_positions
from experiment._hybrid import (
    generated_count,
    hybrid_epochs,
    new_states,
    physical_rounds,
    training_settings,
)
from experiment._initial_states import initial_state
from experiment._initial_weights import draw_weights
from experiment._metrics import (
    correlation,
    correlation_time,
    energy,
    nrmse,
    rmse,
    spectrum,
)
from experiment._parameters import (
    ParameterRange,
    chosen_windows,
    parameter_names,
    parameter_range,
    parameter_ranges,
    stability_limit,
    true_parameter,
)
from experiment._physical_training import (
    Minimum,
    PhysicalLearner,
    PhysicalTrainer,
    Unbounded,
)
from experiment._process import keep_freed_memory
from experiment._progress import Bar, Progress
from experiment._recovered import RecoveredParameter, parameter_table
from experiment._run_folder import RunFolder, console, versions
from experiment._scenes import (
    Scene,
    open_scene,
    scene_description,
    scene_path,
)
from experiment._settings import (
    COMPONENTS,
    Advection,
    Architecture,
    Burgers,
    Settings,
    Switch,
)
from experiment._tasks import Components, Evaluated, run_tasks
from experiment._training_log import StopSignal, TrainingLog
from experiment._windows import Windows, sample_order
from experiment._workers import map_in_processes

__all__ = [
    "Advection",
    "Architecture",
    "ArrayFile",
    "BEST",
    "Bar",
    "Burgers",
    "COMPONENTS",
    "ChannelPlan",
    "Checkpoint",
    "CheckpointError",
    "Components",
    "Evaluated",
    "EvaluationResult",
    "Forecast",
    "LAST",
    "Minimum",
    "PERSISTENCE",
    "PHYSICAL",
    "PHYSICAL_BEST",
    "PHYSICAL_LAST",
    "ParameterRange",
    "PhysicalLearner",
    "PhysicalTrainer",
    "Progress",
    "RecoveredParameter",
    "Rollout",
    "RunFolder",
    "SYNTHETIC",
    "Scene",
    "SceneError",
    "Settings",
    "SettingsError",
    "Simulator",
    "StopSignal",
    "Switch",
    "TornFile",
    "TrainingError",
    "TrainingLog",
    "TrainingState",
    "Unbounded",
    "UserError",
    "Windows",
    "as_slice",
    "built_sides",
    "cell_sizes",
    "channel_plan",
    "check_resumable",
    "check_settings",
    "chosen_windows",
    "console",
    "constant_fields",
    "correlation",
    "correlation_time",
    "draw_weights",
    "energy",
    "evaluate",
    "evaluate_expression",
    "field_components",
    "first_leaf_that_differs",
    "generate",
    "generated_count",
    "grid_positions",
    "hybrid_epochs",
    "initial_state",
    "load_arrays",
    "load_checkpoint",
    "load_for_model",
    "map_in_processes",
    "nearest",
    "nearest_key",
    "new_states",
    "nrmse",
    "open_arrays",
    "open_scene",
    "parameter_names",
    "parameter_range",
    "parameter_ranges",
    "parameter_table",
    "physical_rounds",
    "keep_freed_memory",
    "plain",
    "read_facts",
    "rmse",
    "run_tasks",
    "sample_order",
    "save_arrays",
    "save_checkpoint",
    "scene_description",
    "scene_path",
    "settings_warnings",
    "spectrum",
    "stability_limit",
    "stability_warnings",
    "summary_table",
    "sync_folder",
    "training_settings",
    "true_parameter",
    "verify_checksum",
    "versions",
    "write_evaluation",
    "write_whole",
]
