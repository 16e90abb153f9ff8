"""A hybrid training that was stopped goes on where it stood."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from experiment.run import RunFolder
from experiment.system import CheckpointError, Progress, TrainingError
from experiment.training import LAST, PHYSICAL, PHYSICAL_LAST, load_checkpoint
from tests.bridge import test_physics as physics
from tests.bridge.hybrid_runs import (
    SIDES,
    everything,
    near,
    tiny,
    trained,
    training_of,
)
from tests.legacy import test_training as synthetic


def interrupted(
    path: Path, experiment: str, place: str, *overrides: str
) -> tuple[int, int]:
    """Trains until killed at a place; epochs and rounds in the checkpoints."""
    checkpoints = f"general.checkpoint_dir={path}/apart"
    settings = tiny(path / experiment, experiment, *overrides, checkpoints)
    training = training_of(settings)
    learner, physical = training.synthetic.learner, training.physical.learner
    minimise = physical.minimise
    steps, rounds = [0], [0]
    # 10 real windows and 5 generated ones in batches of 3: 4 steps an epoch, then 5.
    stop_at = {"first cycle": 6, "second cycle": 11, "signal": 11}.get(place, 0)

    def stepping(step: Any) -> Any:
        def stepped(*arguments: Any, **more: Any) -> Any:
            steps[0] += 1
            if steps[0] == stop_at:
                if place != "signal":
                    raise KeyboardInterrupt
                os.kill(os.getpid(), signal.SIGTERM)
            return step(*arguments, **more)

        return stepped

    def minimising(*arguments: Any) -> Any:
        rounds[0] += 1
        if place == "signal in a round":
            os.kill(os.getpid(), signal.SIGTERM)
        if rounds[0] == {"first half": 1, "second half": 2}.get(place):
            raise KeyboardInterrupt
        return minimise(*arguments)

    # A cycle's batches have real windows and generated ones, each with a weight.
    for name in ("step", "step_weighted"):
        setattr(learner, name, stepping(getattr(learner, name)))
    setattr(physical, "minimise", minimising)  # noqa: B010
    with pytest.raises((KeyboardInterrupt, TrainingError)):
        training.train(RunFolder(settings), Progress())
    path = path / "apart"
    epochs = load_checkpoint(path / LAST).state.epoch
    if not (path / PHYSICAL_LAST).exists():
        return epochs, 0
    return epochs, load_checkpoint(path / PHYSICAL_LAST, PHYSICAL).state.epoch


@pytest.mark.parametrize("side", SIDES)
def test_a_killed_training_goes_on_bitwise_from_any_place(
    folder: Path, side: str
) -> None:
    """Inside an epoch, stopped after a batch, and between the halves of a cycle."""
    sides = everything(side)
    whole = trained(folder, "whole", "advection", *sides)
    for place, reached in {
        "first cycle": (1, 0),
        "first half": (2, 0),
        "signal in a round": (2, 1),
        "second cycle": (2, 1),
        "signal": (2, 1),
        "second half": (3, 1),
    }.items():
        assert interrupted(folder, "advection", place, *sides) == reached, place
        found = trained(folder, "apart", "advection", *sides, "trainer.resume=true")
        synthetic.same(folder / "apart" / LAST, folder / "whole" / LAST)
        physics.same(found[1], whole[1])
        shutil.rmtree(folder / "apart")


#: Everything that depends on how far a training has come, or is drawn anew in it.
CURRICULUM = (
    *("trainer.rollout_schedule=linear", "trainer.synthetic.input_noise=0.01"),
    *("trainer.synthetic.schedule=exponential", "trainer.physical.rollout_steps=3"),
    *("trainer.hybrid.predicted_frames=5", "trainer.hybrid.generated_frames=7"),
)


@pytest.mark.parametrize("side", SIDES)
def test_a_killed_curriculum_goes_on_bitwise(folder: Path, side: str) -> None:
    keys = (*CURRICULUM, *everything(side))
    whole = trained(folder, "whole", "advection", *keys)
    for place in ("first cycle", "second half"):
        interrupted(folder, "advection", place, *keys)
        found = trained(folder, "apart", "advection", *keys, "trainer.resume=true")
        synthetic.same(folder / "apart" / LAST, folder / "whole" / LAST)
        physics.same(found[1], whole[1])
        shutil.rmtree(folder / "apart")


def test_the_other_side_goes_on_inside_a_curriculum(folder: Path) -> None:
    keys = (*CURRICULUM, "trainer.physical.regularisation=tv")
    whole = trained(folder, "whole", "burgers", *keys, *everything("phiml"))
    interrupted(folder, "burgers", "second cycle", *keys, *everything("phiml"))
    resume = (*keys, *everything("legacy"), "trainer.resume=true")
    near(trained(folder, "apart", "burgers", *resume), whole)


@pytest.mark.parametrize("side", SIDES)
def test_a_checkpoint_that_must_be_there_is_missed(folder: Path, side: str) -> None:
    """Behind the first cycle the physical model has one."""
    sides = everything(side)
    assert interrupted(folder, "advection", "second half", *sides) == (3, 1)
    (folder / "apart" / PHYSICAL_LAST).unlink()
    with pytest.raises(CheckpointError, match="there is no checkpoint .*physical-last"):
        trained(folder, "apart", "advection", *sides, "trainer.resume=true")


def test_the_other_side_goes_on_inside_a_cycle(folder: Path) -> None:
    whole = trained(folder, "whole", "burgers", *everything("legacy"))
    interrupted(folder, "burgers", "second cycle", *everything("legacy"))
    resume = (*everything("phiml"), "trainer.resume=true")
    near(trained(folder, "apart", "burgers", *resume), whole)
