"""What a planted fault is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bridge.verify import CaseName, CaseResult, climb


@dataclass(frozen=True)
class Fault:
    """A fault, where it shows, and under which name.

    Attributes:
        name: What the ladder must call it.
        rung: The rung that must find it.
        case: The case that it is planted in.
        plant: Plants it while the context is open.
        climb: The ladder that must find it.
    """

    name: str
    rung: str
    case: CaseName
    plant: Callable[[], AbstractContextManager[object]]
    climb: Callable[[CaseName], CaseResult] = climb
