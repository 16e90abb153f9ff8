"""The one registry: what exists, and where each side has it.

An entry names a module and a class below a side's package, so a pair lies under the
same name on both sides, and nothing is imported before it is used. What both sides
share lies in `experiment`.
`migration.sources.<component>.<side>` takes an entry's place.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiment.settings.schema import Architecture


@dataclass(frozen=True)
class Component:
    """A component of the migration.

    Attributes:
        name: Its key in `migration`.
        step: The step that brings it.
        source: Where a side has it, `module:class`, or where both share it; None where
            something else chooses it (`model.synthetic.name`).
    """

    name: str
    step: str
    source: str | None


#: The package of each side, by its switch value.
SIDES = {"legacy": "legacy", "phiml": "phiml_port"}
#: The switch values of a component that can be run, and all that there are.
RUNNABLE = tuple(SIDES)
VALUES = (*RUNNABLE, "shadow")

#: In the order of the migration.
COMPONENTS = (
    Component("model", "step1", None),
    Component("trainer", "step2", "training.synthetic:SyntheticLearner"),
    Component("data", "step3", "data.loader:WindowLoader"),
    Component("physics", "physics", "physics.learner:PhysicalLearner"),
    Component("hybrid", "hybrid", "experiment.training:HybridTraining"),
)


def _one_size(architecture: "Architecture") -> int:
    return 1


def _halvings(architecture: "Architecture") -> int:
    return 2 ** ((architecture.levels or 1) - 1)


def _one_each(architecture: "Architecture") -> "Outputs":
    return [(width, 0) for width in architecture.layer_widths]


def _two_each(architecture: "Architecture") -> "Outputs":
    return [(width, 0) for width in architecture.layer_widths for _ in range(2)]


def _up_and_down(architecture: "Architecture") -> "Outputs":
    widths = architecture.level_widths
    lowest = len(widths) - 1
    # Two convolutions a level on the way down, and two on the way up but at the lowest.
    times = [2 if level == lowest else 4 for level in range(len(widths))]
    return [
        (width, level)
        for level, (width, count) in enumerate(zip(widths, times, strict=True))
        for _ in range(count)
    ]


def _filters(architecture: "Architecture") -> Iterator[str]:
    levels, filters = architecture.levels, architecture.filters
    if isinstance(filters, tuple) and len(filters) != levels:
        yield (
            f"`model.synthetic.architecture.filters` has {len(filters)} numbers;"
            " expected one number, or `model.synthetic.architecture.levels` ="
            f" {levels} of them."
        )


#: Channels of every convolution's output, and how often its grid has been halved.
Outputs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Network:
    """An architecture of the synthetic model.

    Attributes:
        source: Where a side has it, `module:class`.
        settings: The keys of `model.synthetic.architecture` that it alone reads.
        size_multiple: Every size of the grid must be a multiple of this.
        impossible: What its settings together do not allow.
        outputs: Its convolutions' outputs, for the estimate of memory.
    """

    source: str
    settings: tuple[str, ...]
    size_multiple: Callable[["Architecture"], int] = _one_size
    impossible: Callable[["Architecture"], Iterator[str]] = lambda _: iter(())
    outputs: Callable[["Architecture"], Outputs] = _one_each


#: Every architecture by its `model.synthetic.name`.
ARCHITECTURES = {
    "unet": Network(
        "models.unet:UNet",
        ("levels", "filters"),
        _halvings,
        impossible=_filters,
        outputs=_up_and_down,
    ),
    "resnet": Network("models.resnet:ResNet", ("layers",), outputs=_two_each),
    "convnet": Network("models.convnet:ConvNet", ("layers",)),
}
