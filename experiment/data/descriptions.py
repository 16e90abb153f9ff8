"""What a simulation's folder says of itself, and whose it is.

`description.json` says which program made a folder and from what. A folder without
one, or with another program's, is foreign: it is read by nothing here and never
touched.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiment.data.hashes import HASHES
from experiment.settings import Settings, differences, to_dict
from experiment.system import SceneError, read_json

SCENE_FORMAT = 1
PROGRAM = "hyco-migration"
#: What each description has had since the first one, which had no mark yet.
_ALWAYS = {"format", "simulation", "seed", "precision", "frames", "fields", "pde"}
UNITS = {"length": "m", "time": "s", "velocity": "m/s"}


class ForeignScene(SceneError):
    """A folder that this program didn't make, or can't say that it did."""


def scene_path(settings: Settings, simulation: int) -> Path:
    """Folder of a simulation."""
    return Path(settings.data.data_dir) / f"sim_{simulation:06d}"


def scene_description(settings: Settings, simulation: int) -> dict[str, Any]:
    """Everything that the content of a simulation depends on, as stored with it.

    The reference is named where it is another than the scheme itself; descriptions of
    before there was a choice have none.
    """
    values = to_dict(settings)
    kind, factor = settings.data.reference, settings.data.reference_refinement
    reference = {"kind": kind, "refinement": factor}
    return {
        "format": SCENE_FORMAT,
        "program": PROGRAM,
        "simulation": simulation,
        "seed": settings.data.seed,
        "precision": settings.data.precision,
        "frames": settings.data.trajectory_length,
        "fields": list(settings.data.fields),
        "pde": values["model"]["physical"],
        "units": UNITS,
        **({} if kind == "same" else {"reference": reference}),
    }


def stored_description(path: Path) -> dict[str, Any] | None:
    """What a scene folder says that it was made from; None if nothing is at `path`.

    Raises:
        ForeignScene: It is another program's, or its description can't be read.
    """
    described = whole_description(path)
    if described is not None:
        described.pop(HASHES, None)
    return described


def whole_description(path: Path) -> dict[str, Any] | None:
    """The description in a scene folder with the hashes of its frames, or None.

    Raises:
        ForeignScene: It is another program's, or its description can't be read.
    """
    if not _is_there(path):
        return None
    file = path / "description.json"
    try:
        described = read_json(file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ForeignScene(_foreign(path, "has no `description.json`")) from error
    except (OSError, ValueError) as error:
        raise ForeignScene(
            _foreign(path, f"has a `description.json` that can't be read ({error})")
        ) from error
    if not _is_ours(described):
        raise ForeignScene(_foreign(path, "is described by another program"))
    # Descriptions of this format had no mark before there was one.
    return {"program": PROGRAM, **described}


def _is_there(path: Path) -> bool:
    """Whether something is at `path`, also where it is just being replaced."""
    for _ in range(100):
        if path.exists():
            return True
        # Where the system can't exchange two folders, the old one is away for a moment.
        if not any(path.parent.glob(f".{path.name}.old-*")):
            break
        time.sleep(0.01)
    return path.exists()


def _is_ours(described: Any) -> bool:
    if not isinstance(described, dict):
        return False
    unmarked = described.get("format") == SCENE_FORMAT and set(described) >= _ALWAYS
    return described.get("program", PROGRAM if unmarked else None) == PROGRAM


def _foreign(path: Path, what: str) -> str:
    return (
        f"`{path}` {what}, so nothing says that this program made it. It is kept as it"
        " is, whatever `data.overwrite` says. Choose another `data.data_dir`; to use"
        f" what is there, import it (`general.tasks=[import] data.source={path.parent}`"
        " with another `data.data_dir`)."
    )


@dataclass(frozen=True)
class ImportedFrom:
    """Where imported data come from.

    Attributes:
        path: The source, which was only read.
        layout: Its layout, in words.
        fingerprint: A hash of its content.
    """

    path: str
    layout: str
    fingerprint: str


def import_description(
    settings: Settings, simulation: int, origin: ImportedFrom
) -> dict[str, Any]:
    """What is known of an imported simulation; the PDE's parameters aren't."""
    return {
        **_known_of_import(settings, simulation),
        "imported": True,
        "units": UNITS,
        "source": asdict(origin),
    }


def _known_of_import(settings: Settings, simulation: int) -> dict[str, Any]:
    pde = to_dict(settings)["model"]["physical"]
    return {
        "format": SCENE_FORMAT,
        "program": PROGRAM,
        "simulation": simulation,
        "precision": settings.data.precision,
        "frames": settings.data.trajectory_length,
        "fields": list(settings.data.fields),
        "grid": {key: pde[key] for key in ("domain", "resolution", "dt")},
    }


def is_imported(described: Mapping[str, Any]) -> bool:
    """Whether a description is of data that this program didn't simulate."""
    return described.get("imported") is True


def data_are_imported(settings: Settings) -> bool:
    """Whether any simulation of the run was imported; what isn't there is not.

    Raises:
        ForeignScene: A folder is another program's.
    """
    trainer, tested = settings.trainer, settings.evaluation.test_sim
    for simulation in {*trainer.train_sim, *trainer.val_sim, *tested}:
        stored = stored_description(scene_path(settings, simulation))
        if stored is not None and is_imported(stored):
            return True
    return False


def check_description(
    path: Path, stored: Mapping[str, Any], settings: Settings, simulation: int
) -> None:
    """Refuses a scene that doesn't fit the settings.

    Imported ones may hold more frames and fields; of their PDE nothing is known.

    Raises:
        SceneError: With a table of what was stored and what is wanted.
    """
    if not is_imported(stored):
        unequal = differences(stored, scene_description(settings, simulation))
        if unequal:
            raise SceneError(_other_settings(path, unequal))
        return
    wanted = _known_of_import(settings, simulation)
    known = {key: stored.get(key, "<none>") for key in wanted}
    if known["frames"] >= wanted["frames"]:
        known["frames"] = wanted["frames"]
    if {*known["fields"]} >= {*wanted["fields"]}:
        known["fields"] = wanted["fields"]
    unequal = differences(known, wanted)
    if unequal:
        source = stored["source"]["path"]
        raise SceneError(
            f"`{path}` was imported with other settings:\n{_rows(unequal)}\nGive the"
            f" settings that it was imported with, or import `{source}`"
            " again with another `data.data_dir`."
        )


def check_import(
    path: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    """Refuses to import where something else is.

    Raises:
        SceneError: With a table of what is there and what would be imported.
    """
    unequal = differences(stored, wanted)
    if unequal:
        raise SceneError(
            f"`{path}` holds something else:\n{_rows(unequal)}\nChoose another"
            " `data.data_dir`; with `data.overwrite=true` the import takes its place."
        )


def _other_settings(path: Path, unequal: list[tuple[str, Any, Any]]) -> str:
    """Says which settings `path` was made with, and what to do."""
    return (
        f"`{path}` was made with other settings:\n{_rows(unequal)}\n"
        "Choose another `data.data_dir`, or run the task `generate` with"
        " `data.overwrite=true` to simulate it again in its place."
    )


def _rows(unequal: list[tuple[str, Any, Any]]) -> str:
    return "\n".join(
        f"  {key}: stored {json.dumps(old)}, wanted {json.dumps(new)}"
        for key, old, new in unequal
    )
