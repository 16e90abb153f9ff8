"""Finds the implementation of a component: the registry's, or one of the user's own."""

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.settings.registry import ARCHITECTURES, COMPONENTS, SIDES
from experiment.settings.schema import Settings
from experiment.system import SettingsError, UserError, spelling_hint


def source_of(settings: Settings, component: str, side: str) -> str:
    """The path `package.module:Class` of a component's implementation on a side."""
    own = getattr(getattr(settings.migration.sources, component), side)
    if own is not None:
        return own
    (entry,) = (c for c in COMPONENTS if c.name == component)
    source = entry.source or ARCHITECTURES[settings.model.synthetic.name].source
    shared = source.startswith("experiment.")
    return source if shared else f"{SIDES[side]}.{source}"


def own_network(settings: Settings) -> bool:
    """Whether the network that runs is one of one's own."""
    return getattr(settings.migration.sources.model, settings.migration.model) is not (
        None
    )


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
    parts = module_name.split(".")
    if not colon or not name.isidentifier() or not all(p.isidentifier() for p in parts):
        raise SettingsError(
            f"`{key}` is `{path}`; expected `package.module:Class`, such as"
            " mypackage.nets:UNet, and no relative path"
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
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise SettingsError(
            f"`{key}` is `{path}`, and importing `{module_name}` raised"
            f" {_raised(error)}. Mend it there; `python -c 'import {module_name}'`"
            " shows all of it."
        ) from error
    kind = getattr(module, name, None)
    if not isinstance(kind, type):
        classes = [n for n, v in vars(module).items() if isinstance(v, type)]
        raise SettingsError(
            f"`{key}` is `{path}`, and `{module_name}` has no class `{name}`:"
            f" {spelling_hint(name, classes)}"
        )
    return kind


#: How components are built: arguments by position, and by name. A network's depend on
#: the settings; see `require_arguments`.
_CALLED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "trainer": (("settings", "model"), ()),
    "data": (("settings", "simulations"), ("shuffle", "progress")),
    "physics": (("settings", "dataset"), ()),
    "hybrid": (("settings", "synthetic", "physical"), ()),
}


def check_sources(settings: Settings) -> None:
    """Refuses implementations of one's own that can't be imported or built.

    Raises:
        SettingsError: A path doesn't import, names no class, or the class takes other
            arguments than its component is built with.
    """
    for component in (entry.name for entry in COMPONENTS):
        side = getattr(settings.migration, component)
        if getattr(getattr(settings.migration.sources, component), side) is None:
            continue
        kind = implementation(settings, component, side)
        if component not in _CALLED:
            continue
        positions, names = _CALLED[component]
        try:
            inspect.signature(kind).bind(*positions, **dict.fromkeys(names))
        except TypeError as error:
            expected = ", ".join((*positions, *(f"{name}=..." for name in names)))
            raise SettingsError(
                f"`migration.sources.{component}.{side}`: `{kind.__module__}:"
                f"{kind.__name__}` can't be built with ({expected}): {error}. Give its"
                " constructor these arguments."
            ) from error
        except ValueError:
            # A class that has no signature, such as one written in C.
            continue


def build(
    settings: Settings, component: str, side: str, *arguments: Any, **options: Any
) -> Any:
    """Builds the implementation of a component on a side.

    Raises:
        SettingsError: One of the user's own raised; says what and where.
        UserError: Whatever an implementation has to say to the user.
    """
    kind = implementation(settings, component, side)
    if getattr(getattr(settings.migration.sources, component), side) is None:
        return kind(*arguments, **options)
    try:
        return kind(*arguments, **options)
    except UserError:
        raise
    except Exception as error:
        raise SettingsError(
            f"`migration.sources.{component}.{side}`: building `{kind.__module__}:"
            f"{kind.__name__}` raised {_raised(error)}. Mend it there."
        ) from error


def _raised(error: BaseException) -> str:
    """An error with the last place in a file that it came from."""
    frame, place = error.__traceback__, ""
    while frame is not None:
        place = f" (line {frame.tb_lineno} of `{frame.tb_frame.f_code.co_filename}`)"
        frame = frame.tb_next
    return f"{type(error).__name__}: {error}{place}"


def require_methods(kind: type, methods: Sequence[str], key: str) -> None:
    """Refuses a class of one's own that lacks what its side needs.

    Raises:
        SettingsError: Names every missing method.
    """
    missing = [name for name in methods if not callable(getattr(kind, name, None))]
    if missing:
        raise SettingsError(
            f"`{key}`: `{kind.__module__}:{kind.__name__}` lacks the method"
            f" `{'`, `'.join(missing)}`; it needs {', '.join(methods)}."
        )


def require_arguments(
    kind: type, arguments: Sequence[Any], options: Mapping[str, Any], key: str
) -> None:
    """Refuses a class of one's own that can't be built with what it is given.

    Raises:
        SettingsError: Names what it lacks or doesn't take.
    """
    signature = inspect.signature(kind)
    try:
        signature.bind(*arguments, **options)
    except TypeError as error:
        words = ", ".join(("in_channels, out_channels, rank, architecture", *options))
        raise SettingsError(
            f"`{key}`: `{kind.__module__}:{kind.__name__}{signature}` can't be built"
            f" with ({words}): {error}. What follows `architecture` is"
            " `model.synthetic.architecture.kwargs`."
        ) from error
