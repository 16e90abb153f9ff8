"""What sides, sources of one's own and a network's settings together do not allow."""

import json
from collections.abc import Iterator

from experiment.settings.registry import (
    ARCHITECTURES,
    COMPONENTS,
    RUNNABLE,
    SIDES,
)
from experiment.settings.schema import Settings
from experiment.settings.sources import own_network, source_of

_ABOVE = "model.synthetic.architecture"


def impossible_switches(settings: Settings) -> Iterator[str]:
    """Sides that can't be run, and sides that would run the built-in class unasked."""
    for component in COMPONENTS:
        side = getattr(settings.migration, component.name)
        if side not in RUNNABLE:
            yield (
                f"`migration.{component.name}` is {side}, which is not built yet;"
                f" allowed now: {', '.join(RUNNABLE)}."
            )
            continue
        own = getattr(settings.migration.sources, component.name)
        above = f"migration.sources.{component.name}"
        for other in SIDES:
            if getattr(own, other) is not None and getattr(own, side) is None:
                yield (
                    f"`{above}.{other}` is {getattr(own, other)}, but"
                    f" `migration.{component.name}` is {side}, and `{above}.{side}` is"
                    f" null: the built-in class would run in its place. Give"
                    f" `{above}.{side}` as well; the built-in one is"
                    f" {source_of(settings, component.name, side)}."
                )


def impossible_architecture(settings: Settings) -> Iterator[str]:
    """A network's settings that are missing, unread, or don't fit the grid."""
    if settings.general.mode == "physical":
        return  # No network has to fit the grid.
    architecture = settings.model.synthetic.architecture
    if own_network(settings):
        # It reads what it likes.
        return
    if architecture.kwargs:
        side = settings.migration.model
        yield (
            f"`{_ABOVE}.kwargs` is {json.dumps(architecture.kwargs)}, which only a"
            f" network of your own reads; give `migration.sources.model.{side}`, or set"
            " null."
        )
    name = settings.model.synthetic.name
    network = ARCHITECTURES[name]
    missing = False
    for key in dict.fromkeys(k for n in ARCHITECTURES.values() for k in n.settings):
        value = getattr(architecture, key)
        if key in network.settings and value is None:
            missing = True
            yield (
                f"`{_ABOVE}.{key}` is null, which {name} needs; choose the whole group"
                f" with `model/synthetic={name}`, or give a value."
            )
        if key not in network.settings and value is not None:
            yield (
                f"`{_ABOVE}.{key}` is {json.dumps(value)}, which {name} doesn't read;"
                f" choose the whole group with `model/synthetic={name}`, or set null."
            )
    if missing:
        return
    yield from network.impossible(architecture)
    multiple = network.size_multiple(architecture)
    own = ", ".join(f"{k} = {getattr(architecture, k)}" for k in network.settings)
    for axis, size in settings.model.physical.resolution.items():
        if size % multiple:
            smaller = max(size // multiple, 1) * multiple
            yield (
                f"`model.physical.resolution.{axis}` is {size}; a {name} with {own}"
                f" needs a multiple of {multiple}, such as {smaller} or"
                f" {smaller + multiple}."
            )
