"""The tasks of a run and its folder."""

from experiment.run.assembly import (
    build_hybrid_training,
    build_physical_training,
    build_synthetic_training,
    components_of,
    log_components,
)
from experiment.run.folder import RunFolder, console
from experiment.run.reading import read_evaluated
from experiment.run.tasks import Components, run_tasks

__all__ = [
    "Components",
    "RunFolder",
    "build_hybrid_training",
    "build_physical_training",
    "build_synthetic_training",
    "components_of",
    "console",
    "log_components",
    "read_evaluated",
    "run_tasks",
]
