"""How a fault is planted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

Plant = Callable[[], AbstractContextManager[object]]


def wrapped(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Plant:
    """Plants `wrap(original)` where `owner.name` is."""
    return lambda: patch.object(owner, name, wrap(getattr(owner, name)))
