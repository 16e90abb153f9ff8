"""What a benchmark case is: the same work on several sides, and how they agree."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

#: Which machine a case suits: CI, a desk, a long night.
Profile = Literal["fast", "regular", "large"]
PROFILES: tuple[Profile, ...] = ("fast", "regular", "large")


class BenchError(Exception):
    """An argument or a file of the benchmarks is wrong; the message says what to do."""


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
        sides: Builders by implementation, the control first where there is one.
        proved_by: Ladders that must be green for the code as it is.
        tolerance: Largest relative L2 difference of an outcome from the control's; 0
            asks for equal bits.
        profile: The smallest profile that runs it.
        calls: Runs in a round, so that a round takes some milliseconds at least.
        gated: Whether a candidate that is slower than the control fails the gate; a
            cost that is only reported (compiling, importing) doesn't.
        references: Builders of what the sides are compared with and no gate judges: a
            loop by hand, a library without compiling, an optional backend. Their
            outcome and work are checked like any side's.
        control: The side that all others are compared with.

    Raises:
        ValueError: There is no side, or a name is both a side and a reference.
    """

    name: str
    group: str
    sides: Mapping[str, Builder]
    proved_by: tuple[str, ...]
    tolerance: float
    profile: Profile = "fast"
    calls: int = 1
    gated: bool = True
    references: Mapping[str, Builder] = field(default_factory=dict)
    control: str = "legacy"

    def __post_init__(self) -> None:
        if not self.sides:
            raise ValueError(f"`{self.name}` has no side; expected at least one")
        both = sorted(self.sides.keys() & self.references.keys())
        if both:
            raise ValueError(
                f"`{self.name}` has {', '.join(both)} in `sides` and in `references`;"
                " a gate judges it or it doesn't"
            )

    @property
    def candidates(self) -> tuple[str, ...]:
        """What a gate compares with the control; none where there is no control."""
        if self.control not in self.sides:
            return ()
        return tuple(side for side in self.sides if side != self.control)

    @property
    def builders(self) -> dict[str, Builder]:
        """Sides and references, the baseline first."""
        return {**self.sides, **self.references}

    @property
    def baseline(self) -> str:
        """What all others must agree with: the control, or else the first side."""
        return self.control if self.control in self.sides else next(iter(self.sides))


def by_name(cases: Iterable[Case]) -> dict[str, Case]:
    """The cases by name.

    Raises:
        ValueError: Two have one name.
    """
    table: dict[str, Case] = {}
    for case in cases:
        if case.name in table:
            raise ValueError(f"two cases are named `{case.name}`; rename one")
        table[case.name] = case
    return table


def of_profile(cases: Mapping[str, Case], profile: Profile) -> dict[str, Case]:
    """The cases that a profile runs; `fast` within `regular` within `large`.

    Raises:
        ValueError: There is no such profile.
    """
    if profile not in PROFILES:
        raise ValueError(
            f"`profile` is {profile!r}; allowed: {', '.join(PROFILES)}"
            " (environment variable BENCHMARK_PROFILE)"
        )
    allowed = PROFILES[: PROFILES.index(profile) + 1]
    return {name: case for name, case in cases.items() if case.profile in allowed}


def case_folder(folder: Path, case: Case) -> Path:
    """The case's own folder below `folder`."""
    path = folder / case.name
    path.mkdir(parents=True, exist_ok=True)
    return path
