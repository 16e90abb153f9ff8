"""The runs that there are, by their folders."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from experiment.settings import Settings
from experiment.system import CheckpointError, spelling_hint

#: Files of a run folder, and its own checkpoints.
SETTINGS, VERSIONS, CHECKPOINTS = "settings.yaml", "versions.json", "checkpoints"
#: As many runs as a message names.
_NAMED = 5


@dataclass(frozen=True)
class Former:
    """A run that was begun before.

    Attributes:
        path: Its folder.
        experiment: Its `general.experiment_name`.
        mode: Its `general.mode`.
        checkpoint_dir: Where it trained into or what it evaluated.
    """

    path: Path
    experiment: str
    mode: str
    checkpoint_dir: str | None

    @property
    def checkpoints(self) -> Path:
        """Its own checkpoints."""
        return self.path / CHECKPOINTS


def began(path: Path) -> str:
    """When a run began, or was last gone on with, so that text sorts by time."""
    try:
        return str(json.loads((path / VERSIONS).read_text())["began"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        changed = (path / SETTINGS).stat().st_mtime
    except OSError:
        return ""
    return datetime.fromtimestamp(changed, UTC).isoformat(timespec="microseconds")


def former_runs(settings: Settings) -> Iterator[Former]:
    """Runs of this experiment with checkpoints of their own, the newest first."""
    parent = Path(settings.general.run_dir)
    wanted = settings.general.experiment_name
    for path in sorted(_folders(parent), key=began, reverse=True):
        former = _former(path)
        own = former is not None and former.checkpoints.is_dir()
        if former is not None and own and former.experiment == wanted:
            yield former


def named_run(settings: Settings, name: str, key: str) -> Former:
    """The run of a name below `general.run_dir`, or of a path.

    Args:
        settings: The settings of this run.
        name: The name or the path.
        key: The setting that says so, for messages.

    Raises:
        CheckpointError: There is none, or it has no checkpoints of its own.
    """
    parent = Path(settings.general.run_dir)
    for path in (parent / name, Path(name)):
        # `latest` may point elsewhere before this run is over.
        whole = path.parent / path.readlink() if path.is_symlink() else path
        former = _former(whole)
        if former is not None:
            break
    else:
        names = [f.path.name for f in former_runs(settings)]
        newest = ", ".join(names[:_NAMED]) or "none"
        hint = spelling_hint(name, names) if names else ""
        hint = f" ({hint})" if hint.startswith("did") else ""
        raise CheckpointError(
            f"`{key}` is {name}, and there is no such run in `{parent}`{hint}; the"
            f" newest with checkpoints: {newest}. Expected one of them, or the path of"
            " a run's folder."
        )
    if not former.checkpoints.is_dir():
        other = former.checkpoint_dir
        rest = "" if other is None else f"; its `general.checkpoint_dir` was `{other}`"
        raise CheckpointError(
            f"`{key}` names the run `{former.path}`, which has no checkpoints of its"
            f" own{rest}. Name a run that trained, or set `general.checkpoint_dir` to"
            " where the checkpoints are."
        )
    return former


def _folders(parent: Path) -> Iterator[Path]:
    if not parent.is_dir():
        return
    for path in parent.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield path


def _former(path: Path) -> Former | None:
    """The run of a folder; None where it is none."""
    try:
        text = (path / SETTINGS).read_text()
        general: dict[str, Any] = yaml.safe_load(text)["general"]
        return Former(
            path,
            str(general["experiment_name"]),
            str(general["mode"]),
            general["checkpoint_dir"],
        )
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None
