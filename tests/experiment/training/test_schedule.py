"""The learning rate and the roll-out's length of each epoch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from experiment.settings import Settings
from experiment.training import next_rate, rollout_lengths
from experiment.training.schedule import rollout_steps
from tests.helpers import small


def rates(settings: Settings, epochs: int) -> list[float]:
    rate, every = settings.trainer.synthetic.learning_rate, []
    for epoch in range(epochs):
        every.append(rate)
        rate = next_rate(settings, rate, epoch)
    return [*every, rate]


@pytest.mark.parametrize("epochs", (1, 2, 7, 50))
def test_cosine_is_bitwise_that_of_torch(tmp_path: Path, epochs: int) -> None:
    """torch's recursive form rounds otherwise than the closed one."""
    settings = small(tmp_path, f"trainer.synthetic.epochs={epochs}")
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=settings.trainer.synthetic.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs)
    expected = [optimiser.param_groups[0]["lr"]]
    for _ in range(epochs):
        optimiser.step()
        schedule.step()
        expected.append(optimiser.param_groups[0]["lr"])
    assert rates(settings, epochs) == expected
    closed = expected[0] / 2 * (1 + np.cos(np.pi * np.arange(epochs + 1) / epochs))
    np.testing.assert_allclose(expected, closed, rtol=1e-12, atol=1e-18)


def test_constant_stays(tmp_path: Path) -> None:
    settings = small(tmp_path, "trainer.synthetic.schedule=constant")
    assert rates(settings, 3) == [settings.trainer.synthetic.learning_rate] * 4


@pytest.mark.parametrize("schedule", ("step", "exponential"))
def test_others_are_bitwise_those_of_torch(tmp_path: Path, schedule: str) -> None:
    options = (f"schedule={schedule}", "decay=0.3", "decay_epochs=2")
    settings = small(tmp_path, *(f"trainer.synthetic.{o}" for o in options))
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=settings.trainer.synthetic.learning_rate)
    of_torch = {
        "step": lambda: torch.optim.lr_scheduler.StepLR(optimiser, 2, 0.3),
        "exponential": lambda: torch.optim.lr_scheduler.ExponentialLR(
            optimiser, 0.3**0.5
        ),
    }[schedule]()
    expected = [optimiser.param_groups[0]["lr"]]
    for _ in range(7):
        optimiser.step()
        of_torch.step()
        expected.append(optimiser.param_groups[0]["lr"])
    assert rates(settings, 7) == expected
    assert expected[-2] == pytest.approx(expected[0] * 0.3**3)


@pytest.mark.parametrize(
    ("schedule", "start", "steps", "lengths"),
    [
        ("constant", 1, 4, [4]),
        ("linear", 2, 5, [2, 3, 4, 5]),
        ("linear", 4, 4, [4]),
        ("exponential", 1, 8, [1, 2, 4, 8]),
        ("exponential", 3, 7, [3, 6, 7]),
        ("exponential", 4, 4, [4]),
    ],
)
def test_lengths_grow_to_the_whole_window(
    schedule: str, start: int, steps: int, lengths: list[int]
) -> None:
    assert rollout_lengths(schedule, start, steps) == lengths


def test_every_length_lasts_as_long(tmp_path: Path) -> None:
    settings = small(tmp_path, "trainer.rollout_schedule=linear")
    every = [rollout_steps(settings, 3, done, 7) for done in range(7)]
    assert every == [1, 1, 1, 2, 2, 3, 3]
    assert [rollout_steps(settings, 3, done, 2) for done in range(2)] == [1, 2]
