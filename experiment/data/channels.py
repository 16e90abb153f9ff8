"""The channels of the data: their order, and the role of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from experiment.settings import Architecture, Settings


@dataclass(frozen=True)
class ChannelPlan:
    """Fields in config order, their components concatenated in that order.

    Attributes:
        fields: Components of every field by name; a scalar field has none.
        dynamic_fields: The fields that the model predicts; the others are static.
        inputs: `all` if the network sees every channel, `dynamic` if it sees the
            dynamic ones only.
    """

    fields: Mapping[str, tuple[str, ...]]
    dynamic_fields: tuple[str, ...]
    inputs: Literal["all", "dynamic"]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of every channel: `density`, or `velocity.x` for a component."""
        return tuple(n for field in self.fields for n in self.of_field(field))

    def of_field(self, field: str) -> tuple[str, ...]:
        """Channel names of one field."""
        components = self.fields[field]
        return tuple(f"{field}.{c}" for c in components) if components else (field,)

    @cached_property
    def dynamic(self) -> tuple[int, ...]:
        """Positions of the dynamic channels, ascending."""
        dynamic = {n for f in self.dynamic_fields for n in self.of_field(f)}
        return tuple(i for i, name in enumerate(self.names) if name in dynamic)

    @cached_property
    def dynamic_names(self) -> tuple[str, ...]:
        """Names of the dynamic channels, in the order of `dynamic`."""
        return tuple(self.names[i] for i in self.dynamic)

    @cached_property
    def network_inputs(self) -> tuple[int, ...]:
        """Positions of the channels that the network sees."""
        every = tuple(range(len(self.names)))
        return every if self.inputs == "all" else self.dynamic

    @cached_property
    def runs(self) -> tuple[tuple[bool, int, int], ...]:
        """The channels as runs of one role: (is dynamic, start, stop)."""
        dynamic = set(self.dynamic)
        runs: list[tuple[bool, int, int]] = []
        for i in range(len(self.names)):
            role = i in dynamic
            if runs and runs[-1][0] == role:
                runs[-1] = (role, runs[-1][1], i + 1)
            else:
                runs.append((role, i, i + 1))
        return tuple(runs)


def channel_plan(settings: Settings) -> ChannelPlan:
    """The channels of the data and their roles, in config order."""
    offered = settings.model.physical.fields
    scheme = settings.data.fields_scheme
    return ChannelPlan(
        fields={name: offered[name] for name in settings.data.fields},
        dynamic_fields=scheme.dynamic,
        inputs=settings.model.synthetic.architecture.inputs,
    )


def network_arguments(settings: Settings) -> tuple[int, int, int, Architecture]:
    """What a network is built with: channels in and out, spatial dims, settings."""
    plan = channel_plan(settings)
    return (
        len(plan.network_inputs),
        len(plan.dynamic),
        len(settings.model.physical.axes),
        settings.model.synthetic.architecture,
    )


def network_options(settings: Settings) -> Mapping[str, Any]:
    """What a network of one's own is built with besides, by name."""
    return settings.model.synthetic.architecture.kwargs or {}


def frame_shape(settings: Settings) -> tuple[int, ...]:
    """Shape of a frame of all fields, `(x, y, ..., vector)`."""
    sizes = settings.model.physical.resolution.values()
    return (*sizes, len(channel_plan(settings).names))


def as_slice(positions: tuple[int, ...]) -> slice | None:
    """`positions` as a slice if they are consecutive, so that taking them is a view."""
    if positions == tuple(range(positions[0], positions[0] + len(positions))):
        return slice(positions[0], positions[0] + len(positions))
    return None
