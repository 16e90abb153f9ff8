"""A pair that is no pipeline: two ways to add numbers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

import numpy as np

from bridge.harness import (
    Fault,
    Findings,
    Ladder,
    Row,
    Rung,
    compare,
    exact,
    named,
    passed,
)

DOUBLED = "doubled"


class Sides:
    """Both sides."""

    def __init__(self, size: int) -> None:
        self.numbers = np.random.default_rng(size).standard_normal(size)

    def control(self) -> np.ndarray:
        return np.array([np.sum(self.numbers)])

    def candidate(self) -> np.ndarray:
        return np.array([np.sum(self.numbers[::-1])])


def sum_rung(sides: Sides) -> Findings:
    actual, expected = sides.candidate(), sides.control()
    finding = compare(
        "sum", actual, expected, expected, factor=2, depth=len(sides.numbers)
    )
    yield named(finding, actual, expected, {DOUBLED: lambda: 2 * expected})


def count_rung(sides: Sides) -> Findings:
    yield exact("count", np.array([len(sides.candidate())]), np.array([1]))


def planted(
    change: Callable[[np.ndarray], np.ndarray],
) -> Callable[[], AbstractContextManager[None]]:
    """A context in which the candidate's result is changed."""

    @contextmanager
    def plant() -> Iterator[None]:
        real = Sides.candidate
        with patch.object(Sides, "candidate", lambda self: change(real(self))):
            yield

    return plant


FAULT = Fault(DOUBLED, "S1", 11, planted(lambda x: 2 * x), "sum")


def _rows() -> Iterator[Row]:
    yield Row("sums", "order", "forwards", "backwards", "known")


LADDER = Ladder(
    "toy",
    (11, 13),
    Sides,
    (
        Rung("S1", "sums", sum_rung),
        Rung("S2", "counts", count_rung, lambda size: size == 11),
    ),
    _rows,
    lambda: (FAULT,),
    lambda: patch.object(Sides, "candidate", Sides.control),
)
LADDERS = {"toy": "tests.bridge.harness.toy:LADDER"}


class ToyError(Exception):
    """An error of the toy's own family."""

    status = 3


def raising(_: object) -> Findings:
    raise ToyError("the toy is broken")


BROKEN = Ladder("broken", (1,), lambda _: None, (Rung("B1", "nothing", raising),))
UNBUILT = Ladder("unbuilt", (1,), raising, (Rung("B1", "nothing", lambda _: ()),))
EMPTY = Ladder("empty", (1,), lambda _: None, (Rung("E1", "nothing", lambda _: ()),))
FINE = Ladder("fine", (1,), lambda _: None, (Rung("F1", "x", lambda _: [passed("x")]),))
