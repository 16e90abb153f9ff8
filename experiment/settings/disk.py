"""The space on the disk, and the work at the door, that a run needs at least.

Counted is what is to be written and isn't there yet, uncompressed; so a run whose data
are there already needs no more space for them.
"""

import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from experiment.settings.memory import (
    channels_of,
    evaluation_bytes,
    trajectory_bytes,
)
from experiment.settings.schema import Settings
from experiment.settings.values import to_dict

_GIB = 2**30
#: Frames compress, smooth ones to a tenth.
_COMPRESSED = 0.1
#: Sums of waves times cells that may be computed for an initial state: minutes.
_WAVES_TIMES_CELLS = 3e10


def disk_problems(settings: Settings) -> Iterator[str]:
    """Says which folder's disk has too little space, a sentence each."""
    for key, folder, size, lower in _written(settings):
        free = _free(Path(folder))
        if free is not None and size > free:
            yield (
                f"`{key}` = `{folder}`: {lower[0]} needs at least"
                f" {size / _GIB:.3g} GiB on the disk there, which has"
                f" {free / _GIB:.3g} GiB free. Choose a folder on another disk, or"
                f" lower {', '.join(f'`{name}`' for name in lower[1:])}."
            )


def _written(
    settings: Settings,
) -> Iterator[tuple[str, str, float, tuple[str, ...]]]:
    """Setting, folder, bytes that are still to be written; what they are, settings."""
    data, tasks = settings.data, settings.general.tasks
    grown = (
        "data.num_simulations",
        "data.trajectory_length",
        "model.physical.resolution",
    )
    one = trajectory_bytes(settings, data.precision)
    if "generate" in tasks or "import" in tasks:
        missing = max(data.num_simulations - _simulations(Path(data.data_dir)), 0)
        size = missing * one * _COMPRESSED
        what = f"{missing} simulations of {data.trajectory_length} frames"
        yield "data.data_dir", data.data_dir, size, (what, *grown)
    if "export" in tasks and data.export is not None:
        size = data.num_simulations * one
        parent = str(Path(data.export).parent)
        yield "data.export", parent, size, ("the export", *grown)
    export = settings.evaluation.export
    if "evaluate" in tasks and export is not None:
        lower = ("evaluation.test_sim", "evaluation.num_frames", grown[2])
        words = ("the exported evaluation", *lower)
        parent = str(Path(export).parent)
        yield "evaluation.export", parent, evaluation_bytes(settings), words
    cached = {*settings.trainer.train_sim, *settings.trainer.val_sim}
    folder = settings.cache.dir
    if "train" in tasks and folder is not None and not Path(folder).exists():
        size = len(cached) * trajectory_bytes(settings, settings.general.precision)
        what = f"the cache of {len(cached)} simulations"
        yield "cache.dir", folder, size, (what, "trainer.train_sim", *grown[1:])


def _simulations(folder: Path) -> int:
    try:
        return sum(1 for e in os.scandir(folder) if e.name.startswith("sim_"))
    except OSError:
        return 0


def _free(folder: Path) -> int | None:
    """Bytes that are free where a folder is or will be."""
    for there in (folder.absolute(), *folder.absolute().parents):
        try:
            return shutil.disk_usage(there).free
        except OSError:
            continue
    return None


def impossible_waves(settings: Settings) -> Iterator[str]:
    """Initial states of more waves than can be summed in a reasonable time."""
    physical = settings.model.physical
    rank, cells = len(physical.resolution), math.prod(physical.resolution.values())
    parameters = to_dict(settings)["model"]["physical"].get("pde_params", {})
    for name, highest in parameters.items():
        if not name.endswith("_wavenumber"):
            continue
        waves = (2 * highest + 1) ** rank
        work = waves * (cells + 1000) * max(channels_of(settings), 1)
        if work > _WAVES_TIMES_CELLS:
            yield (
                f"`model.physical.pde_params.{name}` is {highest}: an initial"
                f" state is a sum of {waves:.3g} waves at {cells} cells, {work:.3g}"
                f" terms; expected at most {_WAVES_TIMES_CELLS:.0e}. Lower it, or"
                " `model.physical.resolution`."
            )
