"""A new scene takes the place of an old one, and nothing of anybody's is lost."""

import logging
import re
import secrets
import shutil
from pathlib import Path

from experiment.data.descriptions import stored_description

log = logging.getLogger(__name__)

#: Files that this program and PhiFlow write into a scene.
_WRITTEN = re.compile(r"description\.json|.+_\d{6}\.npz")


def replace_scene(new: Path, target: Path) -> None:
    """Renames the folder `new` to `target`.

    A scene that was there is moved whole first and removed once the new one is in its
    place; on an error it comes back. If it also holds files that this program doesn't
    write, it is kept in `replaced/`.

    Raises:
        ForeignScene: What is there is not this program's; nothing was changed.
        OSError: A folder can't be renamed; the old scene is where it was.
    """
    # Again, as somebody may have put it there since the task began.
    if stored_description(target) is None:
        new.rename(target)
        return
    old = target.with_name(f".{target.name}.old-{secrets.token_hex(4)}")
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise
    others = [f.name for f in old.iterdir() if not _WRITTEN.fullmatch(f.name)]
    if not others:
        shutil.rmtree(old, ignore_errors=True)
        return
    kept = target.parent / "replaced" / old.name.removeprefix(".")
    kept.parent.mkdir(exist_ok=True)
    old.rename(kept)
    log.warning(
        "the replaced `%s` also held %s, which this program doesn't write; all of it"
        " is kept in `%s`",
        *(target, ", ".join(f"`{name}`" for name in sorted(others)), kept),
    )
