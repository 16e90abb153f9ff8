"""Settings of what was observed of the training data: `data.observations`."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from experiment.system import (
    STRICT,
    Count,
    Index,
    Name,
    NotNegative,
    Number,
    PathText,
    Seed,
)

#: A share of the trajectory or of an axis.
Fraction = Annotated[float, Field(gt=0, le=1)]
#: Lower and upper end in m.
Interval = Annotated[tuple[Number, ...], Field(min_length=2, max_length=2)]

#: What each kind reads beside itself; all else of its group must be null.
TIME_KINDS: dict[str, tuple[str, ...]] = {
    "all": (),
    "endpoints": ("fraction",),
    "every": ("every",),
    "frames": ("frames",),
}
SPACE_KINDS: dict[str, tuple[str, ...]] = {
    "all": (),
    "box": ("box",),
    "centre": ("fraction",),
    "random": ("number", "seed"),
    "sensors": ("file",),
}


@dataclass(frozen=True, config=STRICT)
class ObservedTime:
    """Which frames of a simulation were observed; a kind reads its own key alone."""

    kind: Literal["all", "endpoints", "every", "frames"]
    fraction: Fraction | None
    every: Count | None
    frames: Annotated[tuple[Index, ...], Field(min_length=1)] | None


@dataclass(frozen=True, config=STRICT)
class ObservedSpace:
    """Which cells were observed, in every observed frame alike."""

    kind: Literal["all", "box", "centre", "random", "sensors"]
    box: dict[Name, Interval] | None
    fraction: Fraction | None
    number: Count | None
    seed: Seed | None
    file: PathText | None


@dataclass(frozen=True, config=STRICT)
class Observations:
    """What was observed of the training simulations, and how well.

    `noise` is the standard deviation of additive Gaussian noise over the root mean
    square of the field. `initial` says what is known of a window's first frame.
    """

    time: ObservedTime
    space: ObservedSpace
    noise: NotNegative
    noise_seed: Seed
    initial: Literal["known", "nearest"]
