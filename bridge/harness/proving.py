"""Sees that a comparison can fail: judges it again, off by ten times its limit.

A comparison that passes whatever it is given proves nothing. Inside `proving` each one
that passes is made once more with its candidate moved, and must fail.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np

#: How far a candidate is moved, in limits.
TIMES = 10.0
Fails = Callable[[np.ndarray], bool]


@dataclass
class Proofs:
    """What was found of the comparisons of a rung.

    Attributes:
        proved: How often a comparison, by what it compares, failed when it had to.
        unproved: What passed although its candidate was moved.
    """

    proved: dict[str, int] = field(default_factory=dict)
    unproved: list[str] = field(default_factory=list)


_ACTIVE: ContextVar[Proofs | None] = ContextVar("proofs", default=None)


@contextmanager
def proving() -> Iterator[Proofs]:
    """Proves the comparisons that are made inside."""
    proofs = Proofs()
    token = _ACTIVE.set(proofs)
    try:
        yield proofs
    finally:
        _ACTIVE.reset(token)


def prove_number(where: str, candidate: np.ndarray, step: float, fails: Fails) -> None:
    """Moves one element, the smallest, by a size that is far over the limit.

    Args:
        where: What is compared.
        candidate: The candidate's array, which passed.
        step: Ten limits, in the array's own unit.
        fails: Judges another candidate.
    """
    proofs = _ACTIVE.get()
    if proofs is None or not candidate.size:
        return
    moved = candidate.copy()
    # Beside a large element so small a step could be lost in rounding.
    moved.flat[np.abs(moved).argmin()] += step
    _note(proofs, where, fails(moved))


def prove_exact(where: str, candidate: np.ndarray, fails: Fails) -> None:
    """Flips the lowest bit of the first byte: of a number, a unit in the last place."""
    proofs = _ACTIVE.get()
    if proofs is None or not candidate.size:
        return
    content = bytearray(candidate.tobytes())
    content[0] ^= 1
    moved = np.frombuffer(bytes(content), candidate.dtype).reshape(candidate.shape)
    _note(proofs, where, fails(moved))


def _note(proofs: Proofs, where: str, failed: bool) -> None:
    if failed:
        proofs.proved[where] = proofs.proved.get(where, 0) + 1
    else:
        proofs.unproved.append(where)
