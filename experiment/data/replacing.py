"""A new scene takes the place of an old one, and nothing of anybody's is lost."""

import logging
import re
import secrets
import shutil
from pathlib import Path

from experiment.data.descriptions import stored_description
from experiment.system import exchange

log = logging.getLogger(__name__)

#: Files that this program and PhiFlow write into a scene.
_WRITTEN = re.compile(r"description\.json|.+_\d{6}\.npz")


def replace_scene(new: Path, target: Path) -> None:
    """Renames the folder `new` to `target`.

    A scene that was there changes places with the new one in one step, so a reader
    finds one of them at any time, and is removed then. If it also holds files that this
    program doesn't write, it is kept in `replaced/`.

    Raises:
        ForeignScene: What is there is not this program's; nothing was changed.
        OSError: A folder can't be renamed; the old scene is where it was.
    """
    # Again, as somebody may have put it there since the task began.
    if stored_description(target) is None:
        new.rename(target)
        return
    if not _others(target):
        exchange(new, target)
        # Somebody may have added a file just now.
        if not _others(new):
            shutil.rmtree(new, ignore_errors=True)
            return
        old = _beside(target)
        new.rename(old)
    else:
        # First to a name that nothing removes, whenever this process is killed.
        old = _beside(target)
        new.rename(old)
        exchange(old, target)
    others = _others(old)
    kept = target.parent / "replaced" / old.name.removeprefix(".")
    kept.parent.mkdir(exist_ok=True)
    old.rename(kept)
    log.warning(
        "the replaced `%s` also held %s, which this program doesn't write; all of it"
        " is kept in `%s`",
        *(target, ", ".join(f"`{name}`" for name in others), kept),
    )


def _others(scene: Path) -> list[str]:
    names = sorted(file.name for file in scene.iterdir())
    return [name for name in names if not _WRITTEN.fullmatch(name)]


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old-{secrets.token_hex(4)}")
