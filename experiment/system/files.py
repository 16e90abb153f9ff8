"""Files that are written whole or not at all."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiment.system.errors import UserError
from experiment.system.partial import partial_path


def write_whole(path: Path, content: bytes | str) -> None:
    """Writes `content` to `path`, or leaves what was there untouched.

    The content goes to a temporary file in the same folder, is flushed to the disk
    (fsync), and then takes the name in one step (rename), so a reader sees the old
    file or the new one, also after a kill or a power cut.

    Raises:
        UserError: The folder can't be written or the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"can't write `{path}`: {error.strerror or error}. Nothing was changed"
            " there; free some space or choose another folder, then run again."
        ) from error
    finally:
        # A path that is too long, or no folder, can't be removed either.
        with suppress(OSError):
            temporary.unlink()


def sync_folder(folder: Path) -> None:
    """Flushes a folder's entries, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, with a column for every key; a value that a row lacks is empty."""
    text = io.StringIO()
    keys = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, fieldnames=keys, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
