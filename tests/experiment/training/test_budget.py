"""Equal budgets, counted by hand."""

from pathlib import Path
from typing import Any

import pytest

from experiment.training import equal_budget, pde_steps
from tests.helpers import small

#: 2 simulations of 7 frames are 10 windows of 2 steps: 4 batches of 3.
_HYBRID = (
    *("general.mode=hybrid", "trainer.hybrid.warm_up_epochs=3"),
    *("trainer.hybrid.cycles=2", "trainer.hybrid.epochs=1", "trainer.hybrid.rounds=2"),
)


def test_the_surrogate_alone_makes_at_least_as_many_steps(tmp_path: Path) -> None:
    """Warm-up 3 x 4; a cycle adds 5 windows of one simulation: 15, 5 batches; 2 cycles.

    22 steps, which 6 epochs of 4 reach and 5 don't.
    """
    budget = equal_budget(small(tmp_path, *_HYBRID))
    assert (budget.hybrid_steps, budget.epochs, budget.steps) == (22, 6, 24)
    assert budget.rounds == 4


@pytest.mark.parametrize(
    ("override", "steps"),
    [
        ("trainer.data_access=real_only", 12 + 2 * 4),
        ("trainer.data_access=generated_only", 12 + 2 * 2),
        ("trainer.hybrid.weights.synthetic.interaction=0", 12 + 2 * 4),
        ("trainer.hybrid.alpha=1", 12 + 2 * 7),
    ],
)
def test_only_what_is_learned_from_counts(
    tmp_path: Path, override: str, steps: int
) -> None:
    assert equal_budget(small(tmp_path, *_HYBRID, override)).hybrid_steps == steps


def test_steps_of_the_pde(tmp_path: Path) -> None:
    """Evaluations times windows times steps; hybrid: 2 cycles of 6 frames more."""
    keys = "evaluations", "real_windows", "interaction_windows", "rollout_steps"
    numbers = (7, 10, 1, 1), (3, 10, 0, 2)
    rows: list[dict[str, Any]] = [dict(zip(keys, n, strict=True)) for n in numbers]
    settings = small(tmp_path, *_HYBRID)
    assert pde_steps(settings, rows) == 7 * 11 + 2 * 3 * 10 + 2 * 6
    longer = small(tmp_path, *_HYBRID, "trainer.hybrid.generated_frames=10")
    assert pde_steps(longer, rows) == 7 * 11 + 2 * 3 * 10 + 2 * 9
    alone = small(tmp_path, "general.mode=physical")
    assert pde_steps(alone, rows) == 7 * 11 + 2 * 3 * 10
