"""A training that goes on to more epochs than it began with."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.assemble import MixedParts
from experiment.data import generate
from experiment.run import RunFolder, build_hybrid_training
from experiment.settings import Settings
from experiment.system import CheckpointError, Progress
from experiment.training import LAST, PHYSICAL_LAST, load_checkpoint
from tests.bridge.hybrid_runs import everything, tiny
from tests.helpers import small, synthetic_training

RESUME = ("trainer.resume=true", "trainer.extend=true")
RATE = 2e-3


def epochs(number: int) -> str:
    return f"trainer.synthetic.epochs={number}"


def train(settings: Settings) -> list[float]:
    """Trains; returns the learning rate of every epoch."""
    synthetic_training(settings).train(RunFolder(settings), Progress())
    folder = Path(str(settings.general.checkpoint_dir))
    history = load_checkpoint(folder / LAST).state.history
    return [row["learning_rate"] for row in history]


def cosine(epoch: int, total: int) -> float:
    """Cosine annealing in closed form (Loshchilov & Hutter 2017), after `epoch`."""
    return RATE * (1 + math.cos(math.pi * epoch / total)) / 2


def test_cosine_goes_on_as_that_of_the_new_total(burgers_folder: Path) -> None:
    """2 of 2 epochs, then 3 to 5 of 5: rates of T = 2, then those of T = 5."""
    train(small(burgers_folder, epochs(2)))
    with pytest.raises(CheckpointError, match="add `trainer.extend=true`") as caught:
        train(small(burgers_folder, epochs(5), RESUME[0]))
    assert "trainer.synthetic.epochs  2" in str(caught.value)
    rates = train(small(burgers_folder, epochs(5), *RESUME))
    expected = [cosine(e, 2) for e in range(2)] + [cosine(e, 5) for e in range(2, 5)]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    assert min(rates) > 0, "a rate that was annealed to its end learns nothing"
    with pytest.raises(CheckpointError, match="can't be resumed") as caught:
        train(small(burgers_folder, epochs(4), *RESUME))
    assert "add `trainer.extend" not in str(caught.value), "fewer is no extension"


def test_an_extension_that_was_stopped_goes_on_bitwise(burgers_folder: Path) -> None:
    """Stopped in its second epoch, gone on with by the same command and without."""
    whole = f"general.checkpoint_dir={burgers_folder}/whole"
    train(small(burgers_folder, epochs(2), whole))
    train(small(burgers_folder, epochs(5), *RESUME, whole))
    for name, words in (("with", RESUME), ("without", RESUME[:1])):
        apart = f"general.checkpoint_dir={burgers_folder}/{name}"
        train(small(burgers_folder, epochs(2), apart))
        settings = small(burgers_folder, epochs(5), *RESUME, apart)
        training = synthetic_training(settings)
        step, done = training.learner.step, []

        def interrupt(*arguments: Any, step: Any = step, done: Any = done) -> float:
            done.append(1)
            if len(done) == 6:
                raise KeyboardInterrupt
            return step(*arguments)

        setattr(training.learner, "step", interrupt)  # noqa: B010
        with pytest.raises(KeyboardInterrupt):
            training.train(RunFolder(settings), Progress())
        assert load_checkpoint(burgers_folder / name / LAST).state.epoch == 3
        train(small(burgers_folder, epochs(5), *words, apart))
        first, second = (
            load_checkpoint(burgers_folder / folder / LAST)
            for folder in ("whole", name)
        )
        assert first.state.iteration == second.state.iteration == 20
        for leaf, values in first.weights.items():
            np.testing.assert_array_equal(second.weights[leaf], values, err_msg=leaf)


@pytest.mark.parametrize("schedule", ("constant", "step", "exponential"))
def test_a_schedule_without_an_end_needs_no_word(
    burgers_folder: Path, schedule: str
) -> None:
    """And is the schedule of a training that was as long from the start."""
    words = (
        f"trainer.synthetic.schedule={schedule}",
        "trainer.synthetic.decay_epochs=2",
    )
    whole = f"general.checkpoint_dir={burgers_folder}/whole"
    expected = train(small(burgers_folder, epochs(4), *words, whole))
    train(small(burgers_folder, epochs(2), *words))
    assert train(small(burgers_folder, epochs(4), *words, RESUME[0])) == expected
    first = load_checkpoint(burgers_folder / "whole" / LAST).weights
    second = load_checkpoint(burgers_folder / "checkpoints" / LAST).weights
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_growing_rollouts_depend_on_the_length_too(burgers_folder: Path) -> None:
    words = (
        "trainer.synthetic.schedule=constant",
        "trainer.rollout_schedule=linear",
    )
    train(small(burgers_folder, epochs(2), *words))
    with pytest.raises(CheckpointError, match="add `trainer.extend=true`"):
        train(small(burgers_folder, epochs(4), *words, RESUME[0]))
    train(small(burgers_folder, epochs(4), *words, *RESUME))
    history = load_checkpoint(burgers_folder / "checkpoints" / LAST).state.history
    assert [row["rollout_steps"] for row in history] == [1, 2, 2, 2]


def test_nothing_else_may_differ(burgers_folder: Path) -> None:
    train(small(burgers_folder, epochs(2)))
    other = "trainer.synthetic.weight_decay=0.5"
    with pytest.raises(CheckpointError, match="trainer.synthetic.weight_decay"):
        train(small(burgers_folder, epochs(5), other, *RESUME))


def test_a_hybrid_training_gets_more_cycles(tmp_path: Path) -> None:
    """1 epoch and 1 cycle of 1, then 2 more cycles: 4 epochs, 3 rounds."""
    folder = f"general.checkpoint_dir={tmp_path}/checkpoints"
    common = (*everything("phiml"), folder)

    def hybrid(cycles: int, *words: str) -> None:
        cycle = f"trainer.hybrid.cycles={cycles}"
        settings = tiny(tmp_path, "advection", *common, cycle, *words)
        if not (tmp_path / "data").exists():
            generate(settings, MixedParts().build_simulator(settings), Progress())
        training = build_hybrid_training(settings, MixedParts())
        training.train(RunFolder(settings), Progress())

    hybrid(1)
    with pytest.raises(CheckpointError, match="trainer.hybrid.cycles"):
        hybrid(3, RESUME[0])
    hybrid(3, *RESUME)
    last = load_checkpoint(tmp_path / "checkpoints" / LAST)
    rates = [row["learning_rate"] for row in last.state.history]
    expected = [cosine(e, 2) for e in range(2)] + [cosine(e, 4) for e in range(2, 4)]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    physical = load_checkpoint(tmp_path / "checkpoints" / PHYSICAL_LAST, "physical")
    assert (last.state.epoch, physical.state.epoch) == (4, 3)
