"""A training stopped inside an epoch goes on bitwise, also where a network draws."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment.run import RunFolder
from experiment.system import Progress, Stopped
from experiment.training import LAST, load_checkpoint
from tests.helpers import small, synthetic_training
from tests.legacy.test_training import same, trained

#: 10 windows in batches of 3: 4 steps an epoch. Dropout draws in each.
DROPOUT = (
    "model/synthetic=convnet",
    "model.synthetic.architecture.layers=[4,4]",
    "model.synthetic.architecture.batch_norm=true",
    "trainer.synthetic.epochs=3",
    "migration=legacy",
    "migration.sources.model.legacy=tests.own_sources:DropoutNet",
)


def stopped(path: Path, at: int, *overrides: str) -> None:
    """Trains until SIGTERM comes within step `at`, counted from 1."""
    apart = f"general.checkpoint_dir={path}/apart"
    training = synthetic_training(small(path, *DROPOUT, apart, *overrides))
    step, done = training.learner.step, []

    def stepping(*arguments: Any, **more: Any) -> float:
        done.append(1)
        if len(done) == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments, **more)

    setattr(training.learner, "step", stepping)  # noqa: B010
    with pytest.raises(Stopped):
        training.train(RunFolder(training.settings), Progress())
    state = load_checkpoint(path / "apart" / LAST).state
    assert (state.epoch, state.position) == divmod(at, 4)


@pytest.mark.parametrize(
    ("whole", "after"),
    [
        ("data.num_workers=0", "data.num_workers=0"),
        ("data.num_workers=0", "data.num_workers=1"),
        ("data.num_workers=2", "data.num_workers=0"),
        ("data.num_workers=1", "data.num_workers=2"),
    ],
)
def test_dropout_draws_the_same_after_a_stop_inside_an_epoch(
    burgers_folder: Path, whole: str, after: str
) -> None:
    trained(small(burgers_folder, *DROPOUT, whole))
    stopped(burgers_folder, 6)
    apart = f"general.checkpoint_dir={burgers_folder}/apart"
    trained(small(burgers_folder, *DROPOUT, apart, "trainer.resume=true", after))
    same(burgers_folder / "checkpoints" / LAST, burgers_folder / "apart" / LAST)


@pytest.mark.parametrize(
    ("before", "after"), [("legacy", "phiml"), ("phiml", "legacy")]
)
def test_dropout_draws_the_same_when_the_data_are_switched(
    burgers_folder: Path, before: str, after: str
) -> None:
    """Batches of either side lie in another order, so sums round in another one."""
    trained(small(burgers_folder, *DROPOUT))
    stopped(burgers_folder, 6, f"migration.data={before}")
    apart = f"general.checkpoint_dir={burgers_folder}/apart"
    switched = f"migration.data={after}"
    trained(small(burgers_folder, *DROPOUT, apart, "trainer.resume=true", switched))
    a = load_checkpoint(burgers_folder / "checkpoints" / LAST)
    b = load_checkpoint(burgers_folder / "apart" / LAST)
    np.testing.assert_array_equal(a.random["torch"], b.random["torch"])
    for name, leaf in a.weights.items():
        np.testing.assert_allclose(leaf, b.weights[name], 1e-4, 1e-5, err_msg=name)
