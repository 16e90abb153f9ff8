"""Step 2 trains as the control trains, and can be rolled back in the middle."""

import random
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bridge import CONVERSIONS
from experiment.run import RunFolder
from experiment.settings import Settings
from experiment.system import CheckpointError, Progress, TrainingError
from experiment.training import LAST, LearnerState, SyntheticTraining, load_checkpoint
from phiml_port.training import SyntheticLearner
from tests.bridge.test_step1 import DOUBLE, NORM, curve, folder_for, losses
from tests.helpers import ROOT, command, small, synthetic_training
from tests.legacy.test_training import finished, same

STEP2 = "migration=step2"
SIDES = ("legacy", "phiml")


def port_learner(training: SyntheticTraining) -> SyntheticLearner:
    assert isinstance(training.learner, SyntheticLearner)
    return training.learner


@pytest.mark.parametrize("experiment", ("burgers", "advection"))
def test_every_combination_trains_the_same(tmp_path: Path, experiment: str) -> None:
    """Model x trainer, three epochs in float64: equal curves, expected conversions.

    A legacy trainer converts 2 R = 4 times a batch for a PhiML model; the PhiML trainer
    once a batch, and 4 times more for a legacy model.
    """
    folder_for(tmp_path, experiment)
    common = ("trainer.synthetic.epochs=3", DOUBLE, "trainer.synthetic.clip_norm=0.1")
    control = curve(tmp_path, "control", *common, experiment=experiment)
    batches = 3 * (4 + 2)
    expected = {
        ("legacy", "legacy"): {},
        ("phiml", "legacy"): {"model: in": 2 * batches, "model: out": 2 * batches},
        ("phiml", "phiml"): {"batch: in": batches},
        ("legacy", "phiml"): {
            "batch: in": batches,
            "model: in": 2 * batches,
            "model: out": 2 * batches,
        },
    }
    for (model, trainer), conversions in expected.items():
        switches = (f"migration.model={model}", f"migration.trainer={trainer}")
        CONVERSIONS.reset()
        found = curve(
            tmp_path, model + trainer, *common, *switches, experiment=experiment
        )
        counted = {n: b.count for n, b in CONVERSIONS.boundaries.items()}
        assert counted == conversions
        assert not any(b.copies for b in CONVERSIONS.boundaries.values())
        np.testing.assert_allclose(losses(found), losses(control), rtol=1e-9)
        for name, leaf in control.weights.items():
            np.testing.assert_allclose(
                found.weights[name], leaf, rtol=1e-9, atol=1e-12, err_msg=name
            )


def interrupted(settings: Settings, epochs: int) -> None:
    """Trains some epochs and is then interrupted, as by kill -9 after a checkpoint."""
    training = synthetic_training(settings)
    step, done = training.learner.step, [0]

    def interrupting(*arguments: Any) -> float:
        if done[0] == 4 * epochs:
            raise KeyboardInterrupt
        done[0] += 1
        return step(*arguments)

    setattr(training.learner, "step", interrupting)  # noqa: B010
    with pytest.raises(KeyboardInterrupt):
        training.train(RunFolder(settings), Progress())


def test_rollback_in_the_middle_of_a_run(burgers_folder: Path) -> None:
    """6 epochs legacy; 3 legacy + 3 port; 3 port, rolled back, + 3 legacy."""
    common = (
        "trainer.synthetic.epochs=6",
        DOUBLE,
        "trainer.synthetic.weight_decay=0.01",
    )
    whole = curve(burgers_folder, "whole", *common)
    for first, second in (("legacy", STEP2), (STEP2, "legacy")):
        sides = [s if "=" in s else f"migration={s}" for s in (first, second)]
        folder = f"general.checkpoint_dir={burgers_folder}/{first[-5:]}"
        interrupted(small(burgers_folder, *common, folder, sides[0]), 3)
        resumed = curve(
            burgers_folder, first[-5:], *common, sides[1], "trainer.resume=true"
        )
        assert resumed.state.epoch == 6
        np.testing.assert_allclose(losses(resumed), losses(whole), rtol=1e-9)
        rates = [r["learning_rate"] for r in whole.state.history]
        assert [r["learning_rate"] for r in resumed.state.history] == rates
        for name, leaf in whole.weights.items():
            np.testing.assert_allclose(
                resumed.weights[name], leaf, rtol=1e-9, atol=1e-12, err_msg=name
            )


def test_legacy_to_port_to_legacy_is_bitwise(burgers_folder: Path) -> None:
    """Weights, moments, step counts and random states survive both trainers."""
    curve(burgers_folder, "control", NORM)
    path = burgers_folder / "control" / LAST
    stored = load_checkpoint(path)
    port = synthetic_training(small(burgers_folder, NORM, STEP2)).learner
    port.load(LearnerState(stored.weights, stored.optimiser, stored.random))
    there = port.state()
    control = synthetic_training(small(burgers_folder, NORM)).learner
    control.load(there)
    back = control.state()
    for kept in (there, back):
        assert kept.weights.keys() == stored.weights.keys()
        for name, leaf in stored.weights.items():
            assert kept.weights[name].dtype == leaf.dtype
            np.testing.assert_array_equal(kept.weights[name], leaf, err_msg=name)
        assert kept.optimiser.keys() == stored.optimiser.keys()
        for name, moments in stored.optimiser.items():
            assert kept.optimiser[name].keys() == moments.keys()
            for kind, leaf in moments.items():
                np.testing.assert_array_equal(kept.optimiser[name][kind], leaf)
        np.testing.assert_array_equal(kept.random["torch"], stored.random["torch"])


def test_the_port_resumes_bitwise(burgers_folder: Path) -> None:
    common = (NORM, STEP2, "trainer.synthetic.epochs=4")
    curve(burgers_folder, "whole", *common)
    folder = f"general.checkpoint_dir={burgers_folder}/apart"
    interrupted(small(burgers_folder, *common, folder), 2)
    curve(burgers_folder, "apart", *common, "trainer.resume=true")
    same(burgers_folder / "whole" / LAST, burgers_folder / "apart" / LAST)


def test_validation_keeps_statistics_and_mode(burgers_folder: Path) -> None:
    training = synthetic_training(small(burgers_folder, NORM, STEP2))
    before = training.learner.state().weights
    first = training.validation_loss()
    assert first is not None and first == training.validation_loss()
    after = training.learner.state().weights
    for name, leaf in before.items():
        np.testing.assert_array_equal(after[name], leaf, err_msg=name)
    assert port_learner(training).model.native.training


def test_bf16_autocast_only_when_asked(burgers_folder: Path) -> None:
    values = {}
    for amp in ("off", "bf16"):
        training = synthetic_training(
            small(burgers_folder, STEP2, f"trainer.amp={amp}")
        )
        batch = next(iter(training.train_loader))
        values[amp] = training.learner.step(batch, lambda loss: None)
    assert values["off"] != values["bf16"]
    assert values["bf16"] == pytest.approx(values["off"], rel=3e-2)


def test_a_loss_that_is_not_finite_is_not_applied(burgers_folder: Path) -> None:
    settings = small(burgers_folder, STEP2, "trainer.synthetic.epochs=3")
    training = synthetic_training(settings)
    learner = port_learner(training)
    step, done = learner.step, []

    def poisoned(windows: Any, check: Any) -> float:
        done.append(1)
        return step(windows * (float("nan") if len(done) == 6 else 1.0), check)

    setattr(learner, "step", poisoned)  # noqa: B010
    with pytest.raises(TrainingError, match=r"at epoch 2, batch 2 is nan.*kept"):
        training.train(RunFolder(settings), Progress())
    assert load_checkpoint(burgers_folder / "checkpoints" / LAST).state.epoch == 1
    for name, leaf in learner.model.parameters().items():
        assert torch.isfinite(leaf).all(), name


class Odd:
    """A loader that gives what it is told to."""

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches

    def augment(self, trajectories: Any, access: str) -> None: ...

    def counts(self) -> Any: ...

    def generated(self) -> Any: ...

    def observed(self) -> Any: ...

    def set_epoch(self, epoch: int, position: int = 0) -> None: ...

    def __iter__(self) -> Any:
        return iter(self._batches)

    def __len__(self) -> int:
        return 4


def test_a_loader_with_wrong_dims_or_no_batch(burgers_folder: Path) -> None:
    training = synthetic_training(small(burgers_folder, STEP2))
    good = next(iter(training.train_loader))
    for batches, message in (
        ([], "gave no batch in epoch 1; expected at least one"),
        (
            [good.time[0]],
            r"gave a batch with the dims .*; expected batch, time, vector",
        ),
        ([good.vector[0]], "gave a batch with the dims"),
    ):
        settings, learner = training.settings, training.learner
        odd = SyntheticTraining(settings, learner, Odd(batches), None)
        with pytest.raises(TrainingError, match=message):
            odd.train(RunFolder(settings), Progress())


def test_a_checkpoint_that_does_not_fit(burgers_folder: Path) -> None:
    curve(burgers_folder, "checkpoints", STEP2)
    resume = (STEP2, "trainer.resume=true")

    def attempt(*overrides: str) -> None:
        settings = small(burgers_folder, *resume, *overrides)
        synthetic_training(settings).train(RunFolder(settings), Progress())

    with pytest.raises(CheckpointError, match="had other settings") as caught:
        attempt("trainer.synthetic.weight_decay=0.5")
    assert "trainer.synthetic.weight_decay  0.0" in str(caught.value)
    with pytest.raises(
        CheckpointError, match=r"leaf `decoder\.0\.conv1\.bias` has the"
    ):
        attempt("model.synthetic.architecture.filters=6")
    last = burgers_folder / "checkpoints" / LAST
    whole = last.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        last.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="torn"):
            attempt()
    last.write_bytes(b"not a checkpoint at all")
    with pytest.raises(CheckpointError, match="torn"):
        attempt()
    last.write_bytes(whole)
    attempt()


@pytest.mark.slow
@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.long)])
def test_kills_at_random_moments(burgers_folder: Path, kills: int) -> None:
    """kill -9, several times: resume always works, and the end is bitwise the same."""
    epochs = (
        "general.tasks=[train]",
        NORM,
        STEP2,
        f"trainer.synthetic.epochs={10 * kills}",
    )

    def started(folder: str, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(
                burgers_folder,
                *epochs,
                f"general.checkpoint_dir={burgers_folder}/{folder}",
                *more,
            ),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    finished(started("whole"))
    draw = random.Random(0)
    last = burgers_folder / "apart" / LAST
    reached = [0]
    for _ in range(kills):
        resume = ("trainer.resume=true",) if last.exists() else ()
        victim = started("apart", *resume)
        before, limit = reached[-1], time.monotonic() + 60
        try:
            # Somewhere in the few epochs behind the first new checkpoint.
            while victim.poll() is None and time.monotonic() < limit:
                if last.exists() and load_checkpoint(last).state.epoch > before:
                    break
                time.sleep(0.005)
            time.sleep(draw.uniform(0, 0.1))
        finally:
            victim.kill()
            _, message = victim.communicate(timeout=60)
        assert "error" not in message, message
        reached.append(load_checkpoint(last).state.epoch)
    assert reached == sorted(reached) and kills <= reached[-1] < 10 * kills, reached
    finished(started("apart", "trainer.resume=true"))
    same(burgers_folder / "whole" / LAST, last)
