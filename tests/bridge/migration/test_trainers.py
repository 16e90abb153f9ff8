"""Trainers, schedules and loaders of one's own: equal ones pass, faults are named."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from bridge import Side
from tests.bridge.migration.nets import pair, quiet, worst

#: A trainer needs neither.
ALONE: dict[str, Any] = {"loss": None, "optimiser": None}


def rows(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((size, 3)), rng.standard_normal((size, 4))


class Trainer:
    """A trainer of one's own: descent on a linear model in NumPy."""

    def __init__(self, rate: float = 0.1) -> None:
        self.w, self.rate = np.ones(3), rate

    def step(self, x: np.ndarray, t: np.ndarray) -> float:
        error = x @ self.w - t[:, 0]
        self.w = self.w - self.rate * x.T @ error / len(error)
        return float((error**2).mean())

    def batches(self, epoch: int) -> Any:
        order = np.random.default_rng(epoch).permutation(6)
        return [order[:4], order[4:]]


def trainer(**fields: Any) -> Side:
    return Side(
        fields.pop("build", Trainer),
        step=lambda trainer, x, t: trainer.step(x, t),
        state=lambda trainer: {"w": trainer.w},
        batches=lambda trainer, epoch: trainer.batches(epoch),
        rate=lambda trainer, epoch: trainer.rate,
        **fields,
    )


def test_trainers_are_judged_by_steps_rates_and_batches() -> None:
    fields: dict[str, Any] = {"batch": rows, "loss": None, "optimiser": None}
    good = pair(trainer(), trainer(), **fields).verify(report=quiet)

    class Shuffled(Trainer):
        def batches(self, epoch: int) -> Any:
            return super().batches(epoch)[::-1]

    other = trainer(build=Shuffled)
    order = worst(pair(trainer(), other, **fields).verify(report=quiet))
    fast = trainer(build=lambda: Trainer(0.2))
    rate = worst(pair(trainer(), fast, **fields).verify(report=quiet))

    assert worst(good) == ("", "", "")
    assert [r.rung for r in good.results[0].rungs] == ["R1", "R6", "R7", "R8", "R9"]
    assert (order[0], order[2]) == ("R8", "the same batches in another order")
    assert rate[0] == "R6"


class WithMomentum(Trainer):
    """Its momentum is made by the first step, as torch's optimisers make theirs."""

    def __init__(self, share: float = 0.9) -> None:
        super().__init__()
        self.share, self.momentum = share, np.zeros(0)

    def step(self, x: np.ndarray, t: np.ndarray) -> float:
        error = x @ self.w - t[:, 0]
        slope = x.T @ error / len(error)
        known = self.momentum.size > 0
        self.momentum = slope + self.share * self.momentum if known else slope
        self.w = self.w - self.rate * self.momentum
        return float((error**2).mean())

    def state(self) -> dict[str, Any]:
        some = {"momentum": self.momentum} if self.momentum.size else {}
        return {"w": self.w, **some}


def test_a_moment_that_the_first_step_makes_is_judged() -> None:
    fields: dict[str, Any] = {"batch": rows, "loss": None, "optimiser": None}

    def side(share: float) -> Side:
        build = partial(WithMomentum, share)
        return replace(trainer(build=build), state=lambda trainer: trainer.state())

    good = pair(side(0.9), side(0.9), **fields).verify(report=quiet)
    bad = pair(side(0.9), side(0.8), **fields).verify(report=quiet)

    assert worst(good) == ("", "", "")
    assert worst(bad)[0] == "R6"


class Scheduled(Trainer):
    """With a rate that falls, weights that can be set, and batches of numbers."""

    def rate_of(self, epoch: int) -> float:
        return self.rate / (1 + epoch)

    def load(self, leaves: dict[str, np.ndarray]) -> None:
        self.w = leaves["w"].copy()

    def batches(self, epoch: int) -> Any:
        return [np.sqrt(1.0 + order) for order in super().batches(epoch)]


def scheduled(build: Any = Scheduled) -> Side:
    return replace(
        trainer(build=build),
        rate=lambda trainer, epoch: trainer.rate_of(epoch),
        load=lambda trainer, leaves: trainer.load(leaves),
    )


def test_every_fault_of_a_trainer_is_found_by_its_name() -> None:
    found = pair(scheduled(), scheduled(), batch=rows, **ALONE).selftest(report=quiet)

    assert [f.seen for f in found if not f.caught] == []
    names = {f.fault.name for f in found}
    assert {
        *("learning rate of the epoch before", "learning rate of the epoch after"),
        *("learning rate of the first epoch in all", "batches of epoch 0"),
        *("last batch dropped", "rounded to float32", "`w` isn't trained"),
        *("each step is made twice", "every second step is left out"),
        *("inputs off by a percent", "targets of the batch in another order"),
    } <= names


def test_a_trainer_that_can_not_be_set_back_keeps_the_fault() -> None:
    """It is built anew for each thing that is looked at."""
    found = pair(trainer(), trainer(), batch=rows, **ALONE).selftest(
        ["step"], report=quiet
    )

    assert [(f.fault.name, f.caught) for f in found] == [
        ("each step is made twice", True),
        ("every second step is left out", True),
    ]


class Late(Scheduled):
    def rate_of(self, epoch: int) -> float:
        return super().rate_of(max(epoch - 1, 0))


class Same(Scheduled):
    def batches(self, epoch: int) -> Any:
        return super().batches(0)


@pytest.mark.parametrize(
    ("build", "rung", "name"),
    [
        (Late, "R7", "learning rate of the epoch before"),
        (Same, "R8", "batches of epoch 0"),
    ],
)
def test_a_fault_that_nobody_planted_gets_the_same_name(
    build: type[Scheduled], rung: str, name: str
) -> None:
    seen = worst(
        pair(scheduled(), scheduled(build), batch=rows, **ALONE).verify(report=quiet)
    )

    assert (seen[0], seen[2]) == (rung, name)


class Long(Trainer):
    """Sums over many numbers, in the order in which they come or from the end."""

    def __init__(self, turn: int = 1) -> None:
        super().__init__()
        self.turn = turn

    def step(self, x: np.ndarray, t: np.ndarray) -> float:
        error = x @ self.w - t[:, 0]
        slope = sum((x.T * error).T[:: self.turn], np.zeros(3))
        # Far from the minimum all along, so that rounding is no larger elsewhere.
        self.w = self.w - 1e-3 * slope / len(error)
        return float(sum((error**2)[:: self.turn]) / len(error))


def test_a_sum_in_another_order_is_no_fault() -> None:
    sides = (trainer(build=Long), trainer(build=partial(Long, -1)))
    proof = pair(*sides, batch=rows, sizes=(1, 512), **ALONE).verify(report=quiet)

    assert worst(proof) == ("", "", "")
