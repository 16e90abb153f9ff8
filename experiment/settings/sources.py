"""Finds the implementation of a component: the registry's, or one of the user's own."""

import importlib
import sys
from typing import Any

from experiment.settings.registry import ARCHITECTURES, COMPONENTS, SIDES
from experiment.settings.schema import Settings
from experiment.system import SettingsError, spelling_hint


def source_of(settings: Settings, component: str, side: str) -> str:
    """The path `package.module:Class` of a component's implementation on a side."""
    own = getattr(getattr(settings.migration.sources, component), side)
    if own is not None:
        return own
    (entry,) = (c for c in COMPONENTS if c.name == component)
    source = entry.source or ARCHITECTURES[settings.model.synthetic.name].source
    return below(SIDES[side], source)


def below(package: str, source: str) -> str:
    """A registry entry as a path below the package of a side."""
    return f"{package}.{source}"


def implementation(settings: Settings, component: str, side: str) -> Any:
    """The class that runs a component on a side: what the log names is what is built.

    Raises:
        SettingsError: The path of one's own has another form, doesn't import, or names
            nothing.
    """
    path = source_of(settings, component, side)
    return load_class(path, f"migration.sources.{component}.{side}")


def load_class(path: str, key: str) -> Any:
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
    # A user's own package lies where the program was started.
    if "" not in sys.path:
        sys.path.append("")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise SettingsError(
            f"`{key}` is `{path}`, and `{module_name}` doesn't import: {error}. It must"
            " be installed, or lie in the folder that the program is started from."
        ) from error
    kind = getattr(module, name, None)
    if not isinstance(kind, type):
        classes = [n for n, v in vars(module).items() if isinstance(v, type)]
        raise SettingsError(
            f"`{key}` is `{path}`, and `{module_name}` has no class `{name}`:"
            f" {spelling_hint(name, classes)}"
        )
    return kind
