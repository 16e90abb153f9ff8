"""The one error family that a person is meant to read."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something outside the program is wrong: settings, files, data.

    The message says what was wrong, what was got, what is allowed and what to do;
    `run.py` prints it alone, without a traceback, and ends with `status`.
    """

    status = 2


class SettingsError(UserError):
    """A setting is unknown, of the wrong type or impossible."""


class SceneError(UserError):
    """A simulation on disk is missing, torn or not what the settings ask for."""


class CheckpointError(UserError):
    """A checkpoint is missing, torn or of another model or other settings."""


class TrainingError(UserError):
    """Training can't go on; the last good checkpoint is kept."""


class Stopped(TrainingError):
    """A signal asked the training to stop; all of it is saved."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        # What a shell reports of a process that a signal ended.
        self.status = 128 + signal_number


def spelling_hint(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...?` for a misspelt `name`, or all that is known."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"allowed: {', '.join(known)}" if known else "nothing is allowed here"
