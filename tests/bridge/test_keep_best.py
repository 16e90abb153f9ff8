"""A cycle that made a model worse on real data is undone, and resumes bitwise."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import legacy.data
import legacy.physics
import phiml_port.data
import phiml_port.physics
from bridge.ladders.hybrid_cases import noise_like
from experiment.run import RunFolder
from experiment.system import Progress
from experiment.training import LAST, PHYSICAL_KEPT
from tests.bridge import test_physics as physics
from tests.bridge.hybrid_runs import (
    SIDES,
    everything,
    switches,
    tiny,
    trained,
    training_of,
)
from tests.bridge.test_hybrid_stops import interrupted
from tests.bridge.test_teaching import WEIGHTS
from tests.legacy import test_training as synthetic


@pytest.mark.parametrize(
    "sides",
    [
        ("legacy", "legacy", "legacy"),
        ("phiml", "phiml", "phiml"),
        ("legacy", "phiml", "legacy"),
        ("phiml", "legacy", "phiml"),
    ],
)
def test_weighted_epochs_and_undone_cycles_go_on_bitwise(
    folder: Path, sides: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that learns from noise gets worse, so that cycles are undone."""
    noise_for_all(monkeypatch)
    own = (*switches(*sides), *WEIGHTS, "trainer.hybrid.keep_best=true")
    whole = trained(folder, "whole", "advection", *own)
    for place in ("first cycle", "first half", "signal", "second half"):
        interrupted(folder, "advection", place, *own)
        found = trained(folder, "apart", "advection", *own, "trainer.resume=true")
        synthetic.same(folder / "apart" / LAST, folder / "whole" / LAST)
        physics.same(found[1], whole[1])
        for file in (folder / "apart").iterdir():
            file.unlink()


def noise_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hands noise to both models in every hybrid training."""
    for taker in (
        *(legacy.data.WindowLoader, phiml_port.data.WindowLoader),
        *(legacy.physics.PhysicalLearner, phiml_port.physics.PhysicalLearner),
    ):
        augment: Any = taker.augment

        def noisy(self: Any, made: Any, access: str, augment: Any = augment) -> None:
            augment(self, None if made is None else 3 * noise_like(made), access)

        monkeypatch.setattr(taker, "augment", noisy)


@pytest.mark.parametrize("side", SIDES)
def test_a_cycle_that_makes_a_model_worse_is_undone(
    folder: Path, side: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level("INFO")
    # It begins with the truth, so noise can but mislead it.
    truth = "{name: velocity_factor, type: scalar, initial_guess: 1.0, bounds: [0, 2]}"
    own = (
        *(*everything(side), "trainer.hybrid.weights.physical.interaction=10"),
        f"trainer.physical.learnable_parameters=[{truth}]",
    )
    noise_for_all(monkeypatch)
    start = training_of(tiny(folder / "advection", "advection", *own)).physical
    keep = "trainer.hybrid.keep_best=true"
    found = trained(folder, "kept", "advection", *own, keep)
    lost = trained(folder, "lost", "advection", *own)
    words = " ".join(r.getMessage() for r in caplog.records)
    assert "made the physical model worse: its loss on real data went from" in words
    for name, values in start.parameters.items():
        np.testing.assert_array_equal(found[1].weights[name], values)
        assert not np.array_equal(lost[1].weights[name], values)
    assert found[1].state.cycles == 2 and (folder / "kept" / PHYSICAL_KEPT).exists()
    assert lost[1].state.cycles == 0


@pytest.mark.parametrize("side", SIDES)
def test_the_synthetic_model_goes_back_with_its_moments(
    folder: Path, side: str
) -> None:
    path = folder / "advection"
    settings = tiny(
        path, "advection", *everything(side), "trainer.hybrid.keep_best=true"
    )
    training = training_of(settings)
    model, record = training.synthetic, RunFolder(settings)
    model.train(record, Progress(), until=1)
    model.keep()
    before, loss = model.learner.state(), model.validation_loss()
    model.learner.learning_rate = 10.0
    model.train(record, Progress(), until=2)
    assert (model.validation_loss() or 0) > (loss or 0)
    model.judge(0)
    after = model.learner.state()
    assert model.validation_loss() == loss and model.state.epoch == 2
    for name, leaf in before.weights.items():
        np.testing.assert_array_equal(after.weights[name], leaf)
    for name, moments in before.optimiser.items():
        for kind, values in moments.items():
            np.testing.assert_array_equal(after.optimiser[name][kind], values)
