"""What values of settings may be before anything is known of their keys."""

from collections.abc import Mapping
from typing import Any

from experiment.settings.messages import shown
from experiment.system import SettingsError

#: How many lists a value may have inside each other.
_DEEPEST = 20


def refuse_unserialisable(values: Mapping[str, Any]) -> None:
    """Refuses what JSON doesn't have, what has no value, and what is far too large.

    Raises:
        SettingsError: Names the key.
    """
    _refuse_table("", values, 0)


def _refuse_table(above: str, values: Mapping[Any, Any], depth: int) -> None:
    for name, value in values.items():
        if name is not None and not isinstance(name, (str, int, float, bool)):
            raise SettingsError(
                f"a key of `{above or 'the settings'}` is {name!r}, of type"
                f" {type(name).__name__}; expected a word."
            )
        if isinstance(name, str) and not _is_text(name):
            raise SettingsError(
                f"a key of `{above or 'the settings'}` is {shown(name)}, which is no"
                " text in UTF-8; write it anew."
            )
        _refuse_value(f"{above}.{name}" if above else str(name), value, depth)


def _refuse_value(key: str, value: Any, depth: int) -> None:
    """Refuses what JSON doesn't have, in lists too."""
    if value == "???":
        raise SettingsError(f"`{key}` has no value; the experiment must give one.")
    if isinstance(value, list | Mapping) and depth > _DEEPEST:
        raise SettingsError(
            f"`{key}` has more than {_DEEPEST} lists inside each other; expected fewer."
        )
    if isinstance(value, list):
        for entry in value:
            _refuse_value(key, entry, depth + 1)
    elif isinstance(value, Mapping):
        _refuse_table(key, value, depth + 1)
    elif isinstance(value, int) and abs(value) >= 2**1000:
        raise SettingsError(
            f"`{key}` is a number of about {int(value.bit_length() * 0.30103)} digits;"
            " expected one of at most 300."
        )
    elif isinstance(value, str) and not _is_text(value):
        raise SettingsError(
            f"`{key}` is {shown(value)}, which is no text in UTF-8; write it anew."
        )
    elif value is not None and not isinstance(value, (str, int, float, bool)):
        raise SettingsError(
            f"`{key}` is of type {type(value).__name__}; expected a number, a"
            " word, true, false, null, a list or a group of keys."
        )


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeError:
        return False
    return True
