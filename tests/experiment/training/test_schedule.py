"""The learning rate of each epoch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from experiment.settings import Settings
from experiment.training import next_rate
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
