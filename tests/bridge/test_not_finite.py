"""A state with NaN or infinity is never saved; the run ends and says where it arose."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment.run import RunFolder
from experiment.system import CheckpointError, Progress, TrainingError
from experiment.training import (
    BEST,
    LAST,
    PHYSICAL,
    PHYSICAL_BEST,
    PHYSICAL_LAST,
    SyntheticTraining,
    load_checkpoint,
)
from experiment.training.checkpoints import save_checkpoint
from tests.bridge.hybrid_runs import everything, training_of
from tests.helpers import small, synthetic_training

SIDES = ("legacy", "phiml")
HYBRID = (
    "general.mode=hybrid",
    "trainer.hybrid.warm_up_epochs=1",
    "trainer.hybrid.epochs=1",
    "trainer.physical.windows=4",
    "trainer.physical.iterations=2",
)
#: A step of Adam that is so long makes every weight infinite.
FAR = float("inf")


def exploding(training: SyntheticTraining, at: int, rate: float = FAR) -> None:
    """Makes the step `at`, counted from 1, far too long; its loss is finite."""
    learner, done = training.learner, []
    for name in ("step", "step_weighted"):
        step = getattr(learner, name)

        def stepping(*arguments: Any, step: Any = step, **more: Any) -> Any:
            done.append(1)
            if len(done) == at:
                learner.learning_rate = rate
            return step(*arguments, **more)

        setattr(learner, name, stepping)


def whole(path: Path, kind: str = "synthetic") -> int:
    """The epoch of a checkpoint, every number of which is finite."""
    checkpoint = load_checkpoint(path, kind)
    for leaf in checkpoint.weights.values():
        assert np.isfinite(leaf).all()
    for moments in checkpoint.optimiser.values():
        assert all(np.isfinite(leaf).all() for leaf in moments.values())
    return checkpoint.state.epoch


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("validation", ("[]", "[2]"))
def test_the_last_step_of_an_epoch_explodes(
    burgers_folder: Path, side: str, validation: str
) -> None:
    """10 windows in batches of 3: step 8 is the last of the second epoch."""
    training = synthetic_training(
        small(
            burgers_folder,
            "trainer.synthetic.epochs=3",
            "trainer.synthetic.checkpoint_every=1",
            f"trainer.val_sim={validation}",
            f"migration.trainer={side}",
            f"migration.model={side}",
        )
    )
    exploding(training, 8)
    with pytest.raises(TrainingError, match="leaf `.*NaN or infinite") as caught:
        training.train(RunFolder(training.settings), Progress())
    message = str(caught.value)
    assert "epoch 2" in message and "learning_rate" in message
    assert "is kept, of epoch 1 (step 4)" in message
    folder = burgers_folder / "checkpoints"
    assert whole(folder / LAST) == whole(folder / BEST) == 1
    assert not (folder / "epoch_000002.safetensors").exists()


def test_a_step_inside_an_epoch_explodes(burgers_folder: Path) -> None:
    """The loss of the next batch is the first to be NaN; the message says why."""
    training = synthetic_training(small(burgers_folder))
    exploding(training, 2)
    expected = r"epoch 1, batch 3 is nan.*an earlier step caused it, as leaf `.*`.*of"
    with pytest.raises(TrainingError, match=expected):
        training.train(RunFolder(training.settings), Progress())
    assert not (burgers_folder / "checkpoints" / LAST).exists()


def test_a_moment_that_overflows_is_not_saved(burgers_folder: Path) -> None:
    """Weights stay finite where the second moment is infinite, and never move again."""
    training = synthetic_training(small(burgers_folder, "trainer.val_sim=[]"))
    state = training.learner.state()
    name = next(iter(state.weights))
    step, done = training.learner.step, []

    def stepping(*arguments: Any, **more: Any) -> float:
        loss = step(*arguments, **more)
        done.append(1)
        if len(done) == 4:
            now = training.learner.state()
            moments = {**now.optimiser[name]}
            moments["exp_avg_sq"] = np.full_like(moments["exp_avg_sq"], np.inf)
            broken = replace(now, optimiser={**now.optimiser, name: moments})
            training.learner.load(broken)
        return loss

    setattr(training.learner, "step", stepping)  # noqa: B010
    expected = rf"step 4 \(epoch 1, its end\).*`exp_avg_sq` of leaf `{name}`"
    with pytest.raises(TrainingError, match=expected):
        training.train(RunFolder(training.settings), Progress())
    assert not (burgers_folder / "checkpoints" / LAST).exists()


@pytest.mark.parametrize("side", SIDES)
def test_hybrid_ends_and_keeps_both_models(burgers_folder: Path, side: str) -> None:
    """4 steps of warm-up, then 5 in the first cycle: step 9 is its last one."""
    settings = small(burgers_folder, *HYBRID, *everything(side), "trainer.val_sim=[]")
    training = training_of(settings)
    exploding(training.synthetic, 9)
    with pytest.raises(TrainingError, match=r"epoch 2.*leaf `.*NaN or infinite"):
        training.train(RunFolder(settings), Progress())
    assert whole(burgers_folder / "checkpoints" / LAST) == 1


@pytest.mark.parametrize("side", SIDES)
def test_a_round_ends_in_a_parameter_that_is_not_finite(
    burgers_folder: Path, side: str
) -> None:
    """At infinity a bounded parameter is at its bound, so that the loss is finite."""
    settings = small(burgers_folder, *HYBRID, *everything(side))
    training = training_of(settings).physical
    learner, done = training.learner, []
    minimise = learner.minimise

    def minimising(*arguments: Any) -> Any:
        done.append(1)
        minimum = minimise(*arguments)
        if len(done) == 1:
            return minimum
        end = {name: z.copy() for name, z in minimum.unbounded.items()}
        end["viscosity"][0, 0] = -np.inf if learner_gains(end) else np.inf
        return replace(minimum, unbounded=end)

    def learner_gains(end: dict[str, np.ndarray]) -> bool:
        low = {**end, "viscosity": end["viscosity"].copy()}
        low["viscosity"][0, 0] = -np.inf
        return learner.loss(low) <= learner.loss(end)

    setattr(learner, "minimise", minimising)  # noqa: B010
    expected = r"round 2 .*`unbounded` of leaf `viscosity`.*1 of 128.*round 1.*bounds"
    with pytest.raises(TrainingError, match=expected):
        training.train(RunFolder(settings), Progress())
    folder = burgers_folder / "checkpoints"
    assert whole(folder / PHYSICAL_LAST, PHYSICAL) == 1
    assert whole(folder / PHYSICAL_BEST, PHYSICAL) == 1


def test_a_checkpoint_that_is_not_finite_is_not_resumed(burgers_folder: Path) -> None:
    settings = small(burgers_folder)
    training = synthetic_training(settings)
    training.train(RunFolder(settings), Progress())
    path = burgers_folder / "checkpoints" / LAST
    stored = load_checkpoint(path)
    name = next(iter(stored.weights))
    broken = {**stored.weights, name: np.full_like(stored.weights[name], np.nan)}
    save_checkpoint(path, replace(stored, weights=broken))
    resumed = synthetic_training(small(burgers_folder, "trainer.resume=true"))
    with pytest.raises(CheckpointError, match=f"can't be resumed: leaf `{name}`"):
        resumed.train(RunFolder(resumed.settings), Progress())
