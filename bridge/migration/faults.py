"""Faults of one's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.migration.defects import Defect
from bridge.migration.subject import Subject


@dataclass(frozen=True)
class OwnFault:
    """A fault of one's own, planted into the candidate and tried as a cause.

    Attributes:
        name: In the terms of the field; the report must give it this name.
        change: Changes the object that a side built, in place.
    """

    name: str
    change: Callable[[Any], object]

    @property
    def defect(self) -> Defect:
        """The fault as the engine plants it."""

        def plant(subject: Subject) -> None:
            self.change(getattr(subject, "plain", subject.object))

        return Defect(self.name, plant)


@dataclass(frozen=True)
class Case:
    """One precision; `best` is the one that judges formulas."""

    precision: str
    best: bool = True

    def __str__(self) -> str:
        return self.precision
