"""Task `import`: brings data that this program didn't make into `data.data_dir`."""

import hashlib
import logging
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from experiment.data.descriptions import (
    ImportedFrom,
    check_import,
    import_description,
    scene_path,
    stored_description,
)
from experiment.data.hashes import seal_scene
from experiment.data.importing.arrays import ArraySource
from experiment.data.importing.checks import check_source, checked_field, unstated
from experiment.data.importing.phiflow import PhiFlowSource
from experiment.data.importing.source import Source
from experiment.data.replacing import replace_scene
from experiment.data.writing import write_description, write_frame
from experiment.settings import Settings
from experiment.system import (
    Progress,
    SceneError,
    UserError,
    open_regular,
    partial_path,
    remove_stale,
)

log = logging.getLogger(__name__)


def import_data(settings: Settings, progress: Progress) -> int:
    """Checks `data.source`, and copies it as Scenes into `data.data_dir`.

    All of it is checked before any simulation takes its place; the source is only read.

    Returns:
        How many simulations were imported; 0 if they are there already.

    Raises:
        SceneError: The source has another layout, grid or fields, too few frames or
            simulations, values that are not finite; or something else is in the way.
        UserError: The folder can't be written.
    """
    path, folder = _source_path(settings), Path(settings.data.data_dir)
    source = open_source(path, largest_frame(settings))
    names = check_source(source, settings)
    count = settings.data.num_simulations
    origin = ImportedFrom(
        str(path.resolve()),
        source.layout,
        fingerprint(path, source.files([*names.values()], count)),
    )
    descriptions = [import_description(settings, i, origin) for i in range(count)]
    there = [stored_description(scene_path(settings, i)) for i in range(count)]
    if there == descriptions:
        log.info("%d simulations are there already, imported from `%s`", count, path)
        return 0
    if not settings.data.overwrite:
        for i, stored in enumerate(there):
            if stored is not None:
                check_import(scene_path(settings, i), stored, descriptions[i])
    for sentence in unstated(source, settings):
        log.warning("%s", sentence)
    remove_stale(folder)
    partial = partial_path(folder / "import")
    try:
        partial.mkdir(parents=True)
        with progress.bar("import", count, "simulations") as bar:
            for i in range(count):
                scene = partial / f"sim_{i:06d}"
                scene.mkdir()
                for field, name in names.items():
                    values = checked_field(source, field, name, i, settings)
                    for frame, value in enumerate(values):
                        write_frame(scene, field, frame, value, settings)
                write_description(scene, descriptions[i])
                seal_scene(scene)
                bar.step(simulation=i)
        for i in range(count):
            target = scene_path(settings, i)
            replace_scene(partial / target.name, target)
    except OSError as error:
        raise UserError(
            f"can't write the imported data to `data.data_dir` = `{folder}`:"
            f" {error.strerror or error}. `{path}` is as it was; run again to go on."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    log.info(
        "imported %d simulations of %d frames from `%s` (%s)",
        *(count, settings.data.trajectory_length, path, source.layout),
    )
    return count


def largest_frame(settings: Settings) -> int:
    """Bytes of the largest field's frame on the grid of the settings, in any type."""
    physical = settings.model.physical
    cells = math.prod(physical.resolution.values())
    channels = max(len(names) or 1 for names in physical.fields.values())
    return cells * channels * 16


def open_source(path: Path, largest: int = 2**36) -> Source:
    """The source at a path, by its layout.

    Args:
        path: A file or a folder.
        largest: Bytes that a frame in a file of its own may take.

    Raises:
        SceneError: There is nothing, or its layout is unknown.
    """
    if not path.exists():
        raise SceneError(f"`data.source` = `{path}` doesn't exist.")
    entries = sorted(path.iterdir()) if path.is_dir() else [path]
    endings = {entry.suffix for entry in entries}
    if any(p.is_dir() and p.name.startswith("sim_") for p in entries):
        return PhiFlowSource(path, largest)
    if path.is_dir() and ".npz" in endings:
        return PhiFlowSource(path, largest)
    if endings & ({".npy"} if path.is_dir() else {".npz"}):
        return ArraySource(path)
    # h5py takes a while to import.
    from experiment.data.importing.well import ENDINGS, WellSource

    if endings & {*ENDINGS}:
        return WellSource(path)
    shown = ", ".join(p.name for p in entries[:5]) + (", ..." if entries[5:] else "")
    raise SceneError(
        f"`data.source` = `{path}` has no layout that is known here"
        f" ({shown or 'it is empty'}); expected a folder of PhiFlow Scenes (sim_000000,"
        " ...), a folder of <field>.npy or one .npz with an array (simulation, time, x,"
        " y, ..., vector) for each field, or HDF5 in the layout of The Well (.hdf5)."
    )


def fingerprint(path: Path, files: Sequence[Path]) -> str:
    """A hash of the content of a source's files, and of their names below it."""
    digest = hashlib.sha256()
    for file in files:
        name = file.name if file == path else str(file.relative_to(path))
        with open_regular(file) as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def _source_path(settings: Settings) -> Path:
    assert settings.data.source is not None
    path, folder = Path(settings.data.source), Path(settings.data.data_dir)
    inside, outside = path.resolve(), folder.resolve()
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise SceneError(
            f"`data.source` = `{path}` and `data.data_dir` = `{folder}` lie in each"
            " other; the data are copied, so choose a `data.data_dir` apart from it."
        )
    return path
