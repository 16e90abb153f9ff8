"""Every equation beside an exact solution, and that errors are seen."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.orders import (
    SIDES,
    Solution,
    gradient_orders,
    scheme_orders,
)
from benchmarks.reports.equations import SOLUTIONS, row
from experiment.equations import EQUATIONS

NAMES = [row(solution, []).strip() for solution in SOLUTIONS]
BURGERS, SHIFT = SOLUTIONS[1], SOLUTIONS[8]


def test_every_equation_has_a_solution_in_all_its_dimensions() -> None:
    seen = {(s.experiment.split("_")[0], s.rank) for s in SOLUTIONS}
    ranks = {"burgers": (1, 2, 3), "heat": (1, 2, 3), "advection": (2, 3)}
    assert set(ranks) == set(EQUATIONS)
    assert seen == {(name, rank) for name, several in ranks.items() for rank in several}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "solution",
    [
        # Three dimensions take a minute each.
        pytest.param(s, id=name, marks=[pytest.mark.long] if s.rank == 3 else [])
        for s, name in zip(SOLUTIONS, NAMES, strict=True)
    ],
)
def test_the_scheme_converges_at_its_order(solution: Solution, side: str) -> None:
    """And nearer to it on finer grids."""
    away = np.abs(scheme_orders(solution, side) - solution.order)
    assert away[-1] < 0.2 and away[-1] < away[0]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("solution", SOLUTIONS, ids=NAMES)
def test_the_gradient_passes_the_taylor_test(solution: Solution, side: str) -> None:
    assert (gradient_orders(solution, side) >= 1.95).all()


@pytest.mark.parametrize("side", SIDES)
def test_a_wrong_coefficient_does_not_converge(side: str) -> None:
    wrong = replace(BURGERS, truth=0.11, cells=BURGERS.cells[:2])
    assert scheme_orders(wrong, side)[-1] < 0.7
    still = replace(SHIFT, truth=1.5, cells=SHIFT.cells[:2])
    assert scheme_orders(still, side)[-1] < 0.7


@pytest.mark.parametrize("side", SIDES)
def test_a_gradient_that_is_off_by_a_percent_is_seen(
    side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Solution.learner

    def off(self: Solution, folder: Path, cells: int, name: str) -> tuple[Any, Any]:
        settings, learner = made(self, folder, cells, name)
        right = learner.gradient
        learner.gradient = lambda z: {n: 1.01 * g for n, g in right(z).items()}
        return settings, learner

    monkeypatch.setattr(Solution, "learner", off)
    assert (gradient_orders(BURGERS, side) < 1.9).any()
