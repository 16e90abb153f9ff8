"""What can go wrong while the parameters of a PDE are learned, on either side."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.assemble import MixedParts, build_components
from experiment.run import RunFolder, read_evaluated
from experiment.system import (
    CheckpointError,
    Progress,
    SceneError,
    SettingsError,
    TrainingError,
)
from experiment.training import (
    LAST,
    PHYSICAL,
    PHYSICAL_LAST,
    SYNTHETIC,
    Minimum,
    load_checkpoint,
)
from tests.bridge.test_physics import (
    LEARN,
    MODE,
    SIDES,
    curve,
    learned,
    on,
    training,
)
from tests.helpers import ROOT, small
from tests.physics_cases import DOUBLE


@pytest.mark.parametrize("side", SIDES)
def test_a_round_that_makes_all_its_iterations_says_so_and_warns_of_nothing(
    burgers_folder: Path, side: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    limits = ("trainer.physical.rounds=1", "trainer.physical.iterations=2")
    found = learned(burgers_folder, "last", on(side), *limits)
    (row,) = found.state.history
    assert row["converged"] is False
    assert row["loss"] < row["loss_before"]
    assert "round 1 made all its 2 iterations" in caplog.text
    assert "converge" not in caplog.text
    assert not [r for r in caplog.records if r.levelno > logging.INFO]


@pytest.mark.parametrize("worse", (2.0, float("nan")))
def test_a_result_that_is_worse_or_nan_keeps_the_parameters_from_before(
    burgers_folder: Path,
    worse: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = small(burgers_folder, *LEARN)
    trainer = training(settings)
    guess = trainer.parameters["viscosity"]

    def minimise(unbounded: Any, scale: float) -> Minimum:
        moved = {name: z + worse for name, z in unbounded.items()}
        return Minimum(moved, 1, 1, True, "as told")

    setattr(trainer.learner, "minimise", minimise)  # noqa: B010
    state = trainer.train(RunFolder(settings), Progress())
    np.testing.assert_array_equal(trainer.parameters["viscosity"], guess)
    assert "round 1 of the physical model diverged" in caplog.text
    assert "the parameters from before it are kept (as told)" in caplog.text
    assert [row["loss"] == row["loss_before"] for row in state.history] == [True] * 2
    kept = load_checkpoint(burgers_folder / "checkpoints" / PHYSICAL_LAST, PHYSICAL)
    np.testing.assert_array_equal(kept.weights["viscosity"], guess)


@pytest.mark.parametrize("side", SIDES)
def test_a_loss_that_is_not_finite_names_the_round_and_keeps_the_checkpoint(
    burgers_folder: Path, side: str
) -> None:
    settings = small(burgers_folder, *LEARN, on(side))
    trainer = training(settings)
    trainer.unbounded = {n: z * np.nan for n, z in trainer.unbounded.items()}
    with pytest.raises(
        TrainingError, match=r"before round 1 is nan; .*no checkpoint was written yet"
    ):
        trainer.train(RunFolder(settings), Progress())
    trainer = training(settings)
    run = RunFolder(settings)
    trainer.train(run, Progress(), until=1)
    path = burgers_folder / "checkpoints" / PHYSICAL_LAST
    before = path.read_bytes()
    trainer.unbounded = {n: z * np.nan for n, z in trainer.unbounded.items()}
    with pytest.raises(TrainingError, match=r"before round 2 is nan; .*last.*is kept"):
        trainer.train(run, Progress())
    assert path.read_bytes() == before


@pytest.mark.parametrize("side", SIDES)
def test_an_error_inside_the_loss_is_raised_and_the_process_ends(
    burgers_folder: Path, side: str
) -> None:
    """PhiML's optimiser waits for its threads for ever if one raises.

    In a process of its own, as a hang would hold all tests.
    """
    program = f"""
from pathlib import Path
import torch
torch.set_num_threads(1)
from experiment.run import RunFolder
from experiment.system import Progress
from tests.bridge.test_physics import training
from tests.helpers import small
settings = small(Path({str(burgers_folder)!r}), *{(*LEARN, on(side))!r})
trainer = training(settings)
learner = trainer.learner
own, done = {{"legacy": "_loss", "phiml": "_compiled"}}[{side!r}], []
loss = getattr(learner, own)
def failing(*arguments):
    done.append(1)
    # The trainer asks once before; then the optimiser.
    if len(done) == 3:
        raise OSError("the disk is gone")
    return loss(*arguments)
setattr(learner, own, failing)
trainer.train(RunFolder(settings), Progress())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1
    assert "OSError: the disk is gone" in done.stderr
    assert not (burgers_folder / "checkpoints" / PHYSICAL_LAST).exists()


def test_a_checkpoint_of_the_other_model_is_refused(burgers_folder: Path) -> None:
    folder = burgers_folder / "checkpoints"
    learned(burgers_folder, "checkpoints", "trainer.physical.rounds=1")
    curve(burgers_folder, "checkpoints", DOUBLE, "trainer.synthetic.epochs=1")
    synthetic = (folder / LAST).read_bytes()
    shutil.copy(folder / PHYSICAL_LAST, folder / LAST)
    with pytest.raises(CheckpointError, match="is of the physical model; expected one"):
        curve(burgers_folder, "checkpoints", DOUBLE, "trainer.resume=true")
    with pytest.raises(CheckpointError, match="general.mode=synthetic` or `hybrid`"):
        read_evaluated(small(burgers_folder, DOUBLE), MixedParts())
    (folder / PHYSICAL_LAST).write_bytes(synthetic)
    with pytest.raises(CheckpointError, match="is of the synthetic model; expected"):
        learned(burgers_folder, "checkpoints", "trainer.resume=true")
    with pytest.raises(CheckpointError, match="general.mode=physical` or `hybrid`"):
        read_evaluated(small(burgers_folder, *LEARN), MixedParts())


def test_a_checkpoint_that_cannot_be_resumed(burgers_folder: Path) -> None:
    resume = "trainer.resume=true"
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        learned(burgers_folder, "last", resume)
    learned(burgers_folder, "last", "trainer.physical.rounds=1")
    with pytest.raises(CheckpointError, match="had other settings") as caught:
        learned(burgers_folder, "last", resume, "trainer.physical.windows=5")
    assert "trainer.physical.windows" in str(caught.value)
    scalar = "{name:viscosity,type:scalar,initial_guess:0.1,bounds:[0.0,null]}"
    with pytest.raises(CheckpointError, match="is of other parameters: leaf `visc"):
        learned(
            *(burgers_folder, "last", resume),
            f"trainer.physical.learnable_parameters=[{scalar}]",
        )
    path = burgers_folder / "last" / PHYSICAL_LAST
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match="torn"):
        learned(burgers_folder, "last", resume)
    path.write_bytes(whole)
    # More rounds than before are no other training.
    assert learned(burgers_folder, "last", resume).state.epoch == 2


@pytest.mark.parametrize("side", SIDES)
def test_what_is_there_is_evaluated(burgers_folder: Path, side: str) -> None:
    """Neither, the physical model, both, and the synthetic one alone."""
    evaluate = small(burgers_folder, DOUBLE, on(side), "general.mode=evaluate")
    components = build_components(evaluate)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        components.evaluation(evaluate)
    learned(burgers_folder, "checkpoints", on(side), "trainer.physical.rounds=1")
    evaluated = components.evaluation(evaluate)
    assert list(evaluated.forecasts) == [PHYSICAL] == list(evaluated.histories)
    (parameter,) = evaluated.parameters
    assert parameter.name == "viscosity"
    before, after = parameter.error_before, parameter.error_after
    assert before is not None and after is not None and after < before
    curve(burgers_folder, "checkpoints", DOUBLE, "trainer.synthetic.epochs=1")
    evaluated = components.evaluation(evaluate)
    assert list(evaluated.forecasts) == [SYNTHETIC, PHYSICAL]
    start = np.random.default_rng(0).standard_normal((1, 16, 8, 2))
    for forecast in evaluated.forecasts.values():
        found = forecast(start, 4)
        assert found.shape == (1, 4, 16, 8, 2)
        np.testing.assert_array_equal(found[:, 0], start)
    for path in (burgers_folder / "checkpoints").glob("physical-*"):
        path.unlink()
    evaluated = components.evaluation(evaluate)
    assert list(evaluated.forecasts) == [SYNTHETIC] and not evaluated.parameters


def test_jax_that_is_not_installed_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phiml_port.assemble.find_spec", lambda name: None)
    jax = ("migration.phiml_backend=jax", MODE)
    with pytest.raises(SettingsError, match=r"`pip install -e '\.\[jax\]'`") as caught:
        build_components(small(tmp_path, *jax, on("phiml")))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    # The control doesn't ask for it.
    build_components(small(tmp_path, *jax, on("legacy")))


@pytest.mark.parametrize("side", SIDES)
def test_predicted_windows_with_too_few_frames_are_refused(
    burgers_folder: Path, side: str
) -> None:
    trainer = training(small(burgers_folder, *LEARN, on(side)))
    with pytest.raises(SceneError, match=r"simulation 0 has 1 frames; .* needs 2"):
        trainer.learner.augment(np.zeros((1, 1, 16, 8, 2)), "both")


@pytest.mark.parametrize("side", SIDES)
def test_simulations_with_too_few_frames_are_refused(
    burgers_folder: Path, side: str
) -> None:
    """What is on disk has 7 frames; a window of 7 steps needs 8."""
    longer = ("data.trajectory_length=9", "trainer.rollout_steps=7")
    with pytest.raises(SceneError, match="frames: stored 7, wanted 9"):
        training(small(burgers_folder, *LEARN, on(side), *longer))
