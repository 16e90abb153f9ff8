"""What everything stands on: errors, files, arrays, processes, progress."""

from experiment.system.arrays import (
    TornFile,
    load_arrays,
    open_arrays,
    read_facts,
    save_arrays,
    verify_checksum,
)
from experiment.system.errors import (
    CheckpointError,
    SceneError,
    SettingsError,
    Stopped,
    TrainingError,
    UserError,
    spelling_hint,
)
from experiment.system.exchanging import exchange
from experiment.system.files import csv_text, sync_folder, write_whole
from experiment.system.memory import memory_limit
from experiment.system.partial import partial_path, remove_stale
from experiment.system.process import die_with_parent, keep_freed_memory
from experiment.system.progress import Bar, Progress
from experiment.system.reading import open_regular, read_json, read_npz
from experiment.system.resources import resource
from experiment.system.stop import (
    StopSignal,
    obey_parent,
    signals_held,
    stopping_at_once,
)
from experiment.system.types import (
    STRICT,
    Count,
    Extent,
    Index,
    Name,
    NotNegative,
    Number,
    PathText,
    Positive,
    Seed,
    one_of,
)
from experiment.system.versions import versions
from experiment.system.workers import map_in_processes

__all__ = [
    "Bar",
    "CheckpointError",
    "Count",
    "Extent",
    "Index",
    "Name",
    "NotNegative",
    "Number",
    "PathText",
    "Positive",
    "Progress",
    "STRICT",
    "Seed",
    "SceneError",
    "SettingsError",
    "StopSignal",
    "Stopped",
    "TornFile",
    "TrainingError",
    "UserError",
    "csv_text",
    "die_with_parent",
    "obey_parent",
    "signals_held",
    "stopping_at_once",
    "exchange",
    "keep_freed_memory",
    "load_arrays",
    "map_in_processes",
    "memory_limit",
    "one_of",
    "open_arrays",
    "open_regular",
    "partial_path",
    "read_facts",
    "read_json",
    "read_npz",
    "remove_stale",
    "resource",
    "save_arrays",
    "spelling_hint",
    "sync_folder",
    "verify_checksum",
    "versions",
    "write_whole",
]
