"""The tasks of a run and its folder."""

from experiment.run.folder import RunFolder, console
from experiment.run.tasks import Components, Evaluated, run_tasks

__all__ = [
    "Components",
    "Evaluated",
    "RunFolder",
    "console",
    "run_tasks",
]
