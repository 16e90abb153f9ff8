"""Errors that a person is meant to read, and files that are written whole."""

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


class HarnessError(Exception):
    """Something outside the program is wrong; the message says what to do."""

    status = 2


def load_object(path: str) -> Any:
    """The object at `package.module:name`.

    Raises:
        HarnessError: The path has another form, doesn't import, or names nothing.
    """
    module_name, colon, name = path.partition(":")
    if not colon or not module_name or not name:
        raise HarnessError(f"`{path}` names nothing; expected `package.module:object`")
    # What is judged may lie where the program was started.
    if "" not in sys.path:
        sys.path.append("")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise HarnessError(
            f"`{path}`: `{module_name}` doesn't import: {error}. It must be installed,"
            " or lie in the folder that the program is started from."
        ) from error
    if not hasattr(module, name):
        raise HarnessError(f"`{path}`: `{module_name}` has no `{name}`")
    return getattr(module, name)


def check_folder(folder: Path) -> None:
    """Makes a folder if it isn't there, and sees that files can be written to it.

    Raises:
        HarnessError: They can't.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise HarnessError(
            f"can't write to the folder `{folder}`: {error.strerror or error}; start"
            " this command in a folder that you may write to"
        ) from error


def write_file(path: Path, text: str) -> None:
    """Writes a file whole, or leaves what was there untouched.

    Raises:
        HarnessError: The folder can't be written or the disk is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{path.name}.", dir=path.parent
        )
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only the owner can read.
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise HarnessError(
            f"can't write `{path}`: {error.strerror or error}. Nothing was changed"
            " there; free some space or choose another folder, then run again."
        ) from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
