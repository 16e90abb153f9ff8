"""What a benchmark case is: the same work on several sides, and how they agree."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

#: Which machine a case suits: CI, a desk, a long night.
Profile = Literal["fast", "regular", "large"]
PROFILES: tuple[Profile, ...] = ("fast", "regular", "large")
#: The side that all others are compared with.
CONTROL = "legacy"


@dataclass(frozen=True)
class Subject:
    """One side of a case, built and ready to run.

    Attributes:
        run: One unit of work; returns when it is done, on a device too.
        outcome: The arrays that all sides must agree on, by name, in one common order
            of axes. Called once before `run`, and may do work of its own.
        work: What one `run` does: `samples`, `steps`, `parameters`, ... Equal on all
            sides, or the case isn't timed.
    """

    run: Callable[[], object]
    outcome: Callable[[], Mapping[str, np.ndarray]]
    work: Mapping[str, int]


#: Builds a side; the folder is the case's own and keeps data between sides.
Builder = Callable[[Path], Subject]


@dataclass(frozen=True)
class Case:
    """The same work on several sides.

    Attributes:
        name: Unique among all cases; words joined by hyphens.
        group: What is measured; one table, one class of asv.
        sides: Builders by implementation, `legacy` first where there is one.
        proved_by: Steps of `python -m bridge verify` that must be green for the code
            as it is.
        tolerance: Largest relative L2 difference of an outcome from the control's; 0
            asks for equal bits.
        profile: The smallest profile that runs it.
        calls: Runs in a round, so that a round takes some milliseconds at least.
        gated: Whether being slower than the control fails the gate. An opt-in side
            (JAX) isn't; the docs say why.
    """

    name: str
    group: str
    sides: Mapping[str, Builder]
    proved_by: tuple[str, ...]
    tolerance: float
    profile: Profile = "fast"
    calls: int = 1
    gated: bool = True

    @property
    def candidates(self) -> tuple[str, ...]:
        """All sides but the control."""
        return tuple(side for side in self.sides if side != CONTROL)
