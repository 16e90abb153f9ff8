"""Finds an implementation by its path, and checks that it fits."""

import importlib
from typing import Any

from bridge._registry import CONTRACTS, REGISTRY
from experiment.settings import Settings
from experiment.system import SettingsError, spelling_hint


def source_of(settings: Settings, component: str, side: str, name: str) -> str:
    """The path `package.module:Class` of a component's implementation."""
    if component == "model":
        own = getattr(settings.migration.sources.model, side)
        if own is not None:
            return own
    return REGISTRY[component][side][name]


def load_source(path: str, key: str) -> Any:
    """The class at `package.module:Class`.

    Raises:
        SettingsError: The path has another form, doesn't import, or names nothing.
    """
    module_name, colon, name = path.partition(":")
    if not colon or not module_name or not name:
        raise SettingsError(
            f"`{key}` is `{path}`; expected `package.module:Class`, such as"
            " mypackage.nets:UNet"
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise SettingsError(
            f"`{key}` is `{path}`, and `{module_name}` doesn't import: {error}. It must"
            " be installed, or lie in the folder that the program is started from."
        ) from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        classes = [n for n, v in vars(module).items() if isinstance(v, type)]
        raise SettingsError(
            f"`{key}` is `{path}`, and `{module_name}` has no class `{name}`:"
            f" {spelling_hint(name, classes)}"
        )
    return found


def check_contract(kind: type, side: str, key: str) -> None:
    """Refuses a class that lacks what its side needs.

    Raises:
        SettingsError: Names every missing method.
    """
    from torch import nn

    missing = [
        name for name in CONTRACTS[side] if not callable(getattr(kind, name, None))
    ]
    # torch gives every module a `forward` that raises.
    if side == "legacy" and getattr(kind, "forward", None) is nn.Module.forward:
        missing = ["forward", *missing]
    if missing:
        raise SettingsError(
            f"`{key}`: `{kind.__module__}:{kind.__name__}` lacks the method"
            f" `{'`, `'.join(dict.fromkeys(missing))}`; a network of the side {side}"
            f" has {', '.join(CONTRACTS[side])}."
        )
