"""A hash of every frame of a Scene, so that a frame that was exchanged is noticed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiment.system import SceneError, read_json, read_npz, write_whole

#: Where a description has the hashes: file names with 32 hexadecimal digits each.
HASHES = "frames_sha256"
#: Bytes that the names of an array's dims may take.
NAMES_BYTES = 4096
#: Bytes that a frame may take whose grid isn't known here.
_LARGEST = 2**36


def frame_hash(data: np.ndarray, names: Sequence[str]) -> str:
    """The hash of a frame: type, shape, names of the dims and every byte.

    Of the content, not of the file, which also holds the time that it was written.
    """
    header = json.dumps([data.dtype.str, list(data.shape), list(names)])
    digest = hashlib.sha256(header.encode())
    digest.update(np.ascontiguousarray(data).data)
    return digest.hexdigest()[:32]


def seal_scene(scene: Path) -> Path:
    """Writes the hashes of all frames of a Scene into its description.

    For what writes a Scene, or changes a frame on purpose; returns `scene`.

    Raises:
        UserError: The description can't be written.
    """
    hashes = {}
    for file in sorted(scene.glob("*.npz")):
        content = read_npz(file, {"data": _LARGEST, "dim_names": NAMES_BYTES})
        names = [str(name) for name in content["dim_names"]]
        hashes[file.name] = frame_hash(content["data"], names)
    path = scene / "description.json"
    described = {**read_json(path), HASHES: hashes}
    write_whole(path, json.dumps(described, indent=2) + "\n")
    return scene


def check_hash(
    file: Path,
    hashes: Mapping[str, Any] | None,
    data: np.ndarray,
    names: Sequence[str],
) -> None:
    """Refuses a frame that is not the one that was written.

    Args:
        file: The frame's file.
        hashes: Those of the Scene by file name; None in a Scene without any.
        data: The frame.
        names: Of its dims.

    Raises:
        SceneError: It is another frame, or changed.
    """
    if hashes is None:
        return
    expected, actual = hashes.get(file.name), frame_hash(data, names)
    if expected == actual:
        return
    others = [name for name, value in hashes.items() if value == actual]
    found = f"the content of `{others[0]}`" if others else f"another one ({actual})"
    raise SceneError(
        f"`{file}` isn't the frame that was written: expected the content {expected}"
        f" by `description.json`, got {found}. {REMEDY}"
    )


REMEDY = (
    "Restore the file, or move the simulation's folder away and run the task"
    " `generate`, or `import`, again."
)
