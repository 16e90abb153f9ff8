"""Each model's loss has a term for real windows and one for those the other made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bridge.assemble import build_components
from bridge.ladders.hybrid_cases import noise_like
from experiment.run import RunFolder, run_tasks
from experiment.system import Progress
from experiment.training import LAST, new_states
from tests.bridge import test_physics as physics
from tests.bridge.hybrid_runs import (
    SIDES,
    everything,
    last,
    near,
    tiny,
    trained,
    training_of,
)
from tests.bridge.test_hybrid_stops import interrupted
from tests.helpers import small
from tests.legacy import test_training as synthetic

WEIGHTS = (
    "trainer.hybrid.weights.synthetic={real: 0.8, interaction: 0.3}",
    "trainer.hybrid.weights.physical={real: 1.2, interaction: 0.5}",
)


def handing(path: Path, noise_to: str | None, *overrides: str) -> dict[str, list[Any]]:
    """Both models' losses; noise may be handed to one of them."""
    settings = tiny(path / "advection", "advection", *overrides)
    training = training_of(settings)
    loader, learner = training.synthetic.train_loader, training.physical.learner
    for name, taker in (("synthetic", loader), ("physical", learner)):
        if name == noise_to:
            augment = taker.augment

            def noisy(made: Any, access: str, augment: Any = augment) -> None:
                augment(None if made is None else noise_like(made), access)

            setattr(taker, "augment", noisy)  # noqa: B010
    training.train(RunFolder(settings), Progress())
    return {
        "synthetic": [r["train_loss"] for r in training.synthetic.state.history],
        "physical": [r["loss"] for r in training.physical.state.history],
    }


@pytest.mark.parametrize("side", SIDES)
def test_what_is_handed_over_matters_with_fewer_windows_than_there_are(
    folder: Path, side: str
) -> None:
    """6 of 10 real windows, as 32 of 296 by default: predicted ones enter all the same.

    Windows were once taken from both kinds evenly, the real ones first.
    """
    clean = handing(folder, None, *everything(side))
    for taker in ("synthetic", "physical"):
        noisy = handing(folder, taker, *everything(side))
        for model, losses in clean.items():
            change = np.abs(np.divide(noisy[model], losses) - 1).max()
            assert change > 1e-6, (taker, model)


@pytest.mark.parametrize("proportional", ["false", "true"])
@pytest.mark.parametrize("side", SIDES)
def test_the_physical_loss_is_the_sum_of_both_means(
    folder: Path, side: str, proportional: str
) -> None:
    own = (*everything(side), *WEIGHTS, f"trainer.hybrid.proportional={proportional}")
    training = training_of(tiny(folder / "advection", "advection", *own))
    learner, start = training.physical.learner, training.physical.unbounded
    dense = learner.loss(start)
    assert dense == learner.loss(start, only="real")
    slope = learner.gradient(start)
    training.teach_physical(new_states(training.settings, 0), 0)
    # 6 of 10 real windows, and the one predicted window of the one new state.
    assert (learner.counts().real, learner.counts().generated) == (6, 1)
    shares = (6 / 7, 1 / 7) if proportional == "true" else (1.0, 1.0)
    real, made = (learner.loss(start, only=kind) for kind in ("real", "interaction"))
    assert real == dense
    expected = 1.2 * shares[0] * real + 0.5 * shares[1] * made
    np.testing.assert_allclose(learner.loss(start), expected, rtol=1e-12)
    whole = learner.gradient(start)
    step = 1e-6
    moved = [
        {name: value + sign * step for name, value in start.items()} for sign in (1, -1)
    ]
    central = (learner.loss(moved[0]) - learner.loss(moved[1])) / (2 * step)
    total = sum(float(np.sum(slopes)) for slopes in whole.values())
    np.testing.assert_allclose(total, central, rtol=1e-5)
    learner.augment(None, "real_only")
    assert learner.loss(start) == dense
    for name, values in learner.gradient(start).items():
        np.testing.assert_array_equal(values, slope[name])


@pytest.mark.parametrize("side", SIDES)
def test_an_epoch_is_the_sum_of_both_means(folder: Path, side: str) -> None:
    """With a rate of almost 0 no weight moves, so terms can be compared afterwards."""
    still = ("trainer.synthetic.learning_rate=1e-30",)
    path = folder / "advection"
    settings = tiny(path, "advection", *everything(side), *WEIGHTS, *still)
    training = training_of(settings)
    training.train(RunFolder(settings), Progress())
    warm, *cycles = training.synthetic.state.history
    assert warm["interaction_loss"] is None and warm["real_loss"] == warm["train_loss"]
    assert (warm["real_windows"], warm["interaction_windows"]) == (10, 0)
    for row in cycles:
        assert (row["real_windows"], row["interaction_windows"]) == (10, 5)
        np.testing.assert_allclose(row["real_loss"], warm["real_loss"], rtol=1e-12)
        total = 0.8 * row["real_loss"] + 0.3 * row["interaction_loss"]
        np.testing.assert_allclose(row["train_loss"], total, rtol=1e-12)
    for row in training.physical.state.history:
        total = 1.2 * row["real_loss"] + 0.5 * row["interaction_loss"]
        np.testing.assert_allclose(row["loss"], total, rtol=1e-12)
        assert (row["real_windows"], row["interaction_windows"]) == (6, 1)


@pytest.mark.parametrize("side", SIDES)
def test_proportional_weights_of_1_are_one_mean_over_mixed_batches(
    folder: Path, side: str
) -> None:
    """Each step's weights are all 1, so it is the plain step on the same batch."""
    one = (
        "trainer.hybrid.weights.synthetic={real: 1, interaction: 1}",
        "trainer.hybrid.proportional=true",
    )
    settings = tiny(folder / "advection", "advection", *everything(side), *one)
    found = []
    for plain in (False, True):
        training = training_of(settings)
        learner: Any = training.synthetic.learner
        seen: list[np.ndarray] = []

        def stepped(windows: Any, weights: Any, check: Any, **own: Any) -> np.ndarray:
            own["seen"].append(weights)
            if not own["plain"]:
                return own["weighted"](windows, weights, check)
            return np.full(len(weights), own["learner"].step(windows, check))

        given = {"seen": seen, "plain": plain, "learner": learner}
        given["weighted"] = learner.step_weighted
        setattr(  # noqa: B010
            learner, "step_weighted", lambda *a, given=given: stepped(*a, **given)
        )
        training.train(RunFolder(settings), Progress())
        assert len(seen) == 10
        np.testing.assert_array_equal(np.concatenate(seen), 1.0)
        found.append([row["train_loss"] for row in training.synthetic.state.history])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10)


def test_a_kind_that_weighs_0_is_left_out(folder: Path) -> None:
    alone = trained(folder, "alone", "advection", "trainer.data_access=real_only")
    zero = [
        f"trainer.hybrid.weights.{m}.interaction=0" for m in ("synthetic", "physical")
    ]
    found = trained(folder, "zero", "advection", *zero)
    synthetic.same(folder / "zero" / LAST, folder / "alone" / LAST)
    physics.same(found[1], alone[1])


@pytest.mark.parametrize("sides", [("legacy", "phiml"), ("phiml", "legacy")])
def test_other_sides_go_on_inside_a_cycle_with_weights(
    folder: Path, sides: tuple[str, str]
) -> None:
    whole = trained(folder, "whole", "advection", *everything(sides[0]), *WEIGHTS)
    reached = interrupted(
        folder, "advection", "signal", *everything(sides[0]), *WEIGHTS
    )
    assert reached == (2, 1)
    resume = (*everything(sides[1]), *WEIGHTS, "trainer.resume=true")
    near(trained(folder, "apart", "advection", *resume), whole)


@pytest.mark.parametrize("side", SIDES)
def test_terms_are_stated_in_log_and_histories(
    tmp_path: Path, side: str, caplog: Any
) -> None:
    """In single precision, with clipping, and the weights as they are by default."""
    caplog.set_level("INFO")
    settings = small(
        tmp_path,
        *("general.mode=hybrid", "trainer.synthetic.clip_norm=0.1", *everything(side)),
        *("trainer.hybrid.warm_up_epochs=1", "trainer.hybrid.epochs=1"),
        *("trainer.physical.iterations=2", "trainer.hybrid.cycles=1"),
        "general.tasks=[generate,train]",
    )
    torch.set_num_threads(1)
    path = run_tasks(settings, build_components(settings), Progress())
    text = " ".join(record.getMessage() for record in caplog.records)
    for words in (
        "the synthetic model's loss is 1 x (10 real windows) + 1 x (5 generated",
        "the physical model's loss is 1 x (10 real windows) + 0.001 x (1 predicted",
    ):
        assert words in text, words
    rounds = text.split("physical round 1/1")[1]
    assert "(10 real windows) + 0.001 x" in rounds
    header, *rows = (path / "metrics.csv").read_text().splitlines()
    assert header.startswith(
        "epoch,train_loss,real_loss,interaction_loss,real_windows,"
    )
    assert len(rows) == 2 and ",10,5," in rows[1]
    header = (path / "physical_metrics.csv").read_text().splitlines()[0]
    assert "real_loss,interaction_loss,real_windows,interaction_windows" in header
    assert last(tmp_path / "checkpoints")[0].state.mean("real") is None
