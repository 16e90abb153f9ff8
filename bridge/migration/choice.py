"""Which side is in use: an argument, the environment, or a file that is kept."""

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bridge.harness import HarnessError, write_file

if TYPE_CHECKING:
    from bridge.migration.migration import Migration
    from bridge.migration.proof import Proof

SideName = Literal["control", "candidate"]
_SIDES: tuple[SideName, ...] = ("control", "candidate")


@cache
def variable(name: str) -> str:
    """The environment variable of a migration."""
    return "BRIDGE_" + name.upper().replace("-", "_")


def choice_file(name: str, folder: Path) -> Path:
    """Where the choice is stored."""
    return folder / f"{name}.side.json"


def current(name: str, folder: Path, side: str | None = None) -> SideName:
    """The side in use.

    The file is read once in a process, so that a call costs a look into a dictionary.

    Raises:
        HarnessError: A value is none of the sides.
    """
    if side is not None:
        return _checked(side, f"the argument `side` of `{name}`")
    chosen = os.environ.get(variable(name))
    if chosen:
        return _checked(chosen, f"the environment variable {variable(name)}")
    return _stored(name, folder)


@cache
def _stored(name: str, folder: Path) -> SideName:
    path = choice_file(name, folder)
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return "control"
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"`{path}` can't be read: {error}. Store the choice anew with `rollback`"
            " or `promote`."
        ) from error
    side = content.get("side") if isinstance(content, dict) else content
    return _checked(side, f"`{path}`")


def _checked(value: object, where: str) -> SideName:
    for side in _SIDES:
        if value == side:
            return side
    raise HarnessError(f"{where} is `{value}`; allowed: {', '.join(_SIDES)}")


def store(name: str, folder: Path, side: SideName) -> Path:
    """Stores the choice, and reads it back.

    Raises:
        HarnessError: It can't be written.
    """
    path = choice_file(name, folder)
    write_file(path, json.dumps({"migration": name, "side": side}, indent=2) + "\n")
    _stored.cache_clear()
    if _stored(name, folder) != side:
        raise HarnessError(f"`{path}` was written and doesn't say {side}; look at it")
    return path


def promote(migration: "Migration", proof: "Proof | None") -> Path:
    """Stores the candidate as the choice, if a proof allows it.

    Raises:
        HarnessError: It doesn't; every reason is named.
    """
    from bridge.migration.proof import blockers, read_proof

    given = proof if proof is not None else read_proof(migration)
    reasons = blockers(migration, given)
    if reasons:
        text = "\n  ".join(reasons)
        raise HarnessError(f"`{migration.name}` is not promoted:\n  {text}")
    return store(migration.name, migration.folder, "candidate")
